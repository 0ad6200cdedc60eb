"""architecture.detector_base: the layers of the base network of the detector, as a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from analyses.architecture import _layers as layers
from analyses.architecture._convolutions import convolutions_table
from analyses.architecture._one_network import OneNetwork
from analyses.plugin import Outcome, Parameters, Summary


class DetectorBase(OneNetwork):
    id = "architecture.detector_base"
    title = "Layers of the detector's base network"
    question = "What is the base network of the detector made of, layer by layer?"
    network = "lab.networks.detector:BaseClassifier"
    words = "the base network"
    what = "The base network of the detector with a linear classifier"

    def summarize(self, parameters: Parameters, outcomes: Mapping[str, Outcome]) -> Summary:
        found = super().summarize(parameters, outcomes)
        short = convolutions_table(
            layers.from_json(outcomes["all"]["ledger"]),
            "the detector's base network and its linear classifier",
            "Batch normalisation and a ReLU follow each convolution. Each of the three stages ends in a "
            "2 × 2 max-pooling with a stride of 2.",
        )
        return replace(found, tables={**found.tables, "convolutions": short})


analysis = DetectorBase()
