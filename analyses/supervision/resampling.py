"""supervision.resampling: how often to show classes of which few images are there.

After Mahajan et al. 2018, whose hashtags follow Zipf's law: shown uniformly, or by the square root of their
size, they give features that are worth 5 to 6 points more on the target than shown as they come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import Field

from analyses import comparing, records
from analyses.comparing import Comparison
from analyses.experiments import DataChoice
from analyses.plugin import Cell, Context, Outcome, Profile, Summary
from analyses.supervision import _supervision as supervision
from analyses.supervision._supervision import SourceExperiment, SourceParameters
from results import builders
from results.schema import Finding, Metric

WAYS = {"natural": 1.0, "sqrt": 0.5, "uniform": 0.0}
SUBJECTS = {"sqrt": "Square-root sampling", "uniform": "Uniform sampling"}
WORDS = {"natural": "natural", "sqrt": "square root", "uniform": "uniform"}


class ResamplingParameters(SourceParameters):
    """data: of which the long-tailed part is drawn, `largest` images of the first class; of that of rank r
    a share of 1 ÷ r^exponent. By seed the ranks differ. published: the least gain on the paper's target.
    """

    data: DataChoice = DataChoice(train=50_000, validation=0)
    largest: int = Field(5_000, ge=2)
    exponent: float = Field(1.0, gt=0)
    published: float = 0.05


class Resampling(SourceExperiment[ResamplingParameters]):
    id = "supervision.resampling"
    title = "A long tail of classes"
    question = "How often should rare classes be shown in pre-training?"

    def parameters(self, profile: Profile) -> ResamplingParameters:
        if profile == "quick":
            small = supervision.quick() | {"data": DataChoice(name="shapes", train=2_000, validation=0)}
            return ResamplingParameters(largest=150, **small)
        return ResamplingParameters()

    def plan(self, parameters: ResamplingParameters) -> list[Cell]:
        return [
            cell
            for way, power in WAYS.items()
            for cell in parameters.cells(
                way, power=power, largest=parameters.largest, exponent=parameters.exponent
            )
        ]

    def run(self, cell: Cell, context: Context) -> Outcome:
        import torch

        from lab.datasets import DataError
        from lab.sampling import Resampled, zipf
        from lab.training import Images

        data, classes = supervision.source(cell, context)
        labels = data.train.labels
        settings = cell.settings
        try:
            chosen = zipf(labels.cpu().numpy(), settings["largest"], cell.seed or 0, settings["exponent"])
        except ValueError as error:
            raise DataError(f"{error}; choose another --set largest=… or exponent=…") from None
        part = torch.from_numpy(chosen).to(labels.device)
        tailed = replace(data, train=Images(data.train.images[part], labels[part]))
        sizes = torch.bincount(labels[part], minlength=len(classes)).tolist()
        order = Resampled(settings["power"])
        return supervision.transferred(cell, context, tailed, classes, order) | {
            "class_sizes": sorted(sizes, reverse=True)
        }

    def summarize(self, parameters: ResamplingParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        runs = {way: records.runs_named(outcomes, way) for way in WAYS}
        sizes = runs["natural"][0]["class_sizes"]
        metrics: dict[str, Metric] = supervision.setting_metrics(parameters, runs["natural"][0]) | {
            "data/source": builders.metric(sum(sizes), "Images of the source", "images"),
            "data/largest": builders.metric(sizes[0], "Images of the largest class", "images"),
            "data/smallest": builders.metric(sizes[-1], "Images of the smallest class", "images"),
        }
        words = {way: f"{adverb} sampling" for way, adverb in WORDS.items()}
        for way, found in runs.items():
            metrics |= supervision.accuracies(way, words[way], found)
            metrics[f"{way}/accuracy"] = metrics[f"{way}/probe_accuracy"]
        changed = {way: adverb for way, adverb in words.items() if way != "natural"}
        comparisons = supervision.compared({way: runs[way] for way in changed}, runs["natural"])
        metrics |= supervision.comparison_metrics(comparisons, changed)
        published = comparing.compared(
            {
                f"{way}/over_published_": (
                    [run["probe"] for run in runs[way]],
                    [run["probe"] + parameters.published for run in runs["natural"]],
                )
                for way in changed
            }
        )
        for key, one in published.items():
            metrics |= one.metrics(key, "Gain by linear probe less the paper's on its target")
        return Summary(
            metrics=metrics,
            tables={
                "results": supervision.table(
                    "Test accuracy (%) by how the classes of a long-tailed source are sampled: on a balanced "
                    "test set of the source, by a linear probe on the target, and after fine-tuning on the "
                    "target.",
                    "Sampling",
                    {way: adverb.capitalize() for way, adverb in WORDS.items()},
                    metrics,
                    parameters.seeds,
                    "A seed decides which classes are rare.",
                ),
                "differences": supervision.comparison_table(
                    "Change of test accuracy by sampling.",
                    "Sampling",
                    {way: WORDS[way].capitalize() for way in changed},
                    comparisons,
                    parameters.seeds,
                    reference="natural sampling",
                ),
                "recipe": supervision.recipe_table(parameters),
            },
            findings=_findings(comparisons, published) | {"no_run_diverged": records.none_diverged(outcomes)},
        )


def _findings(
    comparisons: Mapping[str, Comparison], published: Mapping[str, Comparison]
) -> dict[str, Finding]:
    findings = {
        "published_gain_is_excluded": builders.statement(
            "Neither way gives the linear probe as much as the least gain on the paper's target",
            all(one.verdict == "less" for one in published.values()),
            *(f"{key}difference" for key in published),
        )
    }
    findings["no_change_is_significant"] = builders.statement(
        "Neither way changes the accuracy on the source or by linear probe on the target significantly",
        all(
            comparisons[f"{way}/{part}_"].verdict == "undecided"
            for way in SUBJECTS
            for part in ("source", "probe")
        ),
        *(f"{way}/{part}_difference" for way in SUBJECTS for part in ("source", "probe")),
    )
    for way in ("sqrt", "uniform"):
        for part, key, where in (
            ("source", "on_the_source", "accuracy on the balanced test images of the source"),
            ("probe", "on_the_target", "the accuracy of the probe on the target"),
        ):
            findings[f"{way}_{key}"] = supervision.difference_finding(
                f"{SUBJECTS[way]} raises {where}",
                f"{way}/{part}_difference",
                comparisons[f"{way}/{part}_"],
                SUBJECTS[way],
                where,
            )
        for name, part, verdict in (
            (f"{way}_helps", "probe", "more"),
            (f"{way}_harms", "probe", "less"),
            (f"{way}_helps_the_source", "source", "more"),
        ):
            findings[name] = builders.statement(
                f"{WORDS[way].capitalize()} sampling: the accuracy {supervision.PARTS[part]} is "
                f"significantly {'higher' if verdict == 'more' else 'lower'}",
                comparisons[f"{way}/{part}_"].verdict == verdict,
                f"{way}/{part}_difference",
            )
    return findings


analysis = Resampling()
