"""supervision.label_noise: what wrong labels cost a network that is then transferred.

After Mahajan et al. 2018, who replace a share of the labels of their pre-training by draws from the labels'
own distribution, and find that 10% cost less than a point on the target and 25% about two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from pydantic import Field, field_validator

from analyses import experiments
from analyses.experiments import FRACTION
from analyses.plugin import Analysis, Cell, Context, Outcome, Profile, Summary
from analyses.supervision import _supervision as supervision
from analyses.supervision._supervision import SourceParameters
from results.schema import Axis, Chart, Finding, Metric, Series

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
        for noise, found in runs.items():
            words = f"{noise}% of the labels replaced"
            metrics |= supervision.accuracies(f"noise/{noise}", words, found)
            metrics[f"noise/{noise}/wrong"] = experiments.over_seeds(
                found, "wrong", f"Labels that are wrong: {words}"
            )
            if noise:
                metrics |= supervision.differences(f"noise/{noise}", words, found, runs[0])
        most = max(parameters.noise)
        key = f"noise/{most}/probe_difference"
        told = {
            f"noise/{noise}/probe_difference": cost
            for noise, cost in parameters.published.items()
            if noise in parameters.noise
        }
        return Summary(
            metrics=metrics,
            tables={
                "results": supervision.table(
                    "Test accuracy by the share of source labels that were replaced: on the source, by a "
                    "linear probe on the target, and after fine-tuning there.",
                    "Replaced",
                    {f"noise/{noise}": f"{noise}%" for noise in parameters.noise},
                    metrics,
                    f"Number of seeds: {parameters.seeds}, over which the 95% intervals are.",
                ),
                "recipe": experiments.recipe_table(
                    {
                        title: parameters.recipes()[part]
                        for part, title in (("source", "Source"), ("finetune", "Fine-tuning"))
                    }
                ),
            },
            figures={"accuracy": _chart(parameters, metrics)},
            findings={
                "most_noise_costs": Finding(
                    statement="With most labels replaced the linear probe loses accuracy, by an interval "
                    "below zero",
                    holds=supervision.clear(metrics[key], above=False),
                    metrics=(key,),
                ),
                "as_robust_as_published": Finding(
                    statement="The linear probe loses no more than the paper's target at the same noise",
                    holds=all(metrics[key].value >= -cost for key, cost in told.items()),
                    metrics=tuple(told),
                ),
                "source_loses_more": Finding(
                    statement="The most noise costs more on the source than on the target by linear probe",
                    holds=metrics[f"noise/{most}/source_difference"].value < metrics[key].value,
                    metrics=(f"noise/{most}/source_difference", key),
                ),
                "no_run_diverged": experiments.none_diverged(outcomes),
            },
        )


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
