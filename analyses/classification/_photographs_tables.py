"""Tables and pictures of the study of photographs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analyses import classifiers, records
from analyses.plugin import Outcome
from results import builders
from results.schema import Figure, Metric, Picture, Pictures, Table


def results_table(metrics: Mapping[str, Metric], about: Mapping[str, Any]) -> Table:
    labels = {"transfer": "Linear classifier on ImageNet features", "scratch": "LeNet-like, from scratch"}
    rows: list[dict[str, builders.Cell]] = [
        {"way": label, "test": metrics[f"{key}/test_accuracy"]} for key, label in labels.items()
    ]
    rows.append({"way": "Always the most frequent class", "test": metrics["data/chance"].value})
    return builders.table(
        f"Test accuracy on {about['name']} ({about['sizes'][2]} test images).",
        {
            "way": builders.text("Way"),
            "test": builders.percent("Test accuracy", best="highest"),
        },
        rows,
        notes=("Intervals are over the test images (Wilson's, and bootstrap for means over seeds).",),
    )


def class_table(about: Mapping[str, Any], transfer: Outcome) -> Table:
    """Images of each class in each part, and how many of its test images are named rightly."""
    labels = records.class_numbers(transfer["labels"])
    predicted = records.class_numbers(transfer["predictions"])
    right = [0] * len(transfer["classes"])
    for truth, named in zip(labels, predicted, strict=True):
        right[truth] += truth == named
    order = sorted(range(len(right)), key=lambda kind: right[kind] / max(1, about["counts"][2][kind]))
    shown = sorted(order[: classifiers.MOST_CLASSES])
    parts = ("train", "validation", "test")
    rest = len(right) - len(shown)
    return builders.table(
        f"Images of each class of {about['name']}, and test images that transfer names rightly.",
        {
            "class": builders.text("Class"),
            **{part: builders.integer(part.capitalize()) for part in parts},
            "right": builders.integer("Right"),
        },
        [
            {
                "class": transfer["classes"][kind],
                **{part: about["counts"][number][kind] for number, part in enumerate(parts)},
                "right": right[kind],
            }
            for kind in shown
        ],
        notes=(f"The {len(shown)} classes with the most mistakes; {rest} others are left out.",)
        if rest
        else (),
    )


def pictures(transfer: Outcome) -> dict[str, Figure]:
    about = transfer["data"]
    licence = f" Licence: {about['licence']}." if about["licence"] else ""
    figures: dict[str, Figure] = {}
    if transfer["samples"]:
        shown = transfer["samples"]
        first = f" (the first {len(shown)})" if len(shown) < len(transfer["classes"]) else ""
        figures["samples"] = Pictures(
            caption=f"One training image of each class of {about['name']}{first}.{licence}",
            alt=f"Images of {', '.join(one['class'] for one in shown)}.",
            pictures=tuple(Picture(title=one["class"], png=one["picture"]) for one in shown),
            columns=min(6, len(shown)),
        )
    if transfer["mistakes"]:
        shown = transfer["mistakes"]
        figures["mistakes"] = Pictures(
            caption=f"The mistakes of transfer on {about['name']} that it is surest of: what it says, with "
            "its probability, and what the test image is.",
            alt="; ".join(f"{one['truth']} taken for {one['predicted']}" for one in shown) + ".",
            pictures=tuple(
                Picture(
                    title=f"{one['predicted']} ({one['probability']:.0%}): {one['truth']}", png=one["picture"]
                )
                for one in shown
            ),
            columns=min(4, len(shown)),
        )
    if transfer.get("attributed"):
        shown = transfer["attributed"]
        figures["attributed"] = Pictures(
            caption="Test images and the pixels on which the class that transfer names rests, by guided "
            "backpropagation: white where it is most sensitive.",
            alt="; ".join(f"an image of {one['truth']} that is called {one['predicted']}" for one in shown)
            + ".",
            pictures=tuple(
                picture
                for one in shown
                for picture in (
                    Picture(title=f"{one['truth']}, called {one['predicted']}", png=one["picture"]),
                    Picture(title="Guided backpropagation", png=one["map"]),
                )
            ),
            columns=min(4, 2 * len(shown)),
        )
    return figures
