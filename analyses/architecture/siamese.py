"""architecture.siamese: the tutorial's Siamese network by layers, and the size of the new one's features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from analyses.architecture._one_network import OneNetwork
from analyses.plugin import Cell, Context, Outcome, Parameters, Summary
from results import builders

#: What the new network of verification.siamese reads: EfficientNet-Lite0 as far as its sixth stage.
FEATURES = ("conv_stem", "bn1", *(f"blocks.{stage}" for stage in range(6)))


class Siamese(OneNetwork):
    id = "architecture.siamese"
    title = "Layers of the tutorial's Siamese network"
    question = "What is the Siamese network made of, layer by layer?"
    libraries = ("torch", "torchvision", "timm")
    network = "lab.networks.siamese:SiameseTower"
    words = "the Siamese network"
    what = "The tutorial's Siamese network"

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab import models

        pretrained = models.load("timm:tf_efficientnet_lite0")
        frozen = sum(
            parameter.numel()
            for name in FEATURES
            for parameter in pretrained.get_submodule(name).parameters()
        )
        return super().run(cell, context) | {"frozen": frozen}

    def summarize(self, parameters: Parameters, outcomes: Mapping[str, Outcome]) -> Summary:
        summary = super().summarize(parameters, outcomes)
        frozen = builders.metric(
            outcomes["all"]["frozen"],
            "Parameters of EfficientNet-Lite0 up to the sixth stage, frozen in the new network",
            "parameters",
        )
        return replace(summary, metrics={**summary.metrics, "frozen_parameters": frozen})


analysis = Siamese()
