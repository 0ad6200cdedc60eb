"""What the outcomes of the study of a pretrained network's last stage say: metrics and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses import classifiers, domains, feature_maps, records
from analyses.comparing import Comparison
from analyses.designs import fixed_parameters
from analyses.experiments import DataChoice
from analyses.plugin import Outcome, Summary
from analyses.transfer import _cifar10_resnet18_tables as tables
from analyses.transfer import _transfer as transfer
from analyses.transfer._cifar10_resnet18_settings import OWN, LastStageParameters, Runs
from results import builders
from results.builders import FRACTION
from results.schema import Figure, Finding, Metric


def summary(parameters: LastStageParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    runs = {name: records.runs_named(outcomes, name) for name in (*parameters.candidates(), OWN)}
    titles = tables.titles_of(parameters, runs)
    pairs = {name: (name, OWN) for name in parameters.candidates()}
    if all("predictions" in run for found in runs.values() for run in found):
        compared = transfer.compare(
            {name: transfer.share_correct(found) for name, found in runs.items()}, pairs
        )
    else:  # cells that were measured before predictions were kept
        accuracies = {name: [run["test_accuracy"] for run in found] for name, found in runs.items()}
        compared = transfer.compare(accuracies, pairs, "seeds")
    metrics = _metrics(parameters, runs, titles)
    metrics |= transfer.comparison_metrics(compared, pairs, titles)
    over_seeds = transfer.welch(
        *([run["test_accuracy"] for run in runs[name]] for name in ("pretrained", OWN))
    )
    if over_seeds is not None:
        metrics["pretrained/welch_p"] = builders.metric(
            over_seeds, f"p-value of Welch's t-test over seeds: {titles['pretrained']} and {titles[OWN]}"
        )
    metrics |= domains.duplicate_metrics(outcomes.get("duplicates", {}))
    best = runs["pretrained"]
    trained = "its last stage is" if parameters.pretrained.layer else "all of its layers are"
    figures: dict[str, Figure] = {
        "curves": builders.learning_curves(
            f"Loss and accuracy of {tables.network_of(best)} by epoch, while {trained} trained on "
            f"{parameters.data.train:,} images of {parameters.data.title}. Training values are running means "
            "over each epoch.",
            records.histories(best),
        ),
        "losses": tables.loss_curves(runs, titles),
        "courses": tables.accuracy_curves(parameters, runs, titles),
    }
    maps = best[0].get("maps")
    found_in_maps: dict[str, Finding] = {}
    if maps:
        architecture = best[0]["weights"]["architecture"]
        figures |= feature_maps.map_figures(
            maps,
            f"the trained {tables.network_of(best)}",
            parameters.image,
            architecture,
            f", reduced to {tables.pixels_of(parameters.data)} and enlarged again",
        )
        named, share = maps["said"][0]
        metrics["image/probability"] = builders.metric(
            share, f"Probability of {named} for the photograph of the figures", FRACTION
        )
        metrics |= feature_maps.map_metrics(maps, architecture)
        found_in_maps = _naming(named, share) | feature_maps.map_findings(metrics, parameters.image)
    return Summary(
        metrics=metrics,
        tables={
            "results": tables.results_table(parameters, metrics, titles, runs),
            "comparisons": transfer.comparison_table(
                f"Networks compared in test accuracy on {parameters.data.title}.", compared, pairs, titles
            ),
            "recipe": tables.recipe_table(parameters, runs, titles),
        },
        figures=figures,
        findings=_findings(metrics, runs, outcomes, compared)
        | transfer.least_p_findings(compared, pairs)
        | found_in_maps,
        note="; ".join(
            f"{name}: {run['weights']['source']} ({run['weights']['architecture']}), "
            + (f"SHA-256 {run['weights']['sha256']}" if run["weights"]["sha256"] else "trained whole")
            for name in parameters.candidates()
            for run in runs[name][:1]
        )
        + ".",
    )


PROTOCOL_IMAGES = 45_000  # of the 50,000 of CIFAR-10's training split, the others being for validation


def _metrics(
    parameters: LastStageParameters,
    runs: Runs,
    titles: Mapping[str, str],
) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for name, title in titles.items():
        metrics |= classifiers.metrics(name, runs[name], title)
        metrics[f"{name}/lowest_validation"] = records.lowest_validation(runs[name])
        if all(run["history"].get("test_loss") for run in runs[name]):
            losses = records.mean_curve(runs[name], "test_loss")
            lowest = losses.index(min(losses))
            metrics |= builders.metrics(
                f"{name}/lowest_test_",
                f" of the lowest mean test loss: {title}",
                epoch=(lowest + 1, "Epoch", "epochs"),
                loss=(losses[lowest], "Value", "nats"),
                accuracy=(
                    records.mean_curve(runs[name], "test_accuracy")[lowest],
                    "Test accuracy after the epoch",
                    FRACTION,
                ),
            )
        metrics[f"{name}/first_validation_accuracy"] = builders.metric(
            records.mean_curve(runs[name], "validation_accuracy")[0],
            f"Validation accuracy after the first epoch: {title}",
            FRACTION,
        )
        metrics[f"{name}/lowest_validation_loss"] = builders.metric(
            min(_validation_losses(runs[name])), f"Lowest mean validation loss: {title}", "nats"
        )
        metrics[f"{name}/first_train_loss"] = builders.metric(
            records.mean_curve(runs[name], "train_loss")[0],
            f"Training loss in the first epoch: {title}",
            "nats",
        )
        metrics[f"{name}/first_validation_loss"] = builders.metric(
            _validation_losses(runs[name])[0], f"Validation loss after the first epoch: {title}", "nats"
        )
    for name, candidate in parameters.candidates().items():
        metrics |= builders.metrics(
            f"{name}/",
            f": {titles[name]}",
            trained=(runs[name][0]["trained"], "Trained parameters", "parameters"),
            parameters=(runs[name][0]["parameters"], "Parameters", "parameters"),
            size=(candidate.size, "Height and width of the enlarged images", "pixels"),
            epochs=(candidate.epochs, "Epochs", "epochs"),
        )
    for part, words in (("train", "Training"), ("validation", "Validation"), ("test", "Test")):
        if size := len(runs[OWN][0]["labels"]) if part == "test" else getattr(parameters.data, part):
            metrics[f"data/{part}"] = builders.metric(size, f"{words} images", "images")
    metrics[f"{OWN}/trained"] = builders.metric(
        runs[OWN][0]["parameters"] - fixed_parameters(parameters.own_widths),
        f"Trained parameters: {titles[OWN]}",
        "parameters",
    )
    metrics[f"{OWN}/epochs"] = builders.metric(parameters.own_epochs, f"Epochs: {titles[OWN]}", "epochs")
    return metrics


def _validation_losses(runs: Sequence[Outcome]) -> Sequence[float]:
    """Their mean after each epoch."""
    return records.mean_curve(runs, "validation_loss")


def _naming(named: str, share: float) -> dict[str, Finding]:
    """What the trained network takes the photograph of the figures for."""
    kind = f"{'an' if named[:1] in tuple('aeiou') else 'a'} {named}"
    size = "more than 99.9%" if share > 0.9995 else "{image/probability:percent}"  # a softmax is never 1
    sentence = f"The trained network classifies the photograph as {kind}, with a probability of "
    return {
        "names_the_photograph": builders.statement(
            f"The photograph is classified as {kind}",
            share > 0,
            "image/probability",
            yes=f"{sentence}{size}.",
        )
    }


def _findings(
    metrics: Mapping[str, Metric],
    runs: Runs,
    outcomes: Mapping[str, Outcome],
    compared: Mapping[str, Comparison],
) -> dict[str, Finding]:
    losses = _validation_losses(runs["pretrained"])
    found = {
        "protocol_network": builders.statement(
            "The pretrained network is ResNet-18, of which the last stage was trained",
            any(
                run["weights"]["architecture"] == "resnet18"
                and run["weights"]["sha256"]
                and run["trained"] < run["parameters"]
                for name in compared
                for run in runs[name]
            ),
        ),
        "all_images": builders.statement(
            "The networks are trained on all training images of the protocol",
            metrics["data/train"].value >= PROTOCOL_IMAGES,
            "data/train",
        ),
        "pretrained_is_best": builders.statement(
            "The pretrained network is significantly more accurate than our best network",
            compared["pretrained"].verdict == "more",
            "pretrained/gain",
        ),
        "own_is_best": builders.statement(
            "Our best network is significantly more accurate than the pretrained one",
            compared["pretrained"].verdict == "less",
            "pretrained/gain",
        ),
        "test_courses_kept": builders.statement(
            "The pretrained network was measured on the test images after every epoch",
            all(bool(run["history"].get("test_loss")) for run in runs["pretrained"]),
        ),
        "test_loss_alone_rises": builders.statement(
            "From the epoch of its lowest mean test loss to the last, the pretrained network's test loss "
            "rises, and its mean test accuracy does not fall",
            "pretrained/lowest_test_loss" in metrics
            and metrics["pretrained/test_loss"].value > metrics["pretrained/lowest_test_loss"].value
            and metrics["pretrained/test_accuracy"].value >= metrics["pretrained/lowest_test_accuracy"].value,
            *(
                f"pretrained/{name}"
                for name in ("test_loss", "lowest_test_loss", "test_accuracy", "lowest_test_accuracy")
                if f"pretrained/{name}" in metrics
            ),
        ),
        "pretrained_starts_near_its_end": builders.statement(
            "After its first epoch, the validation loss of the pretrained network is at most a quarter above "
            "its lowest",
            losses[0] <= 1.25 * min(losses),
            "pretrained/first_validation_loss",
        ),
        "compared_over_images": builders.statement(
            "The networks are compared over the test images, rather than over seeds",
            compared["pretrained"].over == "test images",
            "pretrained/gain",
        ),
        "whole_split": builders.statement(
            "The networks are trained on all training images of the split",
            metrics["data/train"].value >= DataChoice().train,
            "data/train",
        ),
        "no_run_diverged": records.none_diverged(outcomes),
    }
    if "resnet18" in compared:
        size = "{resnet18/gain:points ci unit unsigned}"
        found["resnet18_over_own"] = compared["resnet18"].finding(
            "ResNet-18 without pretrained weights is significantly more accurate than our best network",
            "resnet18/gain",
            more=f"This is significantly more than design B reaches, by {size}.",
            less=f"This is significantly less than design B reaches, by {size}.",
            same="The difference from design B, {resnet18/gain:points ci unit}, is not significant.",
        )
        found["resnet18_overfits"] = builders.statement(
            "ResNet-18 names its training images better than the validation images, by more than a tenth",
            metrics["resnet18/train_accuracy"].value > metrics["resnet18/validation_accuracy"].value + 0.1,
            "resnet18/train_accuracy",
            "resnet18/validation_accuracy",
        )
    for name in ("pretrained", OWN):
        lowest, epochs = metrics[f"{name}/lowest_validation"], metrics[f"{name}/epochs"]
        found[f"{name}_loss_rises"] = builders.statement(
            f"The validation loss of {name} is lowest before its last epoch",
            lowest.value < epochs.value,
            f"{name}/lowest_validation",
            f"{name}/epochs",
        )
    return found
