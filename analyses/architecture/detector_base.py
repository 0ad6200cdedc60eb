"""architecture.detector_base: the layers of the base network of the detector, as a classifier."""

from __future__ import annotations

from analyses.architecture._one_network import OneNetwork


class DetectorBase(OneNetwork):
    id = "architecture.detector_base"
    title = "Layers of the detector's base network"
    question = "What is the base network of the detector made of, layer by layer?"
    network = "lab.networks.detector:BaseClassifier"
    words = "the base network"
    what = "The base network of the detector with a linear classifier"


analysis = DetectorBase()
