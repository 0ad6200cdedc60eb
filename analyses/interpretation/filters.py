"""interpretation.filters: what do the first and the last convolution answer to?

The first layer's weights as pictures, and of one photograph the most active maps of the first and of the last
convolution (Zeiler and Fergus 2014 draw such maps), with what the network says of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from analyses.interpretation import _interpretation as shared
from analyses.interpretation._interpretation import NetworkParameters
from analyses.pictures import heat, png, signed
from analyses.plugin import Analysis, Cell, Context, Outcome, Profile, Summary
from results.schema import Column, Finding, Metric, Picture, Pictures, Row, Table

#: By architecture, the layers whose maps are drawn, after their activation; elsewhere the convolutions.
LAYERS = {
    "tf_efficientnet_lite0": ("bn1", "bn2"),
    "resnet18": ("relu", "layer4"),
    "resnet50": ("relu", "layer4"),
    "alexnet": ("features.1", "features.11"),
}
FRACTION = "fraction"


class FilterParameters(NetworkParameters):
    """image: as lab.interpretation.photograph has it; it is printed. shown: maps drawn of each layer."""

    image: str = "flower"
    shown: int = Field(12, ge=10, le=40)


class Filters(Analysis[FilterParameters]):
    id = "interpretation.filters"
    title = "What the first and the last convolution answer to"
    question = "What do the filters of a trained network look like, and which of them answer to a photograph?"
    libraries = ("torch", "torchvision", "timm")

    def parameters(self, profile: Profile) -> FilterParameters:
        return FilterParameters()

    def plan(self, parameters: FilterParameters) -> list[Cell]:
        settings = parameters.as_settings() | {"image": parameters.image, "shown": parameters.shown}
        return [Cell("image", settings)]

    def run(self, cell: Cell, context: Context) -> Outcome:
        import torch

        from lab import weights
        from lab.interpretation import photograph, weighted_layers

        settings = cell.settings
        network = shared.network(settings)
        image = photograph(settings["image"])
        convolutions = [
            name
            for name in weighted_layers(network.model)
            if isinstance(network.model.get_submodule(name), torch.nn.Conv2d)
        ]
        first, last = LAYERS.get(network.architecture, (convolutions[0], convolutions[-1]))
        with torch.no_grad():
            shares = network.model(network.prepared(image, crop=True)).softmax(1)[0]
        best = shares.topk(min(5, len(shares)))
        names = network.classes or tuple(map(str, range(len(shares))))
        filters = network.model.get_submodule(convolutions[0]).weight.detach()
        outcome: Outcome = {
            "diverged": False,
            "weights": weights.describe(network),
            "photograph": png(shared.shown(network, image)),
            "said": [
                [names[int(kind)], float(share)]
                for share, kind in zip(*best, strict=True)  # type: ignore[call-overload]
            ],
            "filters": [signed(_enlarged(one)) for one in filters] if filters.shape[1] == 3 else [],
            "filter_size": list(filters.shape),
        }
        for place, layer in (("first", first), ("last", last)):
            maps = weights.features(network, image, layer)[0]
            strength = maps.flatten(1).mean(1)
            order = strength.argsort(descending=True)[: settings["shown"]]
            outcome[place] = {
                "layer": layer,
                "shape": list(maps.shape),
                "channels": order.tolist(),
                "maps": [heat(shared.drawn(maps[one][None].clamp(min=0))[0]) for one in order],
                "silent": float((maps <= 0).flatten(1).all(1).float().mean()),
                "zero": float((maps <= 0).float().mean()),
            }
        return outcome

    def summarize(self, parameters: FilterParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        outcome = outcomes["image"]
        first, last = outcome["first"], outcome["last"]
        credit = shared.credit(parameters.image)
        architecture = outcome["weights"]["architecture"]
        metrics = {
            "image/probability": Metric(
                value=outcome["said"][0][1], title=f"Probability of {outcome['said'][0][0]}", unit=FRACTION
            ),
            "filters/count": Metric(value=outcome["filter_size"][0], title="Filters of the first layer"),
            "filters/size": Metric(
                value=outcome["filter_size"][2], title="Height and width of the first filters", unit="pixels"
            ),
        }
        for place, found in (("first", first), ("last", last)):
            metrics |= {
                f"{place}/channels": Metric(value=found["shape"][0], title=f"Maps of the {place} layer"),
                f"{place}/side": Metric(value=found["shape"][1], title="Height and width of such a map"),
                f"{place}/zero": Metric(
                    value=found["zero"],
                    title=f"Share of its values that are not positive, {place}",
                    unit=FRACTION,
                ),
                f"{place}/silent": Metric(
                    value=found["silent"], title=f"Share of its maps that are silent, {place}", unit=FRACTION
                ),
            }
        figures = {
            f"{place}_maps": Pictures(
                caption=f"The photograph and the {len(found['maps'])} most active maps of the {words} "
                f"({found['layer']}) of {architecture}: black is zero.{credit}",
                alt=f"A photograph that the network calls {outcome['said'][0][0]}, and maps of its {words}.",
                columns=7,
                pictures=(
                    Picture(png=outcome["photograph"], title="Input"),
                    *(
                        Picture(png=one, title=str(channel))
                        for one, channel in zip(found["maps"], found["channels"], strict=True)
                    ),
                ),
            )
            for place, words, found in (
                ("first", "first convolution", first),
                ("last", "last convolution", last),
            )
        }
        if outcome["filters"]:
            figures["filters"] = Pictures(
                caption=f"All filters of the first layer of {architecture}, in colour; mid-grey is zero.",
                alt=f"{len(outcome['filters'])} small pictures of filters.",
                columns=16,
                pictures=tuple(Picture(png=one) for one in outcome["filters"]),
            )
        return Summary(
            metrics=metrics,
            tables={"said": _said_table(outcome, parameters)},
            figures=figures,
            findings={
                "last_is_sparser": Finding(
                    statement="The last layer's values are more often zero than the first's",
                    holds=last["zero"] > first["zero"],
                    metrics=("first/zero", "last/zero"),
                ),
            },
            note=f"Weights: {outcome['weights']['source']}, SHA-256 {outcome['weights']['sha256']}.",
        )


def _enlarged(weight: Any) -> Any:
    """(3, k, k) as (3, 8k, 8k)."""
    return weight.repeat_interleave(8, 1).repeat_interleave(8, 2)


def _said_table(outcome: Outcome, parameters: FilterParameters) -> Table:
    return Table(
        caption=f"What the network says of the photograph ({parameters.image}).",
        columns=(
            Column(key="class", label="Class"),
            Column(key="share", label="Probability", type="number", format=".3f"),
        ),
        rows=tuple(Row(cells={"class": name, "share": share}) for name, share in outcome["said"]),
    )


analysis = Filters()
