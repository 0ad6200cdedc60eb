"""What is compared of the base networks: each with each, with other training, and with what was published."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from analyses.classification._base_networks_settings import (
    AUGMENTED,
    KINDS,
    LETTER,
    NETWORKS,
    PREFIXES,
    BaseNetworksParameters,
    Runs,
)
from analyses.plugin import Outcome

SLOWER = (("resnet", "convnet"), ("resnet", "mobilenet"), ("convnet", "mobilenet"))
ORDER = ("resnet", "convnet", "mobilenet")  # in which they are compared: what was published as best is first
Pairs = dict[str, tuple[Sequence[Outcome], Sequence[Outcome]]]


def network_pairs(runs: Runs) -> Pairs:
    """Every network with those that come after it in ORDER, at every kind of training."""
    return {
        f"{PREFIXES[kind]}{one}_over_{other}": (found[one], found[other])
        for kind, found in runs.items()
        for one, other in combinations(ORDER, 2)
    }


def training_pairs(runs: Runs) -> Pairs:
    """Every network with augmentation, and with coupled L2, with itself to the letter."""
    return {
        f"{kind}{name}_over_letter": (found[name], runs[LETTER][name])
        for kind, found in runs.items()
        if kind != LETTER
        for name in NETWORKS
    }


def published_pairs(
    runs: Runs, parameters: BaseNetworksParameters
) -> dict[str, tuple[list[float], list[float]]]:
    return {
        f"{PREFIXES[kind]}{name}_over_published": (
            [run["test_accuracy"] for run in found[name]],
            [parameters.published[name]] * len(found[name]),
        )
        for kind, found in runs.items()
        for name in NETWORKS
    }


def gain_pairs(runs: Runs) -> dict[str, tuple[list[float], list[float]]]:
    """What augmentation gains the separable network and each of the others, seed by seed."""
    gains = {
        name: [
            one["test_accuracy"] - other["test_accuracy"]
            for one, other in zip(runs[AUGMENTED][name], runs[LETTER][name], strict=True)
        ]
        for name in NETWORKS
    }
    return {
        f"gain/mobilenet_over_{other}": (gains["mobilenet"], gains[other]) for other in ("convnet", "resnet")
    }


def second_pairs(runs: Runs) -> dict[str, tuple[list[float], list[float]]]:
    """Training times of every two networks, to the letter."""
    seconds = {name: [run["training_seconds"] for run in found] for name, found in runs[LETTER].items()}
    return {f"seconds/{one}_over_{other}": (seconds[one], seconds[other]) for one, other in SLOWER}


def fit_pairs(runs: Runs) -> dict[str, tuple[list[float], list[float]]]:
    """Training accuracies in the last epoch with augmentation, of the separable network and the others."""
    reached = {
        name: [run["history"]["train_accuracy"][-1] for run in found]
        for name, found in runs[AUGMENTED].items()
    }
    return {
        f"fit/mobilenet_over_{other}": (reached["mobilenet"], reached[other])
        for other in ("convnet", "resnet")
    }


def comparison_words(runs: Runs) -> dict[str, str]:
    """Every comparison in words, by its key."""
    words = {f"seconds/{one}_over_{other}": f"{NETWORKS[one]} − {NETWORKS[other]}" for one, other in SLOWER}
    for other in ("convnet", "resnet"):
        pair = f"{NETWORKS['mobilenet']} − {NETWORKS[other]}"
        words[f"gain/mobilenet_over_{other}"] = f"Gain of test accuracy by augmentation, {pair}"
        words[f"fit/mobilenet_over_{other}"] = f"Training accuracy {KINDS[AUGMENTED]}, {pair}"
    for kind in runs:
        how = KINDS[kind]
        for one, other in combinations(ORDER, 2):
            words[f"{PREFIXES[kind]}{one}_over_{other}"] = f"{NETWORKS[one]} − {NETWORKS[other]}, {how}"
        for name, label in NETWORKS.items():
            words[f"{kind}{name}_over_letter"] = f"{label}: {how} − {KINDS[LETTER]}"
            words[f"{PREFIXES[kind]}{name}_over_published"] = f"{label}, {how} − reported"
    return words
