"""supervision.label_noise: what wrong labels cost a network that is then transferred.

After Mahajan et al. 2018, who replace a share of the labels of their pre-training by draws from the labels'
own distribution, and find that 10% cost less than a point on the target and 25% about two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, field_validator

from analyses import experiments
from analyses.experiments import FRACTION, Comparison
from analyses.plugin import Analysis, Cell, Context, Outcome, Profile, Summary
from analyses.supervision import _supervision as supervision
from analyses.supervision._supervision import SourceParameters
from results.schema import Axis, Chart, Column, Finding, Metric, Row, Series, Table

Percent = Annotated[int, Field(ge=0, le=100)]


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


class LabelNoise(Analysis[NoiseParameters]):
    id = "supervision.label_noise"
    title = "Wrong labels in pre-training"
    question = "What do wrong labels of the source cost on the target?"

    def parameters(self, profile: Profile) -> NoiseParameters:
        if profile == "quick":
            return NoiseParameters(**supervision.quick())
        return NoiseParameters()

    def datasets(self, parameters: NoiseParameters) -> tuple[str, ...]:
        return (parameters.data.name, parameters.target.name)

    def check(self, parameters: NoiseParameters) -> None:
        parameters.check()

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
        runs = {noise: experiments.of(outcomes, f"noise/{noise}") for noise in parameters.noise}
        metrics: dict[str, Metric] = supervision.setting_metrics(parameters, runs[0][0])
        words = {f"noise/{noise}": f"{noise}% of the labels replaced" for noise in parameters.noise}
        for noise, found in runs.items():
            name = f"noise/{noise}"
            metrics |= supervision.accuracies(name, words[name], found)
            metrics[f"{name}/wrong"] = experiments.over_seeds(
                found, "wrong", f"Labels that are wrong: {words[name]}"
            )
        changed = {name: said for name, said in words.items() if name != "noise/0"}
        comparisons = supervision.compared({f"noise/{n}": found for n, found in runs.items() if n}, runs[0])
        metrics |= supervision.comparison_metrics(comparisons, changed)
        most = max(parameters.noise)
        lost = [
            [noisy[part] - clean[part] for noisy, clean in zip(runs[most], runs[0], strict=True)]
            for part in ("source", "probe")
        ]
        apart = experiments.compared({"": (lost[0], lost[1])})[""]
        metrics |= apart.metrics(
            f"noise/{most}/source_over_probe_", "Change on the source less that by linear probe"
        )
        published = _published(parameters, runs)
        for key, one in published.items():
            metrics |= one.metrics(key, "Change by linear probe less the paper's on its target")
        return Summary(
            metrics=metrics,
            tables={
                "results": supervision.table(
                    "Test accuracy by the share of source labels that were replaced: on the source, by a "
                    "linear probe on the target, and after fine-tuning there.",
                    "Replaced",
                    {f"noise/{noise}": f"{noise}%" for noise in parameters.noise},
                    metrics,
                    f"Means over {parameters.seeds} seeds, with Student's 95% intervals over them.",
                ),
                "differences": supervision.comparison_table(
                    "What replaced labels change in the test accuracy.",
                    "Replaced",
                    {f"noise/{noise}": f"{noise}%" for noise in parameters.noise if noise},
                    comparisons,
                    parameters.seeds,
                ),
                "published": _published_table(parameters, metrics, published),
                "recipe": experiments.recipe_table(
                    {
                        title: parameters.recipes()[part]
                        for part, title in (("source", "Source"), ("finetune", "Fine-tuning"))
                    }
                ),
            },
            figures={"accuracy": _chart(parameters, metrics)},
            findings=_findings(parameters, metrics, comparisons, published)
            | {
                "source_loses_more": Finding(
                    statement="The most noise costs significantly more on the source than by linear probe on "
                    "the target",
                    holds=apart.verdict == "less",
                    metrics=(f"noise/{most}/source_over_probe_difference",),
                ),
                "no_run_diverged": experiments.none_diverged(outcomes),
            },
        )


def _published(parameters: NoiseParameters, runs: Mapping[int, Sequence[Outcome]]) -> dict[str, Comparison]:
    """By "noise/N/over_published_": what the linear probe loses, beside what the paper's target does."""
    return experiments.compared(
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
    rows = []
    for noise, cost in parameters.published.items():
        if one := published.get(f"noise/{noise}/over_published_"):
            change = metrics[f"noise/{noise}/probe_difference"].value
            rows.append(Row(cells={"noise": f"{noise}%", "change": change, "published": -cost} | one.cells()))
    signed: dict[str, Any] = {"type": "number", "format": "+.4f"}
    return Table(
        caption="What replaced labels change by linear probe, beside what they change in the paper.",
        columns=(
            Column(key="noise", label="Replaced"),
            Column(key="change", label="Change here", **signed),
            Column(key="published", label="Published", **signed),
            *experiments.comparison_columns(),
        ),
        rows=tuple(rows),
        notes=(experiments.comparison_note(parameters.seeds, "the published change"),),
    )


def _findings(
    parameters: NoiseParameters,
    metrics: Mapping[str, Metric],
    comparisons: Mapping[str, Comparison],
    published: Mapping[str, Comparison],
) -> dict[str, Finding]:
    most = max(parameters.noise)
    findings = {
        f"{part}_loses_by_the_most_noise": Finding(
            statement=f"With most labels replaced the accuracy {said} is significantly lower",
            holds=comparisons[f"noise/{most}/{part}_"].verdict == "less",
            metrics=(f"noise/{most}/{part}_difference",),
        )
        for part, said in supervision.PARTS.items()
    }
    for key, one in published.items():
        name = key.removesuffix("over_published_")
        change = metrics[f"{name}probe_difference"]
        cost = parameters.published[int(name.split("/")[1])]
        findings[f"{name}holds_published"] = Finding(
            statement="The interval of the change by linear probe holds the paper's figure",
            holds=change.low is not None and change.high is not None and change.low <= -cost <= change.high,
            metrics=(f"{name}probe_difference",),
        )
        findings[f"{name}loses_more_than_published"] = Finding(
            statement="The linear probe loses significantly more than the paper's target",
            holds=one.verdict == "less",
            metrics=(f"{key}difference",),
        )
    return findings


def _chart(parameters: NoiseParameters, metrics: Mapping[str, Metric]) -> Chart:
    series = []
    for part, label in (("source", "Source"), ("probe", "Linear probe"), ("finetune", "Fine-tuned")):
        found = [metrics[f"noise/{noise}/{part}_accuracy"] for noise in parameters.noise]
        series.append(
            Series(
                label=label,
                x=tuple(map(float, parameters.noise)),
                y=tuple(one.value for one in found),
                **experiments.interval(found),
            )
        )
    told = ", ".join(f"{one.label.lower()} from {one.y[0]:.3f} to {one.y[-1]:.3f}" for one in series)
    return Chart(
        kind="line",
        caption="Test accuracy by the share of source labels that were replaced; 95% intervals over seeds.",
        alt=f"Test accuracy from no label replaced to {parameters.noise[-1]}%: {told}.",
        x=Axis(label="Labels replaced", unit="%"),
        y=Axis(label="Test accuracy", unit=FRACTION),
        series=tuple(series),
    )


analysis = LabelNoise()
