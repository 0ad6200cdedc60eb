"""concepts.average_precision: how a detector is measured, on an example that can be followed by hand.

Three images, six true boxes of two classes, ten detections. IoU of two boxes, precision and recall after each
detection, average precision by three conventions, and greedy suppression of a few candidates. Expected: the
conventions differ by a point or less, and suppression loses a true box that overlaps another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from analyses.pictures import png
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from lab import average_precision as ap
from results.schema import (
    Axis,
    Box,
    BoxStyle,
    Chart,
    Column,
    Finding,
    Metric,
    Picture,
    Pictures,
    Row,
    Series,
    Suppression,
    Table,
)
from results.text import counted

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))  # of COCO
CONVENTIONS = {"eleven": "at 11 points", "envelope": "area", "coco": "at 101 points"}
RIGHT = "correct"
FRACTION = "fraction"
PIXELS: dict[str, Any] = {"type": "number", "format": "g"}
SHARE: dict[str, Any] = {"type": "number", "format": ".1f", "unit": "%", "scale": 100}


class Square(BaseModel):
    """A square on one of the images, which count from 1: its centre and its side, in pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    image: int = Field(1, ge=1, le=12)
    kind: str = Field("cat", min_length=1)
    row: float
    column: float
    width: float = Field(gt=0)

    @property
    def place(self) -> tuple[float, float, float]:
        return self.row, self.column, self.width


class Scored(Square):
    score: float = Field(ge=0, le=1)


def _squares(*values: tuple[int, str, float, float, float]) -> tuple[Square, ...]:
    names = ("image", "kind", "row", "column", "width")
    return tuple(Square(**dict(zip(names, one, strict=True))) for one in values)


def _scored(*values: tuple[float, int, str, float, float, float]) -> tuple[Scored, ...]:
    return tuple(
        Scored(score=score, **one.model_dump())
        for (score, *_), one in zip(values, _squares(*(value[1:] for value in values)), strict=True)
    )


class AveragePrecisionParameters(Parameters):
    """shown: the class whose ranking is shown. threshold: IoU from which a detection is right. nothing: IoU
    below which a false detection is said to be of nothing, as in Hoiem et al. 2012. candidates, objects: of
    the example of suppression, on one image, with the IoU above which a candidate goes.
    """

    side: int = Field(120, ge=8, le=400)
    truth: tuple[Square, ...] = Field(
        _squares(
            (1, "cat", 40, 36, 48),
            (1, "cat", 82, 84, 48),
            (2, "cat", 44, 40, 50),
            (2, "dog", 78, 88, 44),
            (3, "cat", 46, 66, 60),
            (3, "dog", 94, 28, 36),
        ),
        min_length=1,
    )
    detections: tuple[Scored, ...] = Field(
        _scored(
            (0.95, 1, "cat", 41, 38, 46),
            (0.90, 1, "cat", 52, 33, 54),
            (0.85, 2, "cat", 72, 92, 46),
            (0.80, 2, "dog", 79, 87, 42),
            (0.70, 3, "cat", 50, 69, 56),
            (0.65, 1, "dog", 26, 92, 30),
            (0.60, 2, "cat", 48, 45, 46),
            (0.50, 3, "dog", 90, 32, 38),
            (0.45, 3, "cat", 96, 94, 30),
            (0.30, 1, "cat", 94, 96, 40),
        ),
        min_length=1,
    )
    shown: str = "cat"
    threshold: float = Field(0.5, gt=0, le=1)
    nothing: float = Field(0.1, ge=0, le=1)
    objects: tuple[Square, ...] = _squares(
        (1, "cat", 60, 34, 48), (1, "cat", 64, 78, 44), (1, "cat", 60, 88, 44)
    )
    candidates: tuple[Scored, ...] = Field(
        _scored(
            (0.95, 1, "cat", 60, 35, 48),
            (0.90, 1, "cat", 65, 77, 44),
            (0.80, 1, "cat", 63, 39, 46),
            (0.75, 1, "cat", 61, 87, 44),
            (0.60, 1, "cat", 56, 30, 52),
            (0.40, 1, "cat", 70, 73, 48),
        ),
        min_length=1,
    )
    suppression: float = Field(0.5, ge=0, le=1)

    @model_validator(mode="after")
    def of_classes_that_are_there(self) -> AveragePrecisionParameters:
        kinds = {one.kind for one in self.truth}
        for kind in (self.shown, *(one.kind for one in self.detections)):
            if kind not in kinds:
                raise ValueError(
                    f"there is no true {kind!r}, and average precision is of classes that have a true box: "
                    f"{', '.join(sorted(kinds))}"
                )
        if all(one.kind != self.shown for one in self.detections):
            raise ValueError(f"shown is {self.shown!r}, of which nothing was detected")
        return self


