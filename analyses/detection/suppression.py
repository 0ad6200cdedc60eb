"""detection.suppression: from 36 proposals to one box, on an example image, step by step.

Anchors, objectness, proposals before and after non-maximum suppression, one intersection over union worked
out, the number of boxes that remain by threshold, and what a spatial transformer makes of a proposal. The
example is an embedded image, so that it may be printed: a photographed handwritten digit on a canvas.
Expected: one box remains at a threshold of 0.3, several at 0.9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyses.detection import _detection as detection
from analyses.detection._canvases import QUICK, CanvasChoice, CanvasExperiment, load
from analyses.detection._detection import Predicted
from analyses.detection._suppression_settings import SHOWN, SuppressionParameters
from analyses.detection._suppression_summary import summary
from analyses.pictures import png
from analyses.plugin import Cell, Context, Outcome, Profile

if TYPE_CHECKING:
    from lab.training import Images


class SuppressionExample(CanvasExperiment[SuppressionParameters]):
    id = "detection.suppression"
    title = "Non-maximum suppression on an example"
    question = "How do many overlapping proposals become one box?"

    def parameters(self, profile: Profile) -> SuppressionParameters:
        if profile == "quick":
            return SuppressionParameters(data=QUICK, epochs=3)
        return SuppressionParameters()

    def plan(self, parameters: SuppressionParameters) -> list[Cell]:
        (cell,) = detection.cells(
            "detector",
            {"name": "convnet"},
            parameters.data,
            parameters.epochs,
            1,
            {"weights": (1.0, parameters.box_weight, 1.0)},
        )
        shown = {"example": parameters.example, "training_examples": SHOWN}
        return [Cell(cell.id, cell.settings | shown, cell.seed)]

    def run(self, cell: Cell, context: Context) -> Outcome:
        """The proposals of the example, and what the head sees of it and of the next ones, as pictures."""
        import torch

        from lab.datasets import locate
        from lab.detection import crop, theta
        from lab.networks.detector import Detector
        from lab.training import precision_of

        choice: CanvasChoice = cell.settings["data"]
        if not locate(choice.name).redistributable:
            raise ValueError(
                f"pictures of {choice.name} may not be redistributed, and this result would hold some; "
                "take an embedded data set, digits or shapes"
            )
        outcome, model, data = detection.trained(cell, context)
        assert isinstance(model, Detector) and data.test is not None
        dtype = precision_of(cell.settings["recipe"], context.device, model)
        _, classes = load(choice, context.device)

        def looks(part: Images, first: int) -> tuple[Predicted, list[Outcome]]:
            """What is predicted of SHOWN images of a part, and what the head sees of each, as pictures."""
            images = part.images[first : first + SHOWN].contiguous()
            predicted = detection.predict(model, images, data, dtype)
            boxes = predicted.boxes[torch.arange(len(images)), predicted.objectness.argmax(1)]
            with torch.no_grad():
                shares = model.classify(predicted.features, boxes).softmax(1)
            seen = crop(images.float(), theta(boxes), 32).clamp(0, 255).round().to(torch.uint8)
            return predicted, [
                {
                    "png": png(images[n]),
                    "looked_at_png": png(seen[n]),
                    "truth": place,
                    "class": classes[kind],
                    "best": boxes[n].tolist(),
                    "said": classes[int(shares[n].argmax())],
                    "share": float(shares[n].max()),
                }
                for n, (kind, *place) in enumerate(part.labels[first : first + SHOWN].tolist())
            ]

        predicted, examples = looks(data.test, cell.settings["example"])
        return outcome | {
            "proposals": predicted.boxes[0].tolist(),
            "objectness": predicted.objectness[0].sigmoid().tolist(),
            "examples": examples,
            "training_examples": looks(data.train, 0)[1],
        }

    summarize = staticmethod(summary)


analysis = SuppressionExample()
