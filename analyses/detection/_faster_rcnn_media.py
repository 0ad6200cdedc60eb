"""Canvases of the data set, which may not be passed on, and what the detector's head is shown of them."""

from __future__ import annotations

from analyses.detection._canvases import CanvasChoice, load
from results.schema import Box, Picture, Pictures

SHOWN = 3  # training, and as many test canvases


def canvases(choice: CanvasChoice) -> Pictures:
    """The first training and test canvases with their true boxes, each beside what the head is shown of it
    where the box is right.
    """
    import torch

    from analyses.pictures import shown
    from lab.detection import crop, theta

    data, classes = load(choice, "cpu")
    assert data.test is not None
    found = []
    for split, part in (("Training", data.train), ("Test", data.test)):
        images = part.images[:SHOWN].contiguous()
        boxes = part.labels[:SHOWN, 1:].float()
        seen = crop(images.float(), theta(boxes), 32).clamp(0, 255).round().to(torch.uint8)
        labels = part.labels[:SHOWN].tolist()
        for image, within, (kind, row, column, width) in zip(images, seen, labels, strict=True):
            box = Box(row=row, column=column, width=width, style="truth")
            found.append(Picture(png=shown(image), title=f"{split}: {classes[kind]}", boxes=(box,)))
            found.append(Picture(png=shown(within), title="through the transformer"))
    return Pictures(
        caption="Training and test canvases with their true boxes, each beside what the spatial transformer "
        "makes of it within the true box, which is what the head of the detector is shown.",
        alt=f"{SHOWN} training and {SHOWN} test canvases, each beside the part within its box.",
        columns=6,
        pictures=tuple(found),
        legend=(("truth", "True box"),),
    )
