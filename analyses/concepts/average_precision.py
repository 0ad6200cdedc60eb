"""concepts.average_precision: how a detector is measured, on an example that can be followed by hand.

Three images, six true boxes of two classes, ten detections. IoU of two boxes, precision and recall after each
detection, average precision by three conventions, and greedy suppression of a few candidates. Expected: the
conventions differ by a point or less, and suppression loses a true box that overlaps another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analyses.concepts._average_precision_ranking import best_first
from analyses.concepts._average_precision_settings import AveragePrecisionParameters, Square
from analyses.concepts._average_precision_summary import summary
from analyses.plugin import Analysis, Cell, Context, Outcome, Profile


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

        detections, candidates = best_first(parameters.detections), best_first(parameters.candidates)
        scores = torch.tensor([one.score for one in candidates])
        return {
            "overlaps": iou(places(detections), places(parameters.truth)).tolist(),
            "candidates": iou(places(candidates), places(candidates)).tolist(),
            "objects": iou(places(candidates), places(parameters.objects)).tolist(),
            "kept": suppress(places(candidates), scores, parameters.suppression).tolist(),
        }

    summarize = staticmethod(summary)


analysis = AveragePrecision()
