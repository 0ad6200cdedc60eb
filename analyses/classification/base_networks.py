"""classification.base_networks: ConvNet, MobileNet-like and ResNet-like from 10,000 images and 2,000 steps.

The protocol of CIS 680 (2017), homework 3: CIFAR-10's training batch 1, Adam, rate 1e-3 falling
exponentially to 1e-4 over 2,000 steps of 100 images, weight decay 0.05. It leaves open how the decay is
applied and names no augmentation: every network is trained to its letter with decoupled decay and with
coupled L2, and with images mirrored and moved. Expected test accuracies with augmentation: ConvNet at least
0.66, MobileNet-like 0.55, ResNet-like 0.70.
"""

from __future__ import annotations

from analyses import experiments
from analyses.classification._base_networks_settings import (
    AUGMENTED,
    COUPLED,
    LETTER,
    NETWORKS,
    BaseNetworksParameters,
    recipe_of,
)
from analyses.classification._base_networks_summary import summary
from analyses.classification._base_networks_times import forward_ms, layer_times
from analyses.experiments import ImageExperiment
from analyses.plugin import Cell, Context, Outcome, Profile


class BaseNetworks(ImageExperiment[BaseNetworksParameters]):
    id = "classification.base_networks"
    title = "Three base networks from ten thousand images"
    question = "What do separable convolutions and residual blocks cost and bring, at the same small budget?"

    def parameters(self, profile: Profile) -> BaseNetworksParameters:
        if profile == "quick":
            data = experiments.QUICK.model_copy(update={"validation": 0})
            return BaseNetworksParameters(data=data, seeds=2, epochs=2, timed_repeats=3)
        return BaseNetworksParameters()

    def plan(self, parameters: BaseNetworksParameters) -> list[Cell]:
        timing = {"batch": parameters.timed_batch, "repeats": parameters.timed_repeats}
        trained = [
            Cell(cell.id, {**cell.settings, "timing": timing}, cell.seed)
            for kind in (LETTER, AUGMENTED, COUPLED)
            for name in NETWORKS
            for cell in experiments.cells(
                f"{kind}{name}",
                {"name": name},
                recipe_of(parameters, kind),
                parameters.data,
                parameters.seeds,
                evaluate_on_test=True,
            )
        ]
        timed = [Cell(f"time/{name}", {"layers_of": name, "timing": timing}) for name in NETWORKS]
        return trained + timed

    def run(self, cell: Cell, context: Context) -> Outcome:
        timing = cell.settings["timing"]
        if "layers_of" in cell.settings:
            return layer_times(cell.settings["layers_of"], timing["batch"], timing["repeats"], context)
        outcome, model, data = experiments.train(cell, context)
        assert data.test is not None
        outcome["forward_ms"] = forward_ms(model, data, timing["batch"], timing["repeats"])
        return outcome

    summarize = staticmethod(summary)


analysis = BaseNetworks()
