"""detection.faster_rcnn: what is it, and where? One network proposes, looks there, and names.

After CIS 680 (2017), homework 3, part 3. Three kinds of stage, trained end to end with three losses. To
beat: test accuracies of 0.5846 (ConvNet), 0.4353 (MobileNet-like) and 0.6366 (ResNet-like), one student's
run each. Where the head looks in training is compared at the same budget; the ablation changes one choice at
a time, at a smaller budget that its table names, on held-out training canvases.
"""

from __future__ import annotations

from collections.abc import Mapping

from analyses import records
from analyses.detection import _detection as detection
from analyses.detection._canvases import QUICK, CanvasExperiment
from analyses.detection._detection import NETWORKS
from analyses.detection._faster_rcnn_media import canvases
from analyses.detection._faster_rcnn_settings import VARIANTS, Change, DetectorParameters
from analyses.detection._faster_rcnn_summary import summary
from analyses.plugin import Cell, Context, Outcome, Profile
from results.schema import Figure


class FasterRcnn(CanvasExperiment[DetectorParameters]):
    id = "detection.faster_rcnn"
    title = "Faster R-CNN with three base networks"
    question = "How well does one small network find an object and name it, and what does each part bring?"

    def parameters(self, profile: Profile) -> DetectorParameters:
        if profile == "quick":
            return DetectorParameters(
                data=QUICK,
                seeds=2,
                epochs=2,
                ablation_seeds=2,
                ablation_train=300,
                ablation_validation=200,
                ablation_epochs=2,
            )
        return DetectorParameters()

    def plan(self, parameters: DetectorParameters) -> list[Cell]:
        weights = {"weights": (1.0, parameters.box_weight, 1.0)}
        detectors = [(name, name, Change("")) for name in NETWORKS]
        detectors += [
            (f"{base}/{name}", base, change)
            for base, changes in VARIANTS.items()
            for name, change in changes.items()
        ]
        planned = [
            cell
            for name, base, change in detectors
            for cell in detection.cells(
                name,
                {"name": base, **change.network},
                parameters.data,
                parameters.epochs,
                parameters.seeds,
                weights | dict(change.objective),
            )
        ]
        small = parameters.data.model_copy(
            update={"train": parameters.ablation_train, "validation": parameters.ablation_validation}
        )
        for name, change in parameters.changes().items():
            planned += detection.cells(
                f"ablation/{name}",
                {"name": "convnet", **change.network},
                small.model_copy(update=dict(change.data)),
                parameters.ablation_epochs + change.more,
                parameters.ablation_seeds,
                weights | dict(change.objective),
                test=False,
                alone=change.alone,
            )
        return planned

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab.networks.detector import Detector
        from lab.training import precision_of

        outcome, model, data = detection.trained(cell, context)
        part = data.test if cell.settings["test"] else data.validation
        assert part is not None and isinstance(model, Detector)
        dtype = precision_of(cell.settings["recipe"], context.device, model)
        predicted = detection.predict(model, part.images, data, dtype)
        assert predicted.logits is not None
        outcome["predictions"] = records.as_text(predicted.logits.argmax(1).tolist())
        outcome["labels"] = records.as_text(part.labels[:, 0].tolist())
        if cell.settings["test"]:
            truth = part.labels[:, 1:].float().cpu()
            outcome["recall"] = detection.recall(predicted.objectness.cpu(), predicted.boxes.cpu(), truth)
            outcome["map_50"], outcome["map_50_95"] = detection.precisions(model, predicted, part.labels)
        return outcome

    summarize = staticmethod(summary)

    def media(self, parameters: DetectorParameters, outcomes: Mapping[str, Outcome]) -> Mapping[str, Figure]:
        return {"canvases": canvases(parameters.data)}


analysis = FasterRcnn()