class AveragePrecision(Analysis[AveragePrecisionParameters]):
    id = "concepts.average_precision"
    title = "Average precision, by hand"
    question = "How is a detector measured, and how do the conventions differ?"
    analytic = True

    def parameters(self, profile: Profile) -> AveragePrecisionParameters:
        return AveragePrecisionParameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        """Overlaps by torchvision's box_iou, and what its nms leaves of the candidates."""
        import torch

        from lab.detection import iou, suppress

        parameters = AveragePrecisionParameters.model_validate(cell.settings)

        def places(squares: Sequence[Square]) -> Any:
            return torch.tensor([one.place for one in squares], dtype=torch.float32).reshape(-1, 3)

        detections, candidates = _ranked(parameters.detections), _ranked(parameters.candidates)
        scores = torch.tensor([one.score for one in candidates])
        return {
            "overlaps": iou(places(detections), places(parameters.truth)).tolist(),
            "candidates": iou(places(candidates), places(candidates)).tolist(),
            "objects": iou(places(candidates), places(parameters.objects)).tolist(),
            "kept": suppress(places(candidates), scores, parameters.suppression).tolist(),
        }

    def summarize(self, parameters: AveragePrecisionParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        (outcome,) = outcomes.values()
        kinds = sorted({one.kind for one in parameters.truth})
        ranking = _ranking(parameters, outcome["overlaps"])
        averages = {kind: _averages(parameters, outcome["overlaps"], kind) for kind in kinds}
        means = {key: sum(one[key] for one in averages.values()) / len(kinds) for key in averages[kinds[0]]}
        metrics = _example_metrics(parameters, ranking) | {
            f"{name}/{key}": Metric(value=value, title=f"{title} {said}", unit=FRACTION)
            for name, title, found in (
                *((kind, f"Average precision of {kind},", averages[kind]) for kind in kinds),
                ("mean", "Mean average precision,", means),
            )
            for key, value in found.items()
            for said in (_said(parameters, key),)
        }
        tables = {
            "worked": _worked(parameters, outcome["overlaps"]),
            "ranking": _ranking_table(parameters, ranking),
            "conventions": _conventions_table(parameters, averages, means),
        }
        figures: dict[str, Any] = {
            "overlap": _overlap_figure(parameters, outcome["overlaps"]),
            "detections": _detections_figure(parameters, outcome["overlaps"]),
            "curve": _curve(parameters, ranking),
        }
        suppressed = _suppressed(parameters, outcome)
        spread = max(means[key] for key in CONVENTIONS) - min(means[key] for key in CONVENTIONS)
        metrics["spread"] = Metric(
            value=spread, title="Largest difference of mean average precision by convention", unit=FRACTION
        )
        return Summary(
            metrics=metrics | suppressed["metrics"],
            tables=tables | {"steps": suppressed["table"]},
            figures=figures | {"suppression": suppressed["figure"]},
            findings={
                "conventions_differ": Finding(
                    statement="The conventions give different mean average precisions",
                    holds=spread > 1e-9,
                    metrics=("spread",),
                ),
                "some_are_missed": Finding(
                    statement="Some true boxes of the shown class are not found",
                    holds=metrics["found"].value < metrics["truths"].value,
                    metrics=("found", "truths"),
                ),
                "strict_is_lower": Finding(
                    statement="Over stricter thresholds the mean average precision is lower",
                    holds=means["strict"] < means["coco"],
                    metrics=("mean/strict", "mean/coco"),
                ),
            }
            | suppressed["findings"],
        )


def _ranked(squares: Sequence[Scored]) -> list[Scored]:
    """Best first; equal scores stay in their order."""
    return sorted(squares, key=lambda one: -one.score)


def _said(parameters: AveragePrecisionParameters, key: str) -> str:
    at = f"IoU {parameters.threshold:g}"
    return {
        "eleven": f"11 points, {at}",
        "envelope": f"area below the envelope, {at}",
        "coco": f"101 points, {at}",
        "plain": f"area without interpolation, {at}",
        "strict": "101 points, IoU 0.5 to 0.95",
    }[key]


def _of(
    parameters: AveragePrecisionParameters, overlaps: Sequence[Sequence[float]], kind: str
) -> tuple[list[int], list[int], list[list[float]]]:
    """Numbers of the class's detections, best first, and of its true boxes, and the IoU between them, which
    is 0 for two on different images.
    """
    ranked = _ranked(parameters.detections)
    detections = [number for number, one in enumerate(ranked) if one.kind == kind]
    truths = [number for number, one in enumerate(parameters.truth) if one.kind == kind]
    return detections, truths, [[_overlap(parameters, overlaps, d, t) for t in truths] for d in detections]


def _overlap(
    parameters: AveragePrecisionParameters, overlaps: Sequence[Sequence[float]], detection: int, truth: int
) -> float:
    same = _ranked(parameters.detections)[detection].image == parameters.truth[truth].image
    return overlaps[detection][truth] if same else 0.0


def _averages(
    parameters: AveragePrecisionParameters, overlaps: Sequence[Sequence[float]], kind: str
) -> dict[str, float]:
    """Average precision of one class by each convention; 0 where nothing of it was detected."""
    _, truths, shares = _of(parameters, overlaps, kind)

    def curve(threshold: float) -> tuple[Any, Any]:
        right = [found is not None for found in ap.matches(shares, threshold)]
        return ap.precision_and_recall(right, len(truths))

    precision, recall = curve(parameters.threshold)
    strict = [ap.mean_at(*curve(threshold), 101) for threshold in THRESHOLDS]
    return {
        "eleven": ap.mean_at(precision, recall, 11),
        "envelope": ap.area(ap.envelope(precision), recall),
        "coco": ap.mean_at(precision, recall, 101),
        "plain": ap.area(precision, recall),
        "strict": sum(strict) / len(strict),
    }


def _ranking(
    parameters: AveragePrecisionParameters, overlaps: Sequence[Sequence[float]]
) -> list[dict[str, Any]]:
    """The shown class's detections, best first: what each is, and precision and recall after it."""
    detections, truths, shares = _of(parameters, overlaps, parameters.shown)
    found = ap.matches(shares, parameters.threshold)
    right = [one is not None for one in found]
    precision, recall = ap.precision_and_recall(right, len(truths))
    falling = ap.envelope(precision)
    ranked = _ranked(parameters.detections)
    others = [number for number, one in enumerate(parameters.truth) if one.kind != parameters.shown]
    return [
        {
            "rank": place + 1,
            "image": ranked[number].image,
            "score": ranked[number].score,
            "iou": max(shares[place]),
            "verdict": _verdict(
                parameters,
                right[place],
                max(shares[place]),
                max((_overlap(parameters, overlaps, number, other) for other in others), default=0.0),
            ),
            "right": sum(right[: place + 1]),
            "precision": float(precision[place]),
            "recall": float(recall[place]),
            "envelope": float(falling[place]),
        }
        for place, number in enumerate(detections)
    ]


def _verdict(parameters: AveragePrecisionParameters, right: bool, own: float, other: float) -> str:
    """own, other: largest IoU with a true box of the class, and with one of another class."""
    if right:
        return RIGHT
    if own >= parameters.threshold:
        return "found already"
    if other >= parameters.threshold:
        return "another class"
    return "fits badly" if own >= parameters.nothing else "nothing there"


def _example_metrics(
    parameters: AveragePrecisionParameters, ranking: Sequence[Mapping[str, Any]]
) -> dict[str, Metric]:
    truths = sum(one.kind == parameters.shown for one in parameters.truth)
    counts = {
        "images": (len({one.image for one in (*parameters.truth, *parameters.detections)}), "Images"),
        "boxes": (len(parameters.truth), "True boxes"),
        "detections": (len(parameters.detections), "Detections"),
        "classes": (len({one.kind for one in parameters.truth}), "Classes"),
        "truths": (truths, f"True boxes of {parameters.shown}"),
        "shown": (len(ranking), f"Detections of {parameters.shown}"),
        "found": (ranking[-1]["right"], f"True boxes of {parameters.shown} that are found"),
    }
    return {
        **{key: Metric(value=value, title=title) for key, (value, title) in counts.items()},
        "threshold": Metric(value=parameters.threshold, title="IoU from which a detection is right"),
        "precision": Metric(
            value=ranking[-1]["precision"], title="Precision of all detections", unit=FRACTION
        ),
        "recall": Metric(value=ranking[-1]["recall"], title="Recall of all detections", unit=FRACTION),
    }


def _pairs(
    parameters: AveragePrecisionParameters, overlaps: Sequence[Sequence[float]]
) -> list[tuple[float, Scored, Square]]:
    """Detections of the shown class with the true box that each overlaps most, by their IoU."""
    detections, truths, shares = _of(parameters, overlaps, parameters.shown)
    ranked = _ranked(parameters.detections)
    pairs = []
    for number, row in zip(detections, shares, strict=True):
        best = max(range(len(truths)), key=row.__getitem__)
        pairs.append((row[best], ranked[number], parameters.truth[truths[best]]))
    return sorted(pairs, key=lambda pair: pair[0])


def _three(pairs: list[tuple[float, Scored, Square]]) -> list[tuple[float, Scored, Square]]:
    """The pair that overlaps least, the middle one and the best, of those that overlap."""
    some = [pair for pair in pairs if pair[0] > 0] or pairs
    return [some[place] for place in dict.fromkeys((0, len(some) // 2, len(some) - 1))]


def _edges(square: Square, axis: int) -> tuple[float, float]:
    return square.place[axis] - square.width / 2, square.place[axis] + square.width / 2


def _worked(parameters: AveragePrecisionParameters, overlaps: Sequence[Sequence[float]]) -> Table:
    """Intersection over union of the middle pair, line by line."""
    three = _three(_pairs(parameters, overlaps))
    _, detected, true = three[len(three) // 2]
    rows, sides = [], []
    for axis, name in ((0, "Height"), (1, "Width")):
        (low, high), (other_low, other_high) = _edges(detected, axis), _edges(true, axis)
        sides.append(max(0.0, min(high, other_high) - max(low, other_low)))
        rows.append(
            Row(
                cells={
                    "step": f"{name} of the intersection",
                    "how": f"min({high:g}, {other_high:g}) − max({low:g}, {other_low:g})",
                    "value": sides[-1],
                }
            )
        )
    shared = sides[0] * sides[1]
    union = detected.width**2 + true.width**2 - shared
    rows += [
        Row(cells={"step": "Intersection", "how": f"{sides[0]:g} · {sides[1]:g}", "value": shared}),
        Row(
            cells={
                "step": "Union",
                "how": f"{detected.width**2:,g} + {true.width**2:,g} − {shared:,g}",
                "value": union,
            }
        ),
        Row(cells={"step": "IoU", "how": f"{shared:,g} ÷ {union:,g}", "value": round(shared / union, 3)}),
    ]
    return Table(
        caption="Intersection over union (IoU) of a detection and a true box, step by step, in pixels.",
        columns=(
            Column(key="step", label="Step"),
            Column(key="how", label="How"),
            Column(key="value", label="Value", type="number", format=",.4g"),
        ),
        rows=tuple(rows),
        notes=(
            f"The detection with score {detected.score:g} on image {detected.image}. Both boxes are squares, "
            f"given by the row and column of the centre and the side: "
            f"({', '.join(f'{value:g}' for value in detected.place)}) and "
            f"({', '.join(f'{value:g}' for value in true.place)}).",
        ),
    )


def _ranking_table(parameters: AveragePrecisionParameters, ranking: Sequence[Mapping[str, Any]]) -> Table:
    whole = {"type": "integer"}
    columns = (
        Column(key="rank", label="Rank", **whole),
        Column(key="image", label="Image", **whole),
        Column(key="score", label="Score", type="number", format=".2f"),
        Column(key="iou", label="IoU", type="number", format=".2f"),
        Column(key="verdict", label="Verdict"),
        Column(key="right", label="Correct so far", **whole),
        Column(key="precision", label="Precision", **SHARE),
        Column(key="recall", label="Recall", **SHARE),
        Column(key="envelope", label="Envelope", **SHARE),
    )
    return Table(
        caption=f"Detections of the class {parameters.shown}, best first: the largest IoU with a true box "
        f"of the class, whether the detection is correct at a threshold of {parameters.threshold:g}, and "
        "precision and recall of all detections up to this one. Envelope: the highest precision at this or "
        "any higher recall.",
        columns=columns,
        rows=tuple(Row(cells=dict(one)) for one in ranking),
    )


def _conventions_table(
    parameters: AveragePrecisionParameters,
    averages: Mapping[str, Mapping[str, float]],
    means: Mapping[str, float],
) -> Table:
    at = f"{parameters.threshold:g}"
    labels = {
        "plain": f"No envelope, {at}",
        "eleven": f"11 points, {at}",
        "envelope": f"Area, {at}",
        "coco": f"101 points, {at}",
        "strict": "101 points, 0.5–0.95",
    }
    return Table(
        caption="Average precision (%) of each class of the example, and its mean over the classes, by "
        "convention and IoU threshold.",
        columns=(
            Column(key="kind", label="Class"),
            *(Column(key=key, label=label, **SHARE) for key, label in labels.items()),
        ),
        rows=(
            *(Row(cells={"kind": kind, **found}) for kind, found in averages.items()),
            Row(cells={"kind": "Mean", **means}, kind="total"),
        ),
    )


def _canvas(side: int, shaded: Sequence[Square] = ()) -> str:
    """A plain sheet with squares, which is the darker the more of them lie on each other."""
    import numpy as np

    covered = np.zeros((side, side), dtype=int)
    middles = np.arange(side) + 0.5
    for square in shaded:
        rows, columns = (
            (middles > low) & (middles < high) for low, high in (_edges(square, 0), _edges(square, 1))
        )
        covered += rows[:, None] & columns[None]
    return png((250 - 45 * covered.clip(max=4)).astype(np.uint8))


def _drawn(square: Square, style: BoxStyle, label: str = "", score: float | None = None) -> Box:
    row, column, width = square.place
    return Box(row=row, column=column, width=width, style=style, label=label, score=score)


def _overlap_figure(parameters: AveragePrecisionParameters, overlaps: Sequence[Sequence[float]]) -> Pictures:
    three = _three(_pairs(parameters, overlaps))
    words = ", ".join(f"{share:.2f}" for share, _, _ in three)
    return Pictures(
        caption="Intersection over union (IoU) of three pairs of a detection and a true box: the dark area "
        "divided by the whole shaded area.",
        alt=f"Pairs of squares with an intersection over union of {words}.",
        columns=3,
        pictures=tuple(
            Picture(
                title=f"IoU {share:.2f}",
                png=_canvas(parameters.side, (detected, true)),
                boxes=(_drawn(true, "truth"), _drawn(detected, "kept")),
            )
            for share, detected, true in three
        ),
        legend=(("truth", "True box"), ("kept", "Detection")),
    )


def _detections_figure(
    parameters: AveragePrecisionParameters, overlaps: Sequence[Sequence[float]]
) -> Pictures:
    ranked = _ranked(parameters.detections)
    right = set()
    for kind in {one.kind for one in ranked}:
        detections, _, shares = _of(parameters, overlaps, kind)
        found = ap.matches(shares, parameters.threshold)
        right |= {number for number, one in zip(detections, found, strict=True) if one is not None}
    images = sorted({one.image for one in (*parameters.truth, *ranked)})
    sheet = _canvas(parameters.side)
    pictures = []
    for image in images:
        true = [_drawn(one, "truth") for one in parameters.truth if one.image == image]
        said = [
            _drawn(one, "kept" if number in right else "suppressed", f"{one.kind} {one.score:.2f}")
            for number, one in enumerate(ranked)
            if one.image == image
        ]
        pictures.append(Picture(title=f"Image {image}", png=sheet, boxes=(*true, *said)))
    return Pictures(
        caption="The example of this section: true boxes, and detections with their class and score. "
        "Continuous boxes are correct detections.",
        alt=f"{len(images)} sheets with {len(parameters.truth)} true boxes and {len(ranked)} detections, of "
        f"which {len(right)} are right.",
        columns=3,
        pictures=tuple(pictures),
        legend=(("truth", "True box"), ("kept", "Correct"), ("suppressed", "Wrong")),
    )


def _curve(parameters: AveragePrecisionParameters, ranking: Sequence[Mapping[str, Any]]) -> Chart:
    """Precision by recall, and its envelope as steps down to the axis."""
    steps = [(0.0, ranking[0]["envelope"])]
    for one in ranking:
        if one["recall"] > steps[-1][0]:
            steps += [(steps[-1][0], one["envelope"]), (one["recall"], one["envelope"])]
    last = steps[-1][0]
    steps += [(last, 0.0), (1.0, 0.0)]
    steps = list(dict.fromkeys(steps))
    told = ", ".join(f"{one['precision']:.2f} at {one['recall']:.2f}" for one in ranking)
    return Chart(
        kind="line",
        caption=f"Precision against recall after each detection of the class {parameters.shown}, and the "
        "envelope, the highest precision at this or any higher recall. The area under the envelope is the "
        "average precision.",
        alt=f"Precision by recall, detection by detection: {told}. The envelope falls in steps and is zero "
        f"beyond a recall of {last:.2f}.",
        x=Axis(label="Recall", unit=FRACTION),
        y=Axis(label="Precision", unit=FRACTION),
        series=(
            Series(
                label="After each detection",
                x=tuple(one["recall"] for one in ranking),
                y=tuple(one["precision"] for one in ranking),
            ),
            Series(label="Envelope", x=tuple(x for x, _ in steps), y=tuple(y for _, y in steps)),
        ),
    )


def _suppressed(parameters: AveragePrecisionParameters, outcome: Outcome) -> dict[str, Any]:
    """Greedy suppression, candidate after candidate, beside what torchvision's leaves."""
    ranked, overlaps = _ranked(parameters.candidates), outcome["candidates"]
    kept: list[int] = []
    rows = []
    for number, one in enumerate(ranked):
        share, rival = max(((overlaps[number][other], other) for other in kept), default=(None, None))
        stays = share is None or share <= parameters.suppression
        if stays:
            kept.append(number)
        rows.append(
            Row(
                cells={
                    "box": number + 1,
                    "score": one.score,
                    "row": one.row,
                    "column": one.column,
                    "width": one.width,
                    "iou": share,
                    "rival": None if rival is None else rival + 1,
                    "fate": "stays" if stays else f"removed by {(rival or 0) + 1}",
                }
            )
        )
    objects = outcome["objects"]

    def found(numbers: Sequence[int]) -> int:
        chosen = ap.matches([objects[number] for number in numbers], parameters.threshold)
        return sum(one is not None for one in chosen)

    before, after = found(range(len(ranked))), found(kept)
    metrics = {
        "suppression/threshold": Metric(value=parameters.suppression, title="IoU above which a box goes"),
        "suppression/candidates": Metric(value=len(ranked), title="Candidates", unit="boxes"),
        "suppression/kept": Metric(value=len(kept), title="Boxes that remain", unit="boxes"),
        "suppression/objects": Metric(value=len(parameters.objects), title="Objects of the example"),
        "suppression/found_before": Metric(value=before, title="Objects found by the candidates"),
        "suppression/found_after": Metric(value=after, title="Objects found by what remains"),
    }
    sheet = _canvas(parameters.side, parameters.objects)
    said = f"{len(ranked)} candidates, of which {len(kept)} remain at {parameters.suppression:g}"
    return {
        "metrics": metrics,
        "table": Table(
            caption="Greedy suppression of the candidates, best first: the largest IoU with a better box "
            "that stays, and what follows from it.",
            columns=(
                Column(key="box", label="Box", type="integer"),
                Column(key="score", label="Score", type="number", format=".2f"),
                Column(key="row", label="Row", **PIXELS),
                Column(key="column", label="Column", **PIXELS),
                Column(key="width", label="Side", **PIXELS),
                Column(key="iou", label="IoU", type="number", format=".3f"),
                Column(key="rival", label="With box", type="integer"),
                Column(key="fate", label="Verdict"),
            ),
            rows=tuple(rows),
        ),
        "figure": Pictures(
            caption=f"Greedy suppression of {counted(len(ranked), 'candidates')} at an IoU threshold of "
            f"{parameters.suppression:g}. Left: the true objects. Right: the candidates, numbered by "
            "their rank.",
            alt=f"A sheet with {len(parameters.objects)} objects, and one with the candidates. {said}.",
            columns=2,
            pictures=(
                Picture(
                    title="Objects",
                    png=sheet,
                    boxes=tuple(_drawn(one, "truth") for one in parameters.objects),
                ),
                Picture(
                    title="Candidates",
                    png=sheet,
                    boxes=tuple(
                        _drawn(one, "kept" if number in kept else "suppressed", str(number + 1), one.score)
                        for number, one in enumerate(ranked)
                    ),
                ),
            ),
            legend=(("truth", "Object"), ("kept", "Stays"), ("suppressed", "Removed")),
            suppression=Suppression(picture=1, threshold=parameters.suppression),
        ),
        "findings": {
            "torchvision_agrees": Finding(
                statement="torchvision's suppression leaves the same boxes",
                holds=kept == outcome["kept"],
                metrics=("suppression/kept",),
            ),
            "an_object_is_lost": Finding(
                statement="Suppression takes the only box of an object that overlaps another",
                holds=after < before,
                metrics=("suppression/found_before", "suppression/found_after"),
            ),
        },
    }


analysis = AveragePrecision()
