"""interpretation.filters: what do the first and the last convolution answer to?

The first layer's weights as pictures, and of one photograph the most active maps of the first and of the last
convolution (Zeiler and Fergus 2014 draw such maps), with what the network says of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from analyses import experiments, feature_maps
from analyses.interpretation._interpretation import NetworkParameters
from analyses.plugin import Analysis, Cell, Context, Outcome, Profile, Summary
from results import builders
from results.builders import FRACTION
from results.schema import Table
from results.text import count


class FilterParameters(NetworkParameters):
    """image: as lab.interpretation.photograph has it; it is printed. shown: maps drawn of each layer."""

    image: str = "flower"
    shown: int = Field(12, ge=10, le=40)


class Filters(Analysis[FilterParameters]):
    id = "interpretation.filters"
    title = "What the first and the last convolution answer to"
    question = "What do the filters of a trained network look like, and which of them answer to a photograph?"
    version = "2"
    libraries = ("torch", "torchvision", "timm")

    def parameters(self, profile: Profile) -> FilterParameters:
        return FilterParameters()

    def plan(self, parameters: FilterParameters) -> list[Cell]:
        settings = parameters.as_settings() | {"image": parameters.image, "shown": parameters.shown}
        return [Cell("image", settings)]

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab import weights
        from lab.interpretation import photograph

        settings = cell.settings
        network = experiments.pretrained(settings, settings["size"])
        image = feature_maps.square(photograph(settings["image"]), network.crop)
        outputs = weights.last_linear(network.model)[1].out_features
        names = experiments.class_names(network, outputs)
        described: Outcome = {"diverged": False, "weights": weights.describe(network)}
        return described | feature_maps.maps_of(network, image, names, settings["shown"])

    def summarize(self, parameters: FilterParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        outcome = outcomes["image"]
        architecture = outcome["weights"]["architecture"]
        network = experiments.network_name(architecture)
        metrics = {
            "image/probability": builders.metric(
                outcome["said"][0][1], f"Probability of {outcome['said'][0][0]}", FRACTION
            ),
            "filters/count": builders.metric(outcome["filter_size"][0], "Filters of the first layer"),
            "filters/size": builders.metric(
                outcome["filter_size"][2], "Height and width of the first filters", "pixels"
            ),
        }
        metrics |= feature_maps.map_metrics(outcome, architecture)
        return Summary(
            metrics=metrics,
            tables={"said": _said_table(outcome)},
            figures=feature_maps.map_figures(outcome, network, parameters.image, architecture),
            findings=feature_maps.map_findings(metrics, parameters.image),
            note=f"Weights: {outcome['weights']['source']}, SHA-256 {outcome['weights']['sha256']}.",
        )


def _said_table(outcome: Outcome) -> Table:
    return builders.table(
        f"The {count(len(outcome['said']))} classes that the network finds most probable for the photograph "
        "of the maps.",
        {"class": builders.text("Class"), "share": builders.percent("Probability")},
        [{"class": name, "share": share} for name, share in outcome["said"]],
    )


analysis = Filters()
