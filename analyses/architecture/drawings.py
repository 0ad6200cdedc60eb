"""architecture.drawings: how the networks of the studies are built, drawn from their counted layers.

No block is placed or labelled with a count by hand: shapes, parameters and multiply–accumulates are those of
the walk that counts every model, and the report's layout decides where blocks stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from analyses.architecture._drawings_classifiers import (
    alexnet_and_vgg,
    dense_block,
    designs,
    inception,
    lenet,
    stages,
)
from analyses.architecture._drawings_systems import detector, proposals, siamese, teacher_and_student
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results import builders
from results.schema import Network


class Drawings(Analysis[Parameters]):
    id = "architecture.drawings"
    title = "Drawings of the networks"
    question = "How are the networks of this study built?"
    analytic = True

    def parameters(self, profile: Profile) -> Parameters:
        return Parameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        return {name: draw().model_dump(mode="json", exclude_defaults=True) for name, draw in DRAWN.items()}

    def summarize(self, parameters: Parameters, outcomes: Mapping[str, Outcome]) -> Summary:
        figures = {name: Network.model_validate(figure) for name, figure in outcomes["all"].items()}
        blocks = [block for figure in figures.values() for panel in figure.panels for block in panel.blocks]
        return Summary(
            metrics={
                "networks": builders.metric(
                    sum(len(figure.panels) for figure in figures.values()),
                    "Networks and parts of networks that are drawn",
                ),
                "blocks": builders.metric(len(blocks), "Blocks that are drawn"),
            },
            figures=dict(figures),
        )


DRAWN: dict[str, Callable[[], Network]] = {
    "alexnet_and_vgg": alexnet_and_vgg,
    "lenet": lenet,
    "designs": designs,
    "stages": stages,
    "inception": inception,
    "dense_block": dense_block,
    "proposals": proposals,
    "detector": detector,
    "siamese": siamese,
    "teacher_and_student": teacher_and_student,
}

analysis = Drawings()
