"""What the outcomes of the study of photographs say: metrics and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses import classifiers, records
from analyses.classification import _photographs_tables as tables
from analyses.classification._photographs_settings import PhotographsParameters
from analyses.plugin import Outcome, Summary
from results import builders
from results.builders import FRACTION
from results.schema import Metric


def summary(parameters: PhotographsParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    runs, transfer = records.runs_named(outcomes, "scratch"), outcomes["transfer"]
    about = transfer["data"]
    metrics = _metrics(parameters, runs, transfer)
    heatmaps, pairs = classifiers.confusion_parts([transfer], f"Test images of {about['name']} by transfer.")
    gain, chance = metrics["transfer/gain"], metrics["data/chance"].value
    return Summary(
        metrics=metrics,
        tables={
            "classes": tables.class_table(about, transfer),
            "results": tables.results_table(metrics, about),
            **pairs,
        },
        figures={
            **tables.pictures(transfer),
            **heatmaps,
            "accuracy": classifiers.learning_curve(
                runs,
                "accuracy",
                f"Accuracy from scratch on {about['name']} by epoch.",
                f"the LeNet-like network on {about['name']}",
            ),
        },
        findings={
            "transfer_wins": builders.statement(
                "Transfer names more test images rightly than training from scratch, and the "
                "interval of the difference is above zero",
                gain.is_above(),
                "transfer/gain",
            ),
            "scratch_wins": builders.statement(
                "Training from scratch names more test images rightly than transfer, and the "
                "interval of the difference is below zero",
                gain.is_below(),
                "transfer/gain",
            ),
            "above_chance": builders.statement(
                "Transfer is better than always naming the most frequent class, and so is the "
                "lower end of its interval",
                (metrics["transfer/test_accuracy"].low or 0) > chance,
                "transfer/test_accuracy",
                "data/chance",
            ),
            "no_test_image_in_training": builders.statement(
                "No test image has the pixels of a training image",
                not transfer["repeated"],
                "data/repeated",
            ),
            "pictures_shown": builders.statement("Pictures of the data are shown", bool(transfer["samples"])),
            "no_run_diverged": records.none_diverged(
                {name: one for name, one in outcomes.items() if name != "transfer"}
            ),
        },
        data_notes=tuple(about["notes"]),
    )


def _metrics(
    parameters: PhotographsParameters, runs: Sequence[Outcome], transfer: Outcome
) -> dict[str, Metric]:
    import numpy as np

    from lab.evaluation import bootstrap, wilson

    about = transfer["data"]
    labels = np.array(records.class_numbers(transfer["labels"]))
    by_transfer = np.array(records.class_numbers(transfer["predictions"])) == labels
    by_scratch = np.mean(
        [np.array(records.class_numbers(run["predictions"])) == labels for run in runs], axis=0
    )
    of_classes = [sum(counts) for counts in zip(*about["counts"], strict=True)]
    metrics = builders.metrics(
        "data/",
        f" of {about['name']}",
        images=(about["images"], "Images", "images"),
        train=(about["sizes"][0], "Training images", "images"),
        validation=(about["sizes"][1], "Validation images", "images"),
        test=(about["sizes"][2], "Test images", "images"),
        smallest_class=(min(of_classes), "Images of the smallest class", "images"),
        largest_class=(max(of_classes), "Images of the largest class", "images"),
        repeated=(transfer["repeated"], "Test images that are training images too", "images"),
    )
    metrics["data/classes"] = builders.metric(len(transfer["classes"]), "Classes", "classes")
    metrics["data/chance"] = builders.metric(
        float(np.bincount(labels).max() / len(labels)),
        "Share of the most frequent class among the test images",
        FRACTION,
    )
    metrics["transfer/test_accuracy"] = builders.metric(
        wilson(int(by_transfer.sum()), len(labels)),
        "Test accuracy by transfer; interval over test images",
        FRACTION,
    )
    metrics["scratch/test_accuracy"] = builders.metric(
        bootstrap(by_scratch, np.mean),
        "Test accuracy from scratch, mean over seeds; interval over test images",
        FRACTION,
    )
    metrics |= classifiers.test_metrics("transfer", [transfer], "the transferred network")
    metrics |= classifiers.test_metrics("scratch", runs, "the network from scratch")
    metrics |= builders.metrics(
        "transfer/",
        gain=(
            bootstrap(by_transfer - by_scratch, np.mean),
            "Test accuracy by transfer less that from scratch",
            FRACTION,
        ),
        validation_accuracy=(transfer["validation_accuracy"], "Validation accuracy by transfer", FRACTION),
        penalty=(transfer["penalty"], "Strength of the penalty that validation images chose"),
        mistakes=(int((~by_transfer).sum()), "Test images that transfer names wrongly", "images"),
    )
    metrics |= builders.metrics(
        "scratch/",
        epochs=(parameters.epochs, "Epochs from scratch", "epochs"),
        seeds=(len(runs), "Seeds from scratch", "seeds"),
    )
    size = builders.metric(parameters.size, "Height and width of the images for transfer", "pixels")
    return metrics | {"transfer/size": size}
