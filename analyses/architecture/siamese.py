"""architecture.siamese: the layers of the tutorial's Siamese network."""

from __future__ import annotations

from analyses.architecture._one_network import OneNetwork


class Siamese(OneNetwork):
    id = "architecture.siamese"
    title = "Layers of the tutorial's Siamese network"
    question = "What is the Siamese network made of, layer by layer?"
    network = "lab.networks.siamese:SiameseTower"
    words = "the Siamese network"
    what = "The tutorial's Siamese network"


analysis = Siamese()
