"""supervision.label_noise: what wrong labels cost a network that is then transferred.

After Mahajan et al. 2018, who replace a share of the labels of their pre-training by draws from the labels'
own distribution, and find that 10% cost less than a point on the target and 25% about two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field, field_validator

from analyses import comparing, records
from analyses.comparing import Comparison
from analyses.plugin import Cell, Context, Outcome, Profile, Summary
from analyses.supervision import _supervision as supervision
from analyses.supervision._supervision import SourceExperiment, SourceParameters
from results import builders
from results.builders import FRACTION
from results.schema import Axis, Chart, Finding, Metric, Table
from results.text import counted

Percent = Annotated[int, Field(ge=0, le=100)]


BOUNDED = (10,)  # per cent replaced, at which the paper says only "less than"


class NoiseParameters(SourceParameters):
    """noise: shares of the labels that are replaced, in per cent; 0 among them, which is the reference.
    published: what some of them cost the paper's target, in accuracy: less than the first, about the second.
    """

    noise: tuple[Percent, ...] = (0, 10, 25, 50)
    published: dict[int, float] = Field(default={10: 0.01, 25: 0.02})

    @field_validator("noise")
    @classmethod
    def has_a_reference(cls, noise: tuple[int, ...]) -> tuple[int, ...]:
        if 0 not in noise or len(noise) < 2:
            raise ValueError("noise needs 0, which the others are compared with, and another share")
        return tuple(sorted(set(noise)))


class LabelNoise(SourceExperiment[NoiseParameters]):
    id = "supervision.label_noise"
    title = "Wrong labels in pre-training"
    question = "What do wrong labels of the source cost on the target?"

    def parameters(self, profile: Profile) -> NoiseParameters:
        if profile == "quick":
            return NoiseParameters(**supervision.quick())
        return NoiseParameters()

    def plan(self, parameters: NoiseParameters) -> list[Cell]:
        return [
            cell for noise in parameters.noise for cell in parameters.cells(f"noise/{noise}", noise=noise)
        ]

    def run(self, cell: Cell, context: Context) -> Outcome:
        import torch

        from lab.training import Images

        data, classes = supervision.source(cell, context)
        labels = data.train.labels.clone()
        generator = torch.Generator().manual_seed(cell.seed or 0)
        count = round(len(labels) * cell.settings["noise"] / 100)
        replaced = torch.randperm(len(labels), generator=generator)[:count].to(labels.device)
        drawn = torch.randint(len(labels), (count,), generator=generator).to(labels.device)
        labels[replaced] = data.train.labels[drawn]  # from their own distribution: some by chance the same
        wrong = float((labels != data.train.labels).float().mean())
        noisy = replace(data, train=Images(data.train.images, labels))
        return supervision.transferred(cell, context, noisy, classes) | {"wrong": wrong}

    def summarize(self, parameters: NoiseParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        runs = {noise: records.runs_named(outcomes, f"noise/{noise}") for noise in parameters.noise}
        metrics: dict[str, Metric] = supervision.setting_metrics(parameters, runs[0][0])
        words = {f"noise/{noise}": f"{noise}% of the labels replaced" for noise in parameters.noise}
        for noise, found in runs.items():
            name = f"noise/{noise}"
            metrics |= supervision.accuracies(name, words[name], found)
            metrics[f"{name}/wrong"] = records.over_seeds(
                found, "wrong", f"Labels that are wrong: {words[name]}"
            )
        changed = {name: label for name, label in words.items() if name != "noise/0"}
        comparisons = supervision.compared({f"noise/{n}": found for n, found in runs.items() if n}, runs[0])
        metrics |= supervision.comparison_metrics(comparisons, changed)
        most = max(parameters.noise)
        lost = [
            [noisy[part] - clean[part] for noisy, clean in zip(runs[most], runs[0], strict=True)]
            for part in ("source", "probe")
        ]
        apart = comparing.compared({"": (lost[0], lost[1])})[""]
        metrics |= apart.metrics(
            f"noise/{most}/source_over_probe_", "Change on the source less that by linear probe"
        )
        for part, label in (("source", "on the source"), ("probe", "of the linear probe")):
            metrics[f"most_noise/{part}_share"] = builders.metric(
                -metrics[f"noise/{most}/{part}_difference"].value / metrics[f"noise/0/{part}_accuracy"].value,
                f"Share of the accuracy {label} without noise that is lost: {words[f'noise/{most}']}",
                FRACTION,
            )
        source = (
            f"On the source itself, accuracy is {comparisons[f'noise/{most}/source_'].direction} by "
            f"{{noise/{most}/source_difference:points ci unit unsigned}}."
        )
        excess = f"{{noise/{most}/source_over_probe_difference:points ci unit unsigned}}"
        excess += (
            "" if apart.p is None else f", with an unadjusted p of {{noise/{most}/source_over_probe_p:.3f}}"
        )
        published = _published(parameters, runs)
        for key, one in published.items():
            metrics |= one.metrics(key, "Change by linear probe less the paper's on its target")
        return Summary(
            metrics=metrics,
            tables={
                "results": supervision.table(
                    "Test accuracy (%) by the share of source labels that were replaced: on the source, by a "
                    "linear probe on the target, and after fine-tuning on the target.",
                    "Replaced",
                    {f"noise/{noise}": f"{noise}%" for noise in parameters.noise},
                    metrics,
                    parameters.seeds,
                ),
                "differences": supervision.comparison_table(
                    "Change of test accuracy when a share of the source labels is replaced.",
                    "Replaced",
                    {f"noise/{noise}": f"{noise}%" for noise in parameters.noise if noise},
                    comparisons,
                    parameters.seeds,
                    reference="training without replaced labels",
                ),
                "published": _published_table(parameters, metrics, published),
                "recipe": supervision.recipe_table(parameters),
            },
            figures={"accuracy": _chart(parameters, metrics)},
            findings=_findings(parameters, metrics, comparisons, published)
            | {
                "source_loses_more": apart.finding(
                    "The most noise costs significantly more on the source than by linear probe on the "
                    "target",
                    f"noise/{most}/source_over_probe_difference",
                    expected="less",
                    less=f"{source} This loss is significantly larger than that of the probe, by {excess}.",
                    more=f"{source} This loss is significantly smaller than that of the probe, by {excess}.",
                    same=f"{source} The two changes do not differ significantly; they are {excess}, apart.",
                ),
                "whole_source": builders.statement(
                    "The source has as many images as the protocol asks for",
                    parameters.data.train >= NoiseParameters().data.train,
                    "data/source",
                ),
                "no_run_diverged": records.none_diverged(outcomes),
            },
        )


def _published(parameters: NoiseParameters, runs: Mapping[int, Sequence[Outcome]]) -> dict[str, Comparison]:
    """By "noise/N/over_published_": what the linear probe loses, beside what the paper's target does."""
    return comparing.compared(
        {
            f"noise/{noise}/over_published_": (
                [run["probe"] for run in runs[noise]],
                [run["probe"] - cost for run in runs[0]],
            )
            for noise, cost in parameters.published.items()
            if noise in runs and noise
        }
    )


