"""What the outcomes of the study of teachers and students say: metrics, comparisons and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from analyses import classifiers, comparing, recipe_tables, records
from analyses.comparing import Comparison
from analyses.plugin import Outcome, Summary
from analyses.supervision import _teacher_student_tables as tables
from analyses.supervision._teacher_student_settings import TeacherParameters
from analyses.supervision._teacher_student_tail import Tail
from results import builders
from results.schema import Finding, Metric


def summary(parameters: TeacherParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    best = _best_k(parameters, outcomes)
    runs = _runs(parameters, outcomes)
    comparisons = _comparisons(parameters, runs, best)
    metrics = _metrics(parameters, runs, best)
    for name, (one, label) in comparisons.items():
        metrics |= one.metrics(f"{name}/", f"Change of test accuracy: {label}")
    shown = {
        "results": tables.results_table(parameters, metrics, runs),
        "differences": tables.differences_table(parameters, comparisons),
        "chosen": tables.chosen_table(parameters, runs["teacher"]),
        "recipe": recipe_tables.recipe_table(
            {
                title: parameters.recipes()[part]
                for part, title in (
                    ("teacher", "Teacher"),
                    ("student", "Student"),
                    ("finetune", "Student, fine-tuned"),
                )
            },
            {
                "Student": {
                    "epochs": f"{parameters.rounds} rounds of {parameters.shown:,} images",
                }
            },
            caption="Hyper-parameters of the teacher, of the student's pretraining and of its fine-tuning.",
        ),
    }
    findings = _findings(parameters, metrics, outcomes, best, comparisons)
    tailed = {p: records.runs_named(outcomes, f"tail/p/{p}") for p in parameters.p}
    if all(tailed.values()):  # older outcomes have none
        tail = Tail(tailed, parameters.tail_k)
        metrics |= tail.metrics()
        shown["tail"] = tail.table(metrics)
        findings |= tail.findings()
    return Summary(
        metrics=metrics,
        tables=shown,
        figures={
            "k": tables.k_chart(parameters, metrics),
            "precision": tables.precision_chart(parameters, runs["teacher"]),
        },
        findings=findings,
    )


def _best_k(parameters: TeacherParameters, outcomes: Mapping[str, Outcome]) -> int:
    """That with the highest mean validation accuracy over seeds."""

    def reached(k: int) -> float:
        runs = records.runs_named(outcomes, f"k/{k}")
        return sum(run["validation_accuracy"] for run in runs) / len(runs)

    return max(parameters.k, key=reached)


def _runs(parameters: TeacherParameters, outcomes: Mapping[str, Outcome]) -> dict[str, list[Outcome]]:
    """By teacher, supervised, k/<K> and p/<P>, of which the first P is that of the largest K."""
    names = ["teacher", "supervised", *(f"k/{k}" for k in parameters.k)]
    runs = {name: records.runs_named(outcomes, name) for name in names}
    runs |= {f"p/{p}": records.runs_named(outcomes, f"p/{p}") for p in parameters.p[1:]}
    return runs | {f"p/{parameters.p[0]}": runs[f"k/{max(parameters.k)}"]}


def _metrics(
    parameters: TeacherParameters, runs: Mapping[str, Sequence[Outcome]], best: int
) -> dict[str, Metric]:
    words = {"teacher": "the teacher", "supervised": "the student's network on the labelled images alone"}
    words |= {f"k/{k}": f"student, {k} images a class" for k in parameters.k}
    words |= {f"p/{p}": f"student at the largest K, top {p} classes an image" for p in parameters.p}
    metrics: dict[str, Metric] = {}
    for name, label in words.items():
        metrics[f"{name}/test_accuracy"] = records.over_seeds(
            runs[name], "test_accuracy", f"Test accuracy: {label}"
        )
        metrics |= classifiers.test_metrics(name, runs[name], label)
        if name not in ("teacher", "supervised"):
            metrics[f"{name}/precision"] = records.over_seeds(
                runs[name], "precision", f"Share of right labels: {label}"
            )
            metrics[f"{name}/before_finetuning"] = records.over_seeds(
                runs[name], "before_finetuning", f"Test accuracy before fine-tuning: {label}"
            )
    metrics["student/test_accuracy"] = metrics[f"k/{best}/test_accuracy"]
    metrics["best_k"] = builders.metric(best, "K with the highest validation accuracy", "images")
    smallest, largest = min(parameters.k), max(parameters.k)
    metrics["smallest_k/precision"] = metrics[f"k/{smallest}/precision"]
    metrics["largest_k/precision"] = metrics[f"k/{largest}/precision"]
    metrics |= labels_metrics(parameters, runs)
    return metrics | builders.metrics(
        "data/",
        labelled=(parameters.labelled, "Labelled images", "images"),
        unlabelled=(runs["teacher"][0]["unlabelled"], "Unlabelled images", "images"),
        shown=(parameters.rounds * parameters.shown, "Images shown to a student", "images"),
        smallest_k=(smallest, "Smallest K", "images"),
        largest_k=(largest, "Largest K", "images"),
        seeds=(parameters.seeds, "Seeds", ""),
    )


def labels_metrics(parameters: TeacherParameters, runs: Mapping[str, Sequence[Outcome]]) -> dict[str, Metric]:
    """How often a student sees each label at the smallest and at the largest K, and how many of those that
    the largest K adds to the next smaller one are right; means over seeds.
    """

    def labels(k: int) -> float:
        return fmean(run["labels"] for run in runs[f"k/{k}"])

    def right(k: int) -> float:
        return fmean(run["labels"] * run["precision"] for run in runs[f"k/{k}"])

    shown, ks = parameters.rounds * parameters.shown, sorted(parameters.k)
    metrics = {
        f"{name}/passes": builders.metric(
            shown / labels(k), f"Times that a student is shown each label, {name}"
        )
        for name, k in (("smallest_k", ks[0]), ("largest_k", ks[-1]))
    }
    if len(ks) > 1 and (added := labels(ks[-1]) - labels(ks[-2])) > 0:
        metrics["largest_k/added_precision"] = builders.metric(
            (right(ks[-1]) - right(ks[-2])) / added,
            "Share of right labels among those that the largest K adds to the next smaller one",
            builders.FRACTION,
        )
    return metrics


def _comparisons(
    parameters: TeacherParameters, runs: Mapping[str, Sequence[Outcome]], best: int
) -> dict[str, tuple[Comparison, str]]:
    """By name, each with its words; one family."""
    smallest, largest, first = min(parameters.k), max(parameters.k), parameters.p[0]
    pairs = {
        "gain": (f"k/{best}", "supervised", "best student less its network on the labelled images alone"),
        "over_teacher": (f"k/{best}", "teacher", "best student less teacher"),
        "rise": (f"k/{best}", f"k/{smallest}", "best K less the smallest"),
        "fall": (f"k/{largest}", f"k/{best}", "the largest K less the best"),
    }
    for p in parameters.p[1:]:
        pairs[f"p/{p}"] = (f"p/{p}", f"p/{first}", f"at the largest K, top {p} classes less top {first}")
    values = {name: [run["test_accuracy"] for run in found] for name, found in runs.items()}
    found = comparing.compared(
        {name: (values[one], values[other]) for name, (one, other, _) in pairs.items()}
    )
    return {name: (found[name], label) for name, (_, _, label) in pairs.items()}


def _findings(
    parameters: TeacherParameters,
    metrics: Mapping[str, Metric],
    outcomes: Mapping[str, Outcome],
    best: int,
    comparisons: Mapping[str, tuple[Comparison, str]],
) -> dict[str, Finding]:
    def significant(statement: str, verdict: str, *names: str) -> Finding:
        return builders.statement(
            f"{statement}, significantly after Holm's correction",
            any(comparisons[name][0].verdict == verdict for name in names),
            *(f"{name}/difference" for name in names),
        )

    others = [f"p/{p}" for p in parameters.p[1:]]
    first = parameters.p[0]
    return {
        "student_beats_supervised": significant(
            "The best student beats its network on the labelled images alone", "more", "gain"
        ),
        "student_beats_teacher": significant("The best student beats its teacher", "more", "over_teacher"),
        "teacher_beats_student": significant("The teacher beats its best student", "less", "over_teacher"),
        "rises": significant("Accuracy rises from the smallest K to the best", "more", "rise"),
        "falls": significant("Accuracy falls from the best K to the largest", "less", "fall"),
        "best_k_is_inside": builders.statement(
            "The best K is neither the smallest nor the largest that was tried",
            min(parameters.k) < best < max(parameters.k),
            "best_k",
        ),
        "precision_falls": builders.statement(
            "The more images are chosen a class, the fewer of the labels are right",
            all(
                metrics[f"k/{more}/precision"].value < metrics[f"k/{fewer}/precision"].value
                for fewer, more in zip(sorted(parameters.k), sorted(parameters.k)[1:], strict=False)
            ),
            *(f"k/{k}/precision" for k in parameters.k),
        ),
        "p_matters_at_the_largest_k_only": builders.statement(
            "Below the largest K as many labels are chosen, and as many are right, whatever P is",
            all(
                len({(one["labels"], one["several"], one["precision"]) for one in found}) == 1
                for teacher in records.runs_named(outcomes, "teacher")
                for k in parameters.k
                if k < max(parameters.k)
                for found in [[one for one in teacher["chosen"] if one["k"] == k]]
            ),
        ),
        "student_over_supervised": _sentences(
            comparisons["gain"][0],
            "gain/difference",
            more="The unlabelled images significantly improve the student, by {}.",
            less="The unlabelled images significantly harm the student: the difference is {}.",
            same="The unlabelled images do not change the accuracy of the student significantly: the "
            "difference is {}{adjusted}.",
        ),
        "student_over_teacher": _sentences(
            comparisons["over_teacher"][0],
            "over_teacher/difference",
            more="The student is significantly more accurate than its teacher: the difference is {}.",
            less="The student is significantly less accurate than its teacher: the difference is {}.",
            same="The student does not differ significantly from its teacher: the difference is {}"
            "{adjusted}.",
        ),
        "rise_with_k": _sentences(
            comparisons["rise"][0],
            "rise/difference",
            more="In our experiment, accuracy rises significantly from the smallest to the best number of "
            "images, by {}.",
            less="In our experiment, accuracy falls significantly from the smallest to the best number of "
            "images: the difference is {}.",
            same="In our experiment, accuracy does not differ significantly between the smallest and the "
            "best number of images: the difference is {}.",
        ),
        "fall_with_k": _sentences(
            comparisons["fall"][0],
            "fall/difference",
            more="At the largest number, it is significantly higher than at the best, by {}.",
            less="At the largest number, it is significantly lower than at the best: the difference is {}.",
            same="Between the largest and the best number, the difference in accuracy, {}, is not significant"
            "{adjusted}; our experiment therefore does not show the fall.",
        ),
        "more_classes_help": significant(f"Some P above {first} does better than it", "more", *others),
        "more_classes_harm": significant(f"Some P above {first} does worse than it", "less", *others),
        "no_run_diverged": records.none_diverged(outcomes),
    }


def _sentences(one: Comparison, name: str, *, more: str, less: str, same: str) -> Finding:
    """A finding with the sentence of each verdict; {} stands for the difference, {adjusted} for its p."""
    number = f"{{{name}:points ci unit}}"
    size = f"{{{name}:points ci unit unsigned}}"
    p = name.removesuffix("difference") + "p"
    adjusted = "" if one.p is None else f", with an adjusted p of {{{p}:.3f}}"
    return one.finding(
        more.replace(", by {}", "").replace(": the difference is {}", "").removesuffix("."),
        name,
        more=more.format(size if ", by {}" in more else number),
        less=less.format(number),
        same=same.format(number, adjusted=adjusted),
    )
