"""Greedy suppression of the candidates of the example, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from analyses.concepts._average_precision_figures import canvas, drawn
from analyses.concepts._average_precision_ranking import Overlaps, best_first
from analyses.concepts._average_precision_settings import AveragePrecisionParameters
from analyses.plugin import Outcome, Summary
from lab import average_precision as ap
from results import builders
from results.schema import Metric, Picture, Pictures, Suppression
from results.text import counted

#: Cells by column of a table.
Row = Mapping[str, builders.Cell]


def _greedy(
    parameters: AveragePrecisionParameters, overlaps: Overlaps, threshold: float
) -> tuple[list[int], list[Row]]:
    """The candidates that stay, and what becomes of each, best first."""
    kept: list[int] = []
    rows: list[Row] = []
    for number, one in enumerate(best_first(parameters.candidates)):
        share, rival = max(((overlaps[number][other], other) for other in kept), default=(None, None))
        stays = share is None or share <= threshold
        if stays:
            kept.append(number)
        rows.append(
            {
                "box": number + 1,
                "score": one.score,
                "row": one.row,
                "column": one.column,
                "width": one.width,
                "iou": share,
                "rival": None if rival is None else rival + 1,
                "fate": "stays" if stays else "removed",
            }
        )
    return kept, rows


def suppression_summary(parameters: AveragePrecisionParameters, outcome: Outcome) -> Summary:
    """Greedy suppression, candidate after candidate, beside what torchvision's leaves."""
    kept, rows = _greedy(parameters, outcome["candidates"], parameters.suppression)

    def found(numbers: Sequence[int]) -> int:
        chosen = ap.matches([outcome["objects"][number] for number in numbers], parameters.threshold)
        return sum(one is not None for one in chosen)

    before, after = found(range(len(rows))), found(kept)

    def is_best(threshold: float) -> bool:
        """It leaves a correct box of each object that the candidates find, and no other."""
        left, _ = _greedy(parameters, outcome["candidates"], threshold)
        return found(left) == len(left) == before

    return Summary(
        metrics={
            "suppression/threshold": builders.metric(parameters.suppression, "IoU above which a box goes"),
            "suppression/candidates": builders.metric(len(rows), "Candidates", "boxes"),
            "suppression/kept": builders.metric(len(kept), "Boxes that remain", "boxes"),
            "suppression/objects": builders.metric(len(parameters.objects), "Objects of the example"),
            "suppression/found_before": builders.metric(before, "Objects found by the candidates"),
            "suppression/found_after": builders.metric(after, "Objects found by what remains"),
        }
        | _best_range(outcome["candidates"], is_best),
        tables={
            "steps": builders.table(
                f"Steps of non-maximum suppression of {counted(len(rows), 'boxes')}, best first; centre and "
                "side are in pixels. IoU: the largest intersection over union with a better box that stays, "
                f"whose number is given. A box is removed if its IoU is above {parameters.suppression:g}.",
                {
                    "box": builders.integer("Box"),
                    "score": builders.number("Score", ".2f"),
                    "row": builders.number("Row", "g"),
                    "column": builders.number("Column", "g"),
                    "width": builders.number("Side", "g"),
                    "iou": builders.number("IoU", ".3f"),
                    "rival": builders.integer("With box"),
                    "fate": builders.text("Verdict"),
                },
                rows,
            )
        },
        figures={"suppression": _suppression_figure(parameters, kept)},
        findings={
            "torchvision_agrees": builders.statement(
                "torchvision's suppression leaves the same boxes", kept == outcome["kept"], "suppression/kept"
            ),
            "an_object_is_lost": builders.statement(
                "Suppression takes the only box of an object that overlaps another",
                after < before,
                "suppression/found_before",
                "suppression/found_after",
            ),
        },
    )


def _best_range(overlaps: Overlaps, is_best: Callable[[float], bool]) -> dict[str, Metric]:
    """The ends of the first range of best thresholds, if there is one; what remains changes only at an
    IoU of two candidates.
    """
    shares = [overlaps[one][other] for one in range(len(overlaps)) for other in range(one)]
    ends = sorted({0.0, 1.0, *shares})
    best = [is_best(end) for end in ends[:-1]]
    if True not in best:
        return {}
    first = best.index(True)
    last = next((at for at in range(first, len(best)) if not best[at]), len(best))
    return builders.metrics(
        "suppression/",
        best_from=(ends[first], "Lowest threshold that leaves one correct box of every object found"),
        best_until=(ends[last], "Threshold from which this no longer holds"),
    )


def _suppression_figure(parameters: AveragePrecisionParameters, kept: Sequence[int]) -> Pictures:
    sheet, candidates = canvas(parameters.side, parameters.objects), best_first(parameters.candidates)
    sentence = f"{len(candidates)} candidates, of which {len(kept)} remain at {parameters.suppression:g}"
    return Pictures(
        caption=f"Non-maximum suppression of {counted(len(candidates), 'candidate boxes')} for "
        f"{counted(len(parameters.objects), 'drawn squares')}. Left: the squares, shaded, with their true "
        "boxes. Right: the candidates, numbered from the highest score; thick solid boxes stay, and dotted "
        "ones are removed, because their intersection over union with a better box that stays exceeds "
        f"{parameters.suppression:g}.",
        alt=f"A sheet with {len(parameters.objects)} objects, and one with the candidates. {sentence}.",
        columns=2,
        pictures=(
            Picture(
                title="Objects",
                png=sheet,
                boxes=tuple(drawn(one, "truth") for one in parameters.objects),
            ),
            Picture(
                title="Candidates",
                png=sheet,
                boxes=tuple(
                    drawn(one, "kept" if number in kept else "suppressed", str(number + 1), one.score)
                    for number, one in enumerate(candidates)
                ),
            ),
        ),
        legend=(("truth", "Object"), ("kept", "Stays"), ("suppressed", "Removed")),
        suppression=Suppression(picture=1, threshold=parameters.suppression, match=parameters.threshold),
    )