def _published_table(
    parameters: NoiseParameters, metrics: Mapping[str, Metric], published: Mapping[str, Comparison]
) -> Table:
    found = {
        noise: (cost, one)
        for noise, cost in parameters.published.items()
        if (one := published.get(f"noise/{noise}/over_published_"))
    }
    return builders.table(
        "Change of the accuracy of the linear probe (percentage points) beside the change that the paper "
        f"reports on its own target, and their difference. Means over {counted(parameters.seeds, 'seeds')}.",
        {
            "noise": builders.text("Replaced"),
            "change": comparing.change("Here"),
            "published": comparing.change("Paper"),
            "difference": comparing.change("Difference"),
            "p": comparing.ADJUSTED_P,
        },
        [
            {
                "noise": f"{noise}%",
                "change": metrics[f"noise/{noise}/probe_difference"],
                "published": -cost,
                **one.numbers(),
            }
            for noise, (cost, one) in found.items()
        ],
        notes=(
            comparing.HOLM,
            *(f"At {noise}%, the paper gives an upper limit." for noise in BOUNDED if noise in found),
        ),
    )


def _findings(
    parameters: NoiseParameters,
    metrics: Mapping[str, Metric],
    comparisons: Mapping[str, Comparison],
    published: Mapping[str, Comparison],
) -> dict[str, Finding]:
    most = max(parameters.noise)
    findings = {
        f"{part}_loses_by_the_most_noise": comparisons[f"noise/{most}/{part}_"].finding(
            f"With most labels replaced the accuracy {label} is significantly lower",
            f"noise/{most}/{part}_difference",
            expected="less",
            more=f"With {most}% of the labels replaced, accuracy {label} is significantly higher, by "
            f"{{noise/{most}/{part}_difference:points ci unit unsigned}}.",
            less=f"With {most}% of the labels replaced, accuracy {label} is significantly lower, by "
            f"{{noise/{most}/{part}_difference:points ci unit unsigned}}.",
            same=f"With {most}% of the labels replaced, accuracy {label} does not change significantly: the "
            f"change is {{noise/{most}/{part}_difference:points ci unit}}.",
        )
        for part, label in supervision.PARTS.items()
    }
    for key, one in published.items():
        name = key.removesuffix("over_published_")
        change = metrics[f"{name}probe_difference"]
        noise = int(name.split("/")[1])
        cost = parameters.published[noise]
        size = f"{100 * cost:g} percentage point" + ("s" if cost != 0.01 else "")
        paper = (
            f"{size}, the upper limit of the loss in the paper"
            if noise in BOUNDED
            else f"the loss of {size} in the paper"
        )
        paper += f" (adjusted p = {{{key}p:.3f}})"
        changes = (
            f"With {noise}% replaced, the accuracy of the probe is "
            f"{comparisons[f'{name}probe_'].direction} by {{{name}probe_difference:points ci unit unsigned}}"
        )
        findings[f"{name}over_published"] = one.finding(
            "The linear probe loses less than the paper's target",
            f"{key}difference",
            more=f"{changes}, significantly less than {paper}.",
            less=f"{changes}, significantly more than {paper}.",
            same=f"{changes}, which does not differ significantly from {paper}.",
        )
        findings[f"{name}holds_published"] = builders.statement(
            "The interval of the change by linear probe holds the paper's figure",
            change.includes(-cost),
            f"{name}probe_difference",
        )
        findings[f"{name}loses_more_than_published"] = builders.statement(
            "The linear probe loses significantly more than the paper's target",
            one.verdict == "less",
            f"{key}difference",
        )
    return findings


def _chart(parameters: NoiseParameters, metrics: Mapping[str, Metric]) -> Chart:
    return builders.trend(
        "Test accuracy by the share of source labels that were replaced: on the source, by a linear probe of "
        "the frozen network on the target, and after fine-tuning on the target. Points are means.",
        {
            label: {float(noise): metrics[f"noise/{noise}/{part}_accuracy"] for noise in parameters.noise}
            for part, label in (
                ("source", "Source"),
                ("probe", "Target, linear probe"),
                ("finetune", "Target, fine-tuned"),
            )
        },
        builders.percent("Test accuracy"),
        x=Axis(label="Labels replaced", unit="%"),
    )


analysis = LabelNoise()
