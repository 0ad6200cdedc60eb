"""Tables and figures of the study of teachers and students."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from analyses import comparing
from analyses.comparing import Comparison
from analyses.plugin import Outcome
from analyses.supervision._teacher_student_settings import TeacherParameters
from results import builders
from results.schema import Axis, Chart, Metric, Series, Table
from results.text import counted


def results_table(
    parameters: TeacherParameters, metrics: Mapping[str, Metric], runs: Mapping[str, Sequence[Outcome]]
) -> Table:
    first = parameters.p[0]
    rows: dict[str, tuple[str, int | None, int | None]] = {
        "teacher": ("Teacher", None, None),
        "supervised": ("Student's network, labelled images alone", None, None),
    }
    rows |= {f"k/{k}": ("Student", k, first) for k in parameters.k}
    rows |= {f"p/{p}": ("Student", max(parameters.k), p) for p in parameters.p[1:]}
    body: list[dict[str, builders.Cell]] = []
    for name, (what, k, p) in rows.items():
        cells: dict[str, builders.Cell] = {
            "what": what,
            "k": k,
            "p": p,
            "accuracy": metrics[f"{name}/test_accuracy"],
        }
        if k is not None:
            cells |= {
                "precision": metrics[f"{name}/precision"].value,
                "before": metrics[f"{name}/before_finetuning"].value,
            }
        body.append(cells)
    return builders.table(
        "Test accuracy (%) of teacher and students by the number K of images selected per class and the "
        "number P of classes considered per image, with the share of selected labels that are correct. "
        f"Means over {counted(parameters.seeds, 'seeds')}.",
        {
            "what": builders.text("Network"),
            "k": builders.integer("K"),
            "p": builders.integer("P"),
            "precision": builders.percent("Correct labels"),
            "before": builders.percent("Before fine-tuning"),
            "accuracy": builders.percent("Test accuracy"),
        },
        body,
        notes=(
            "Each seed has labelled images of its own. Every student is shown "
            f"{parameters.rounds * parameters.shown:,} images before it is fine-tuned.",
        ),
    )


def differences_table(
    parameters: TeacherParameters, comparisons: Mapping[str, tuple[Comparison, str]]
) -> Table:
    return builders.table(
        "Differences of test accuracy (percentage points) between students, their teacher and the student's "
        "network on the labelled images alone. Differences are paired by seed; brackets are 95% confidence "
        f"intervals over {counted(parameters.seeds, 'seeds')}, each for one comparison alone.",
        {
            "what": builders.text("Difference"),
            "difference": comparing.change("Difference"),
            "p": comparing.ADJUSTED_P,
        },
        [{"what": label[:1].upper() + label[1:], **one.numbers()} for one, label in comparisons.values()],
        notes=(comparing.HOLM,),
    )


def chosen_table(parameters: TeacherParameters, teachers: Sequence[Outcome]) -> Table:
    """What each P would choose at the smallest and the largest K; for this no student is trained."""
    ends = (min(parameters.k), max(parameters.k))
    body: list[dict[str, builders.Cell]] = []
    for at, choice in enumerate(teachers[0]["chosen"]):
        if choice["k"] in ends:
            found = [teacher["chosen"][at] for teacher in teachers]
            means = {key: fmean(one[key] for one in found) for key in ("labels", "several", "precision")}
            body.append({"k": choice["k"], "p": choice["p"]} | means)
    return builders.table(
        "Images that the teacher selects, by the number K per class and the number P of classes considered "
        "per image: labels given, images that are selected for several classes, and the share of labels that "
        f"are correct. Means over {counted(len(teachers), 'teachers')}.",
        {
            "k": builders.integer("K"),
            "p": builders.integer("P"),
            "labels": builders.number("Labels", ",.0f"),
            "several": builders.number("Images in several classes", ",.0f"),
            "precision": builders.percent("Correct labels"),
        },
        sorted(body, key=lambda cells: (cells["k"], cells["p"])),
    )


def k_chart(parameters: TeacherParameters, metrics: Mapping[str, Metric]) -> Chart:
    return builders.trend(
        f"Test accuracy of the fine-tuned student on {parameters.data.title} by the number K of unlabelled "
        f"images that the teacher selects per class, of {metrics['data/unlabelled'].value:,} in all; "
        f"{metrics['data/labelled'].value:,} images are labelled. Points are means, on a logarithmic axis; "
        "the dashed lines are the means of the teacher and of the student's architecture trained on the "
        "labelled images alone.",
        {"Student": {float(k): metrics[f"k/{k}/test_accuracy"] for k in parameters.k}},
        builders.percent("Test accuracy"),
        x=Axis(label="K, images selected per class", scale="log"),
        references={
            label: metrics[f"{name}/test_accuracy"].value
            for name, label in (("teacher", "Teacher"), ("supervised", "Labelled images alone"))
        },
    )


def precision_chart(parameters: TeacherParameters, teachers: Sequence[Outcome]) -> Chart:
    curves = [teacher["precision"] for teacher in teachers]
    bins = range(min(map(len, curves)))
    at = [[100 * curve[index] for curve in curves] for index in bins]
    series = Series(
        label="Correct labels",
        x=tuple((index + 0.5) * parameters.bin for index in bins),
        y=tuple(map(fmean, at)),
        low=tuple(map(min, at)),
        high=tuple(map(max, at)),
    )
    return Chart(
        kind="line",
        caption="Share of correct labels among the images that the teacher selects from "
        f"{parameters.data.title}, by their rank within their class, from the image of which it is most "
        f"confident. Each point covers {parameters.bin} ranks and "
        f"is a mean over {counted(parameters.seeds, 'seeds')}, with P = {parameters.p[0]}; "
        "the band reaches from the lowest to the highest.",
        alt=f"The share of correct labels falls from {series.y[0]:.0f}% among the first ranks to "
        f"{series.y[-1]:.0f}% among the last.",
        x=Axis(label="Rank within the class"),
        y=Axis(label="Correct labels", unit="%"),
        series=(series,),
    )
