"""interpretation.saliency: where does a network look, and does the answer depend on what it has learned?

Gradients, guided backpropagation (Springenberg et al. 2015) and integrated gradients (Sundararajan et al.
2017) of two photographs. Then the sanity check of Adebayo et al. 2018: layers are randomised from the output
downwards, and an attribution that stays as it was does not speak of what those layers had learned. Guided
backpropagation is known to fail it.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mean

from pydantic import Field

from analyses import comparing, experiments
from analyses.interpretation._interpretation import NetworkParameters, shown
from analyses.pictures import CREDITS, credit, drawn, heat, png
from analyses.plugin import Analysis, Cell, Context, Outcome, Profile, Summary
from results import builders
from results.schema import Chart, Metric, Picture, Pictures, Table
from results.text import count, counted

NAMES = {"gradient": "Gradient", "guided": "Guided backpropagation", "integrated": "Integrated gradients"}
DEPTHS = {
    "head": "the last layer",
    "quarter": "a quarter of the layers",
    "half": "half of the layers",
    "all": "all layers",
}
RATIO = "rank correlation"


class SaliencyParameters(NetworkParameters):
    """images: as lab.interpretation.photograph has them; they are printed. seeds: of what is randomised."""

    images: tuple[str, ...] = Field(("flower", "china"), min_length=1)
    seeds: int = Field(3, ge=1)


class Saliency(Analysis[SaliencyParameters]):
    id = "interpretation.saliency"
    title = "Where a network looks, and a check of the answer"
    question = "Which attributions depend on what a network has learned?"
    libraries = ("torch", "torchvision", "timm", "captum")

    def parameters(self, profile: Profile) -> SaliencyParameters:
        return SaliencyParameters(size=96, seeds=2) if profile == "quick" else SaliencyParameters()

    def plan(self, parameters: SaliencyParameters) -> list[Cell]:
        return [
            Cell(f"{image}/{seed}", parameters.as_settings() | {"image": image}, seed)
            for image in parameters.images
            for seed in range(parameters.seeds)
        ]

    def run(self, cell: Cell, context: Context) -> Outcome:
        import torch

        from lab import weights
        from lab.interpretation import attribute, likeness, photograph, randomised, settle, weighted_layers

        settings, seed = cell.settings, cell.seed or 0
        network = experiments.pretrained(settings, settings["size"])
        image = photograph(settings["image"])
        seen = network.prepared(image, crop=True)
        with torch.no_grad():
            shares = network.model(seen).softmax(1)
        target = shares.argmax(1)
        names = experiments.class_names(network, shares.shape[1])
        count = len(weighted_layers(network.model))
        layers = {"head": 1, "quarter": max(1, count // 4), "half": max(1, count // 2), "all": count}
        intact = {method: attribute(network.model, seen, target, method)[0] for method in NAMES}
        found: dict[str, dict[str, float]] = {method: {} for method in NAMES}
        last = {}
        crowd = torch.cat([seen, seen.flip(-1), seen.flip(-2), seen.roll(40, -1)])
        for number, (depth, some) in enumerate(layers.items()):
            changed = settle(randomised(network.model, some, seed), crowd)
            for method in NAMES:
                last[method] = attribute(changed, seen, target, method)[0]
                found[method][depth] = likeness(intact[method], last[method])
            context.report((number + 1) / len(layers), depth)
        outcome: Outcome = {
            "diverged": False,
            "weights": weights.describe(network),
            "class": names[int(target)],
            "probability": float(shares.max()),
            "layers": layers,
            "likeness": found,
        }
        if seed == 0:
            outcome["photograph"] = png(shown(network, image))
            for name, maps in (("intact", intact), ("redrawn", last)):
                outcome[name] = {
                    method: heat(drawn(one.abs().sum(0, keepdim=True))[0]) for method, one in maps.items()
                }
        return outcome

    def summarize(self, parameters: SaliencyParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        from lab.evaluation import over_seeds

        likeness = {
            method: {
                depth: [
                    mean(
                        outcomes[f"{image}/{seed}"]["likeness"][method][depth] for image in parameters.images
                    )
                    for seed in range(parameters.seeds)
                ]
                for depth in DEPTHS
            }
            for method in NAMES
        }
        metrics: dict[str, Metric] = {}
        for method, name in NAMES.items():
            for depth, words in DEPTHS.items():
                metrics[f"{method}/likeness/{depth}"] = builders.metric(
                    over_seeds(likeness[method][depth], bounds=(-1.0, 1.0)),
                    f"Likeness with {words} randomised, {name.lower()}",
                    RATIO,
                    over="randomisations",
                )
        others = [method for method in NAMES if method != "guided"]
        over = comparing.compared(
            {other: (likeness["guided"]["half"], likeness[other]["half"]) for other in others}
        )
        for other, comparison in over.items():
            metrics[f"guided/over/{other}"] = builders.metric(
                comparison.difference,
                "Difference in likeness with half of the layers randomised between guided backpropagation "
                f"and {NAMES[other].lower()}",
                RATIO,
                over="randomisations",
            )
        for image in parameters.images:
            one = outcomes[f"{image}/0"]
            metrics[f"image/{_key(image)}/probability"] = builders.metric(
                one["probability"], f"Probability of {one['class']}", builders.FRACTION
            )
        guided = metrics["guided/likeness/half"]
        ends = [metrics[f"{method}/likeness/all"] for method in NAMES]
        return Summary(
            metrics=metrics,
            tables={"likeness": _table(metrics, parameters)},
            figures={"cascade": _cascade(metrics, parameters), "maps": _maps(parameters, outcomes)},
            findings={
                "guided_fails": builders.statement(
                    "With half of the layers randomised, guided backpropagation keeps "
                    "significantly more of its map than the gradient, and a rank correlation significantly "
                    "above one half",
                    over["gradient"].verdict == "more" and guided.is_above(0.5),
                    "guided/likeness/half",
                    "guided/over/gradient",
                ),
                "guided_is_least_sensitive": builders.statement(
                    "With half of the layers randomised, guided backpropagation keeps "
                    "significantly more of its map than each other method",
                    all(one.verdict == "more" for one in over.values()),
                    *(f"guided/over/{other}" for other in others),
                ),
                "stay_above_zero": builders.family(
                    "With all layers randomised, the interval of some method's rank correlation is "
                    "above zero",
                    {
                        "the gradient" if method == "gradient" else name.lower(): metrics[
                            f"{method}/likeness/all"
                        ].is_above()
                        for method, name in NAMES.items()
                    },
                    *(f"{method}/likeness/all" for method in NAMES),
                    none="With all layers randomised, the interval of no correlation excludes zero.",
                    one="With all layers randomised, the interval of the correlation is above zero for "
                    "{members} only.",
                    many="With all layers randomised, the interval of the correlation is above zero for "
                    "{members}.",
                ),
                "all_stay_above_zero": builders.statement(
                    "With all layers randomised, the intervals of all methods' correlations are above zero",
                    all(one.is_above() for one in ends),
                    *(f"{method}/likeness/all" for method in NAMES),
                ),
                "some_method_passes": builders.statement(
                    "With all layers randomised, the interval of some method's correlation includes zero",
                    any(one.includes(0.0) for one in ends),
                    *(f"{method}/likeness/all" for method in NAMES),
                ),
                "all_change_in_the_end": builders.statement(
                    "With all layers randomised, no attribution keeps a rank correlation of one "
                    "half within its interval",
                    all(one.is_below(0.5) for one in ends),
                    *(f"{method}/likeness/all" for method in NAMES),
                ),
            },
            note="Weights: {source}, SHA-256 {sha256}.".format(**next(iter(outcomes.values()))["weights"]),
        )


def _key(image: str) -> str:
    return image if image in CREDITS else "own"


def _table(metrics: Mapping[str, Metric], parameters: SaliencyParameters) -> Table:
    return builders.table(
        "Rank correlation between the attribution of the trained network and that of the same "
        "network after some layers were randomised, from the output downwards.",
        {
            "method": builders.text("Attribution"),
            **{depth: builders.number(words.capitalize(), ".3f") for depth, words in DEPTHS.items()},
        },
        [
            {
                "method": name,
                **{depth: metrics[f"{method}/likeness/{depth}"].value for depth in DEPTHS},
            }
            for method, name in NAMES.items()
        ],
        notes=(
            f"Means over {len(parameters.images)} photographs and {parameters.seeds} randomisations; "
            "absolute attributions, summed over the channels.",
        ),
    )


def _cascade(metrics: Mapping[str, Metric], parameters: SaliencyParameters) -> Chart:
    found = {
        name: {words.capitalize(): metrics[f"{method}/likeness/{depth}"] for depth, words in DEPTHS.items()}
        for method, name in NAMES.items()
    }
    ends = [(name, [one.value for one in by_depth.values()]) for name, by_depth in found.items()]
    said = ", ".join(f"{name} from {values[0]:.2f} to {values[-1]:.2f}" for name, values in ends)
    return builders.bars(
        "Rank correlation between the attribution of the trained network and that of the same "
        "network after the last layer, a quarter, half or all of its layers have been randomised, starting "
        "at the output (means over "
        f"{counted(len(parameters.images), 'photographs')}).",
        found,
        builders.number("Rank correlation"),
        x="Layers randomised",
        alt=f"Bars of rank correlations by the share of layers randomised: {said}.",
    )


def _maps(parameters: SaliencyParameters, outcomes: Mapping[str, Outcome]) -> Pictures:
    pictures = []
    for number, image in enumerate(parameters.images):
        one = outcomes[f"{image}/0"]
        pictures.append(Picture(png=one["photograph"], title=one["class"]))
        for row, state in (("intact", "trained"), ("redrawn", "randomised")):
            pictures += [
                Picture(
                    png=one[row][method],
                    title="" if number else name.replace(" ", "\n", 1) + f"\n({state})",
                )
                for method, name in NAMES.items()
            ]
    return Pictures(
        caption="Photographs, with the classes that the trained network predicts above them, and "
        f"attributions of these predictions: in {count(len(NAMES))} columns of the trained network, and in "
        f"{count(len(NAMES))} of the same network with all layers randomised. Each picture shows absolute "
        "values, summed over the colours, on its own scale: black is zero, and white its 99th percentile "
        f"and above.{credit(*parameters.images)}",
        alt="Photographs, and for each the gradient, guided backpropagation and integrated gradients.",
        columns=1 + 2 * len(NAMES),
        pictures=tuple(pictures),
    )


analysis = Saliency()
