"""What P brings a student whose teacher chooses from a long-tailed pool: metrics, a table and findings.

Yalniz et al. 2019 keep more than one class an image (P) for the classes that are rarely the first choice. A
seed decides which classes are rare; here the rare ones are the half of the classes with the fewest images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analyses import comparing, records
from analyses.comparing import Comparison
from analyses.plugin import Outcome
from results import builders
from results.schema import Finding, Metric, Table
from results.text import counted

MEASURED = {  # name of the metric → title
    "test_accuracy": "Test accuracy",
    "rare_accuracy": "Test accuracy on the rare classes",
    "precision": "Share of right labels",
    "rare_precision": "Share of right labels of the rare classes",
    "rare_labels": "Labels that the rare classes get",
}
COMPARED = ("test_accuracy", "rare_accuracy")


@dataclass(frozen=True)
class Tail:
    """runs: by P, the first of which the others are compared with."""

    runs: Mapping[int, Sequence[Outcome]]
    k: int

    @property
    def seeds(self) -> int:
        return len(next(iter(self.runs.values())))

    def measured(self) -> dict[int, list[dict[str, float]]]:
        return {p: [_measured(run) for run in found] for p, found in self.runs.items()}

    def comparisons(self) -> dict[str, Comparison]:
        """By "tail/p/P/MEASURE_"; one family."""
        measured = self.measured()
        (_, reference), *others = measured.items()
        return comparing.compared(
            {
                f"tail/p/{p}/{key}_": ([one[key] for one in found], [one[key] for one in reference])
                for p, found in others
                for key in COMPARED
            }
        )

    def metrics(self) -> dict[str, Metric]:
        metrics: dict[str, Metric] = {}
        for p, found in self.measured().items():
            for key, title in MEASURED.items():
                unit = "images" if key == "rare_labels" else builders.FRACTION
                title = f"{title}: long tail, top {p} classes per image"
                metrics[f"tail/p/{p}/{key}"] = records.over_seeds(found, key, title, unit)
        for key, one in self.comparisons().items():
            metrics |= one.metrics(key, f"Change of {MEASURED[key.split('/')[-1][:-1]].lower()}")
        sizes = sorted(next(iter(self.runs.values()))[0]["class_sizes"], reverse=True)
        metrics |= builders.metrics(
            "tail/",
            images=(sum(sizes), "Images of the long-tailed pool", "images"),
            largest=(sizes[0], "Images of its largest class", "images"),
            smallest=(sizes[-1], "Images of its smallest class", "images"),
            k=(self.k, "K on the long-tailed pool", "images"),
        )
        return metrics | {"tail/seeds": builders.metric(self.seeds, "Seeds of the long-tailed pool")}

    def table(self, metrics: Mapping[str, Metric]) -> Table:
        comparisons = self.comparisons()
        rows: list[dict[str, builders.Cell]] = []
        for p in self.runs:
            cells: dict[str, builders.Cell] = {"p": p}
            cells |= {key: metrics[f"tail/p/{p}/{key}"].value for key in MEASURED if key != "precision"}
            for key in COMPARED:
                if one := comparisons.get(f"tail/p/{p}/{key}_"):
                    cells |= one.numbers(f"{key}_")
            rows.append(cells)
        difference, p_value = comparing.change("Change"), builders.number("p", ".3f")
        return builders.table(
            f"Students of a teacher that selects K = {self.k:,} images per class from a long-tailed set, by "
            "the number P of classes considered per image: labels that the rare classes are given, share of "
            "them that is correct (%), and test accuracy (%) on all and on the rare classes, with the change "
            f"from the smallest P (percentage points). Means over {counted(self.seeds, 'seeds')}.",
            {
                "p": builders.integer("P"),
                "rare_labels": builders.number("Rare labels", ",.0f"),
                "rare_precision": builders.percent("Correct"),
                "test_accuracy": builders.percent("All"),
                "test_accuracy_difference": difference,
                "test_accuracy_p": p_value,
                "rare_accuracy": builders.percent("Rare"),
                "rare_accuracy_difference": difference,
                "rare_accuracy_p": p_value,
            },
            rows,
            notes=(
                "A seed decides what is labelled and which classes are rare, that is, the half with the "
                f"fewest images. {comparing.HOLM}",
            ),
        )

    def findings(self) -> dict[str, Finding]:
        comparisons = self.comparisons()
        return {
            f"tail_more_classes_{word}{suffix}": builders.statement(
                f"On the long-tailed pool some larger P gives a significantly {adjective} {what}",
                any(one.verdict == verdict for one in found.values()),
                *(f"{key}difference" for key in found),
            )
            for key, suffix, what in (
                ("test_accuracy", "", "test accuracy"),
                ("rare_accuracy", "_rare", "accuracy on the rare classes"),
            )
            for word, adjective, verdict in (("help", "higher", "more"), ("harm", "lower", "less"))
            for found in [{name: one for name, one in comparisons.items() if name.endswith(f"/{key}_")}]
        }


def _measured(run: Outcome) -> dict[str, float]:
    """Of one student, what MEASURED names."""
    sizes = run["class_sizes"]
    rare = set(sorted(range(len(sizes)), key=lambda kind: sizes[kind])[: len(sizes) // 2])
    predicted, labels = (records.class_numbers(run["predicted"][key]) for key in ("predictions", "labels"))
    of_rare = [guess == label for guess, label in zip(predicted, labels, strict=True) if label in rare]
    chosen = sum(run["class_labels"][kind] for kind in rare)
    return {
        "test_accuracy": run["test_accuracy"],
        "rare_accuracy": sum(of_rare) / len(of_rare),
        "precision": run["precision"],
        "rare_precision": sum(run["class_right"][kind] for kind in rare) / max(chosen, 1),
        "rare_labels": chosen,
    }
