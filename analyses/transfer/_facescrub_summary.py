"""What the outcomes of the study of nine people's faces say: metrics, comparisons and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analyses import classifiers, domains, records
from analyses.comparing import Comparison
from analyses.plugin import Outcome, Summary
from analyses.transfer import _facescrub_tables as tables
from analyses.transfer import _facescrub_worked as examples
from analyses.transfer import _transfer as transfer
from analyses.transfer._facescrub_settings import FaceParameters
from analyses.transfer._facescrub_tables import best_rate, titles_of
from results import builders
from results.schema import Figure, Finding, Metric
from results.text import listing

if TYPE_CHECKING:
    from numpy.typing import NDArray

OVERFITTED = 0.05  # of a training accuracy above the validation accuracy


def summary(parameters: FaceParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    runs = {name: records.runs_named(outcomes, name) for name in parameters.perceptrons()}
    runs["finetuned"] = records.runs_named(outcomes, "finetuned")
    head = outcomes["conv4"]
    runs["conv4"] = head["runs"][best_rate(head)]
    correct = {name: transfer.share_correct(found) for name, found in runs.items()}
    pairs = _pairs(parameters)
    compared = transfer.compare(correct, pairs)
    titles = titles_of(parameters)
    metrics = _metrics(parameters, runs, head, correct)
    metrics |= transfer.comparison_metrics(compared, pairs, titles)
    first = f"mlp{parameters.hidden[0]}"
    worked = examples.worked_examples(runs["finetuned"][0])
    metrics |= examples.worked_metrics(worked)
    figures: dict[str, Figure] = {
        "curves": builders.learning_curves(
            f"Loss and accuracy by epoch of the perceptron with {parameters.hidden[0]} hidden units. "
            "Training values are running means.",
            records.histories(runs[first]),
        ),
    }
    if all("units" in runs[name][0] for name in parameters.perceptrons()):
        figures["units"] = tables.unit_pictures(
            parameters, {name: runs[name][0]["units"] for name in parameters.perceptrons()}
        )
    return Summary(
        metrics=metrics,
        tables={
            "results": tables.results_table(metrics, parameters),
            "comparisons": transfer.comparison_table(
                f"Classifiers compared on the {metrics['data/test'].value} test images.",
                compared,
                pairs,
                {name: title[:1].upper() + title[1:] for name, title in titles.items()},
            ),
            "recipe": tables.recipe_table(parameters, runs, head),
            "worked": examples.worked_table(worked),
        },
        figures=figures,
        findings=_findings(metrics, parameters, outcomes, compared, worked)
        | transfer.least_p_findings(compared, pairs),
        note=f"Weights: {head['weights']['source']} ({head['weights']['architecture']}), SHA-256 "
        f"{head['weights']['sha256']}; kept activations: {head['layer']}."
        + (f" {head['checked']}." if head.get("checked") else ""),
    )


def _pairs(parameters: FaceParameters) -> dict[str, tuple[str, str]]:
    """Each classifier with the one that it is to improve on."""
    first = f"mlp{parameters.hidden[0]}"
    others = {"conv4": first, "finetuned": "conv4", f"{first}_l2": first}
    others |= {f"mlp{hidden}": first for hidden in parameters.hidden[1:]}
    return {name: (name, other) for name, other in others.items()}


def _metrics(
    parameters: FaceParameters,
    runs: Mapping[str, Sequence[Outcome]],
    head: Outcome,
    correct: Mapping[str, NDArray[Any]],
) -> dict[str, Metric]:
    from lab.evaluation import paired_over_seeds

    first = f"mlp{parameters.hidden[0]}"
    sizes = runs[first][0]["sizes"]
    metrics = builders.metrics(
        "data/",
        classes=(len(runs[first][0]["classes"]), "People", "classes"),
        train=(sizes[0], "Training images", "images"),
        validation=(sizes[1], "Validation images", "images"),
        test=(sizes[2], "Test images", "images"),
        person=(parameters.person, "Training images of each person", "images"),
        seeds=(parameters.seeds, "Networks of each kind", "networks"),
    )
    metrics |= domains.duplicate_metrics(runs[first][0])
    metrics["conv4/width"] = builders.metric(head["width"], "Kept activations of an image")
    metrics["conv4/parameters"] = builders.metric(
        (head["width"] + 1) * len(runs[first][0]["classes"]), "Parameters of the linear layer", "parameters"
    )
    metrics |= _lowest_loss(runs[first], first)
    metrics["conv4/rate"] = builders.metric(float(best_rate(head)), "Learning rate that validation chose")
    metrics["finetuned/epochs"] = builders.metric(
        parameters.finetune_epochs, "Epochs of fine-tuning", "epochs"
    )
    for name, title in titles_of(parameters).items():
        metrics[f"{name}/test_accuracy"] = transfer.accuracy(correct[name], title)
        metrics |= classifiers.test_metrics(name, runs[name], title)
        for part in ("train", "validation"):
            metrics[f"{name}/{part}_accuracy"] = records.over_seeds(
                runs[name],
                f"{part}_accuracy",
                f"{part.capitalize()} accuracy, {title}",
            )
    for name in parameters.perceptrons():
        metrics[f"{name}/roughness"] = records.over_seeds(
            runs[name],
            "roughness",
            f"Mean difference of neighbouring weights ÷ their deviation, {titles_of(parameters)[name]}",
            "",
        )
    smooth, rough = ([run["roughness"] for run in runs[name]] for name in (f"{first}_l2", first))
    metrics[f"{first}_l2/roughness_difference"] = builders.metric(
        paired_over_seeds(smooth, rough).difference, "Its difference with and without L2", "", over="seeds"
    )
    return metrics


def _lowest_loss(runs: Sequence[Outcome], name: str) -> dict[str, Metric]:
    """When the mean validation loss of a perceptron is lowest, and how much higher it ends."""
    loss = records.mean_curve(runs, "validation_loss")
    if not loss:
        return {}
    return {
        f"{name}/lowest_loss_epoch": builders.metric(
            loss.index(min(loss)) + 1, "Epoch of the lowest mean validation loss", "epochs"
        ),
        f"{name}/lowest_loss": builders.metric(min(loss), "Lowest mean validation loss"),
        f"{name}/last_loss": builders.metric(loss[-1], "Mean validation loss after the last epoch"),
    }


def _findings(
    metrics: Mapping[str, Metric],
    parameters: FaceParameters,
    outcomes: Mapping[str, Outcome],
    compared: Mapping[str, Comparison],
    worked: Sequence[Mapping[str, Any]],
) -> dict[str, Finding]:
    first, wide = f"mlp{parameters.hidden[0]}", f"mlp{parameters.hidden[-1]}"
    rougher = metrics[f"{first}_l2/roughness_difference"]
    reached = f"{{{first}/test_accuracy:percent}}"
    by_penalty, by_width = (f"by {{{name}/gain:points ci unit unsigned}}" for name in (f"{first}_l2", wide))
    p_penalty, p_width = (f"an adjusted p of {{{name}/p:.2g}}" for name in (f"{first}_l2", wide))
    people = [examples.person(name) for name in records.runs_named(outcomes, first)[0]["classes"]]
    return {
        "people": builders.statement(
            "Who the people are", True, yes=f"They are {listing(people)}.", no=f"They are {listing(people)}."
        ),
        "published_reached": builders.statement(
            "The perceptron on pixels reaches the published accuracy",
            metrics[f"{first}/test_accuracy"].value >= parameters.published,
            f"{first}/test_accuracy",
        ),
        "published_within": builders.statement(
            "The interval of the perceptron on pixels includes the published accuracy",
            metrics[f"{first}/test_accuracy"].includes(parameters.published),
            f"{first}/test_accuracy",
        ),
        "largest_rate_is_chosen": builders.statement(
            "The linear layer's learning rate is the largest of those tried",
            metrics["conv4/rate"].value == max(parameters.rates),
            "conv4/rate",
        ),
        "perceptron_overfits": builders.statement(
            "The perceptron on pixels names its training images better than the validation images, "
            f"by more than {OVERFITTED:g}",
            metrics[f"{first}/train_accuracy"].value
            > metrics[f"{first}/validation_accuracy"].value + OVERFITTED,
            f"{first}/train_accuracy",
            f"{first}/validation_accuracy",
        ),
        "loss_rises": builders.statement(
            "The perceptron's mean validation loss ends a tenth or more above its lowest",
            f"{first}/lowest_loss" in metrics
            and metrics[f"{first}/last_loss"].value >= 1.1 * metrics[f"{first}/lowest_loss"].value,
        ),
        "test_courses_kept": builders.statement(
            "The perceptron was measured on the test images after every epoch",
            all(bool(run["history"].get("test_accuracy")) for run in records.runs_named(outcomes, first)),
        ),
        "finetuning_overfits": builders.statement(
            "The fine-tuned network names its training images better than the validation images, by more "
            f"than {OVERFITTED:g}",
            metrics["finetuned/train_accuracy"].value
            > metrics["finetuned/validation_accuracy"].value + OVERFITTED,
            "finetuned/train_accuracy",
            "finetuned/validation_accuracy",
        ),
        "equal_epochs": builders.statement(
            "Fine-tuning has as many epochs as the linear layer",
            parameters.finetune_epochs == parameters.head_epochs,
            "finetuned/epochs",
        ),
        "features_beat_pixels": compared["conv4"].finding(
            "Features of a pretrained network are significantly more accurate than pixels",
            "conv4/gain",
            more="On faces, a linear classifier on pretrained features reaches a test accuracy of "
            f"{{conv4/test_accuracy:percent}}, significantly more than the {reached} of a perceptron on "
            "pixels.",
            less="On faces, a linear classifier on pretrained features reaches a test accuracy of "
            f"{{conv4/test_accuracy:percent}}, significantly less than the {reached} of a perceptron on "
            "pixels.",
            same="On faces, a linear classifier on pretrained features does not differ significantly from a "
            "perceptron on pixels.",
        ),
        "finetuning_over_features": compared["finetuned"].finding(
            "Fine-tuning is significantly more accurate than a linear layer on fixed features",
            "finetuned/gain",
            more="It is significantly more accurate than the linear classifier on fixed features, by "
            "{finetuned/gain:points ci unit unsigned}.",
            less="It is significantly less accurate than the linear classifier on fixed features, by "
            "{finetuned/gain:points ci unit unsigned}.",
            same="The difference from the linear classifier on fixed features, {finetuned/gain:points ci "
            "unit}, is not significant.",
        ),
        "penalty_changes": compared[f"{first}_l2"].finding(
            "The penalty raises the perceptron's test accuracy significantly",
            f"{first}_l2/gain",
            more=f"A penalty on the weights raises test accuracy significantly, {by_penalty}, with "
            f"{p_penalty}.",
            less=f"A penalty on the weights lowers test accuracy significantly, {by_penalty}, with "
            f"{p_penalty}.",
            same=f"With a penalty on the weights, test accuracy is {compared[f'{first}_l2'].direction} "
            f"{by_penalty}, but not significantly, with {p_penalty}.",
        ),
        "finetuning_beats_features": builders.statement(
            "Fine-tuning is significantly more accurate than fixed features",
            compared["finetuned"].verdict == "more",
            "finetuned/gain",
        ),
        "features_beat_finetuning": builders.statement(
            "Fixed features are significantly more accurate than fine-tuning",
            compared["finetuned"].verdict == "less",
            "finetuned/gain",
        ),
        "penalty_smooths": builders.statement(
            "With the penalty the weights of the hidden units are smoother, with an interval below zero",
            rougher.is_below(),
            f"{first}_l2/roughness_difference",
        ),
        "worked_right": examples.worked_finding(worked, right=True),
        "worked_wrong": examples.worked_finding(worked, right=False),
        "no_run_diverged": records.none_diverged(outcomes),
    } | (
        {}
        if wide == first
        else {
            "width_changes": compared[wide].finding(
                "More hidden units raise the test accuracy significantly",
                f"{wide}/gain",
                more=f"More hidden units raise test accuracy significantly, {by_width}, with {p_width}.",
                less=f"More hidden units lower test accuracy significantly, {by_width}, with {p_width}.",
                same=f"With more hidden units, test accuracy is {compared[wide].direction} {by_width}, but "
                f"not significantly, with {p_width}.",
            )
        }
    )
