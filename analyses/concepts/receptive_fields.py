"""concepts.receptive_fields: how far each branch of an Inception module sees, alone and in GoogLeNet."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from pydantic import Field

from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results import builders

BRANCHES = {"one": "1×1", "three": "3×3", "five": "5×5", "pool": "Pooling"}


class ReceptiveFieldsParameters(Parameters):
    """side: of the image. The fields do not depend on it."""

    side: int = Field(224, ge=32, le=4_096)


class ReceptiveFields(Analysis[ReceptiveFieldsParameters]):
    id = "concepts.receptive_fields"
    title = "Receptive fields of the branches of an Inception module"
    question = "How far does each branch of an Inception module see?"
    analytic = True

    def parameters(self, profile: Profile) -> ReceptiveFieldsParameters:
        return ReceptiveFieldsParameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        """By module and branch: the side of what a unit sees, and the jump from unit to unit, in pixels."""
        import torch

        from lab.counting import count
        from lab.ledger import ReceptiveField
        from lab.networks.googlenet import googlenet
        from lab.networks.inception import GOOGLENET, Inception

        width, channels, filters = GOOGLENET["3a"]
        with torch.device("meta"):
            networks = {
                "alone": (Inception((channels, width, width), filters), (channels, width, width)),
                "googlenet": (googlenet(), (3, cell.settings["side"], cell.settings["side"])),
            }
        found: Outcome = {}
        for name, (network, shape) in networks.items():
            for layer in count(network, shape, name=name).layers:
                module, _, rest = layer.name.partition(".")
                module, branch = (name, module) if name == "alone" else (module, rest.partition(".")[0])
                if branch in BRANCHES and isinstance(layer.receptive_field, ReceptiveField):
                    # the last layer of a branch stays
                    seen = found.setdefault(module, {"jump": layer.receptive_field.jump[0]})
                    seen[branch] = layer.receptive_field.size[0]
        return found

    def summarize(self, parameters: ReceptiveFieldsParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        (found,) = outcomes.values()
        modules = [name for name in found if name != "alone"]
        last = modules[-1]
        metrics = {
            f"{module}/{branch}": builders.metric(
                found[module][branch],
                f"Side of what a unit of the {words.lower()} branch of {_named(module)} sees",
                "pixels",
            )
            for module in found
            for branch, words in BRANCHES.items()
        }
        metrics["image"] = builders.metric(parameters.side, "Side of the image", "pixels")
        widest = [max(found[module][branch] for branch in BRANCHES) for module in modules]
        return Summary(
            metrics=metrics,
            tables={
                "branches": builders.table(
                    "Receptive fields of the branches of an Inception module: side of the square that one "
                    "unit sees, for a module alone in pixels of its input, and for each module of GoogLeNet "
                    "in pixels of the image.",
                    {
                        "module": builders.text("Module"),
                        **{branch: builders.integer(label, "pixels") for branch, label in BRANCHES.items()},
                        "jump": builders.integer("Jump", "pixels"),
                    },
                    [{"module": module.capitalize(), **seen} for module, seen in found.items()],
                    notes=(
                        "A module of GoogLeNet takes all branches of the one before, so that its fields add "
                        "to the widest of those. The jump is the distance between neighbouring units.",
                    ),
                )
            },
            findings={
                "branches_see_more_than_the_image": builders.statement(
                    "In the last module of GoogLeNet every branch sees more than the image",
                    min(found[last][branch] for branch in BRANCHES) > parameters.side,
                    *(f"{last}/{branch}" for branch in BRANCHES),
                    "image",
                ),
                "every_module_sees_farther": builders.statement(
                    "Every module of GoogLeNet sees farther than the one before",
                    all(b > a for a, b in pairwise(widest)),
                    *(f"{module}/five" for module in modules),
                ),
            },
        )


def _named(module: str) -> str:
    return "a module alone" if module == "alone" else f"GoogLeNet {module}"


analysis = ReceptiveFields()
