"""How fast the canvases of the detection experiments are made, and how fast they are masked.

    python -m benchmarks.canvases [--count 20000] [--json FILE]

Images of CIFAR-10, or embedded ones where there is none, are read first. What is timed, on one thread, is the
scaling and placing of each image on its canvas, and then the IoU of every canvas's box with the anchors of
its 36 cells; the same loop over boxes one at a time, without tensors, stands beside the latter.
"""

from __future__ import annotations

import time

from benchmarks.goals import Goal, options, report


def plain_mask(box: tuple[int, int, int]) -> list[int]:
    """As lab.detection.mask, of one box, in plain Python."""
    found = []
    for cell in range(36):
        row, column = 8 * (cell // 6) + 4, 8 * (cell % 6) + 4
        sides = [
            max(0.0, min(centre + box[2] / 2, anchor + 16) - max(centre - box[2] / 2, anchor - 16))
            for centre, anchor in zip(box[:2], (row, column), strict=True)
        ]
        shared = sides[0] * sides[1]
        overlap = shared / (box[2] ** 2 + 32**2 - shared)
        found.append(1 if overlap > 0.5 else 0 if overlap <= 0.1 else -1)
    return found


def measure(count: int) -> list[Goal]:
    import torch

    from analyses.detection._canvases import CanvasChoice, made_of
    from lab.datasets import MissingData, load
    from lab.detection import mask

    torch.set_num_threads(1)
    try:
        images = load("cifar10", "train", size=(32, 32), grey=False)
    except MissingData:
        images = load("shapes", "train", size=(32, 32), grey=False)
    choice = CanvasChoice(train=count, boxes="drawn")
    colour = images.images[:10_000].mean((0, 2, 3))
    started = time.perf_counter()
    canvases, labels = made_of(images, choice, "train", count, colour)
    made = time.perf_counter() - started
    boxes = torch.from_numpy(labels[:, 1:])
    started = time.perf_counter()
    masks = mask(boxes)
    masked = time.perf_counter() - started
    some = [tuple(box) for box in boxes[: count // 10].tolist()]
    started = time.perf_counter()
    plain = [plain_mask(box) for box in some]
    looped = (time.perf_counter() - started) * count / len(some)
    if masks[: len(some)].tolist() != plain:
        raise SystemExit("the masks differ from those of the plain loop")
    return [
        Goal(f"{len(canvases):,} canvases of {images.name}, s", made, at_most=10),
        Goal("their masks, s", masked),
        Goal("plain loop ÷ ours, masks", looped / masked),
    ]


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--count", type=int, default=20_000)
    chosen = parser.parse_args()
    report(measure(chosen.count), chosen.json)


if __name__ == "__main__":
    main()
