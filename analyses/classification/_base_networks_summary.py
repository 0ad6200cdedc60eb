"""What the outcomes of the study of base networks say: metrics, comparisons and findings."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from analyses import classifiers, comparing, recipe_tables, records
from analyses.classification import _base_networks_tables as tables
from analyses.classification._base_networks_comparisons import (
    ORDER,
    SLOWER,
    comparison_words,
    fit_pairs,
    gain_pairs,
    network_pairs,
    published_pairs,
    second_pairs,
    training_pairs,
)
from analyses.classification._base_networks_settings import (
    AUGMENTED,
    COUPLED,
    KINDS,
    LABELS,
    LETTER,
    NETWORKS,
    PREFIXES,
    SUFFIXES,
    BaseNetworksParameters,
    Runs,
    decoupled_shrinkage,
    recipe_of,
)
from analyses.classification._base_networks_times import time_metrics, time_table
from analyses.comparing import Comparison
from analyses.plugin import Outcome, Summary
from results import builders
from results.builders import FRACTION
from results.schema import Finding, Metric
from results.text import counted


def summary(parameters: BaseNetworksParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    everything = {
        kind: {name: records.runs_named(outcomes, f"{kind}{name}") for name in NETWORKS} for kind in KINDS
    }
    runs: Runs = {kind: found for kind, found in everything.items() if all(found.values())}
    times = {
        name: _in_tenths(outcomes[f"time/{name}"]["kinds"]) for name in NETWORKS if f"time/{name}" in outcomes
    }
    networks = network_pairs(runs)
    training = training_pairs(runs)
    differences = {
        "networks": comparing.compared_classifiers(networks),
        "training": comparing.compared_classifiers(training),
        "published": comparing.compared(published_pairs(runs, parameters)),
        "seconds": comparing.compared(second_pairs(runs)),
        "separable": comparing.compared(gain_pairs(runs) | fit_pairs(runs)),
    }
    words = comparison_words(runs)
    metrics = _metrics(parameters, runs) | time_metrics(times)
    for name, family in differences.items():
        what = {"seconds": "Training time: ", "separable": ""}.get(name, "Test accuracy: ")
        unit = "seconds" if name == "seconds" else FRACTION
        for key, one in family.items():
            metrics |= {
                found: metric.model_copy(update={"unit": unit}) if found.endswith("difference") else metric
                for found, metric in one.metrics(f"{key}/", f"{what}{words[key]}").items()
            }
    shown = {
        "results": tables.results_table(metrics, runs, parameters),
        "costs": tables.costs_table(metrics, runs, parameters),
        "seconds": tables.seconds_table(runs, words, differences["seconds"]),
        "networks": comparing.classifier_comparison_table(
            "The base networks compared on the same test images.",
            {key: words[key] for key in networks},
            networks,
            differences["networks"],
        ),
        "training": comparing.classifier_comparison_table(
            "Change of test accuracy by augmentation" + (" and by coupled L2." if COUPLED in runs else "."),
            {key: words[key] for key in training},
            training,
            differences["training"],
        ),
        "network_differences": tables.network_differences_table(runs, differences["networks"]),
        "training_differences": tables.training_differences_table(runs, differences["training"]),
        "separable": tables.separable_table(runs, words, differences["separable"]),
        "published": tables.published_table(runs, words, differences["published"]),
        "recipe": recipe_tables.recipe_table(
            {LABELS[kind]: recipe_of(parameters, kind) for kind in runs},
            caption="Hyper-parameters of the base networks, by kind of training.",
        ),
    }
    if times:
        shown["time"] = time_table(times, parameters)
    return Summary(
        metrics=metrics,
        tables=shown,
        figures={
            "accuracy": tables.accuracy_chart(metrics, runs, parameters),
            "learning": tables.learning_curves(
                runs[LETTER], ("accuracy", "loss"), KINDS[LETTER], parameters.data
            ),
            "learning_augmented": tables.learning_curves(
                runs[AUGMENTED], ("accuracy", "loss"), KINDS[AUGMENTED], parameters.data
            ),
        },
        findings=_findings(metrics, runs, differences)
        | {
            "no_run_diverged": records.none_diverged(
                {name: one for name, one in outcomes.items() if "diverged" in one}
            )
        },
    )


def _metrics(parameters: BaseNetworksParameters, runs: Runs) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for name, label in NETWORKS.items():
        for kind, found in runs.items():
            how = KINDS[kind]
            metrics[f"{PREFIXES[kind]}{name}/test_accuracy"] = records.over_seeds(
                found[name], "test_accuracy", f"Test accuracy {how}, {label}"
            )
            metrics |= classifiers.test_metrics(f"{PREFIXES[kind]}{name}", found[name], f"{label}, {how}")
            metrics[f"{PREFIXES[kind]}{name}/train_accuracy"] = records.at_the_end(
                found[name], "train_accuracy", f"Training accuracy {how} in the last epoch, {label}"
            )
        metrics[f"{name}/training_seconds"] = records.over_seeds(
            runs[LETTER][name],
            "training_seconds",
            f"Training time without augmentation, {label}",
            "seconds",
        )
        metrics[f"{name}/forward_ms"] = builders.metric(
            round(min(run["forward_ms"] for found in runs.values() for run in found[name]), 1),
            f"Forward pass of {parameters.timed_batch} images, the shortest of all, {label}",
            "ms",
        )
    for name, label in NETWORKS.items():
        losses = records.mean_curve(runs[LETTER][name], "test_loss")
        metrics |= builders.metrics(
            f"letter/{name}/",
            f" without augmentation, {label}",
            lowest_test_loss=(min(losses), "Lowest mean test loss", "nats"),
            last_test_loss=(losses[-1], "Mean test loss after the last epoch", "nats"),
            lowest_test_loss_epoch=(
                losses.index(min(losses)) + 1,
                "Epoch of the lowest mean test loss",
                "epochs",
            ),
        )
    for name, words in (("mobilenet", "separable"), ("resnet", "residual")):
        for key, measured, what in (
            ("forward", "forward_ms", "forward pass"),
            ("training", "training_seconds", "training"),
        ):
            one, other = (round(metrics[f"{net}/{measured}"].value, 1) for net in (name, "convnet"))
            metrics[f"{words}_{key}_cost"] = builders.metric(
                one / other,
                f"Time of a {what} of the {NETWORKS[name]} network over that of the ConvNet",
            )
    metrics["separable_forward_saving"] = builders.metric(
        metrics["convnet/forward_ms"].value / metrics["mobilenet/forward_ms"].value,
        "Time of a forward pass of the ConvNet ÷ that of the MobileNet-like network",
    )
    steps = parameters.epochs * parameters.data.train // parameters.batch
    for name, label in NETWORKS.items():
        step_ms = round(1000 * metrics[f"{name}/training_seconds"].value / steps, 1)
        forward_ms = metrics[f"{name}/forward_ms"].value / parameters.timed_batch * parameters.batch
        metrics |= builders.metrics(
            f"{name}/",
            f", {label}",
            step_ms=(step_ms, "Mean time of a training step with decoupled decay", "ms"),
            step_cost=(step_ms / forward_ms, "Time of a training step over that of a forward pass"),
        )
    metrics["training/decoupled_shrinkage"] = builders.metric(
        decoupled_shrinkage(parameters),
        "Share of a weight that decoupled decay takes off over a whole training",
        FRACTION,
    )
    return metrics | builders.metrics(
        "training/",
        images=(parameters.data.train, "Training images", "images"),
        steps=(steps, "Steps", "steps"),
        epochs=(parameters.epochs, "Epochs", "epochs"),
        seeds=(parameters.seeds, "Seeds", "seeds"),
        weight_decay=(parameters.weight_decay, "Weight decay"),
    )


def _findings(
    metrics: Mapping[str, Metric],
    runs: Runs,
    differences: Mapping[str, Mapping[str, Comparison]],
) -> dict[str, Finding]:
    def of_family(statement: str, family: str, verdict: str, *keys: str) -> Finding:
        return builders.statement(
            f"{statement}, after Holm's correction within its table",
            all(differences[family][key].verdict == verdict for key in keys),
            *(f"{key}/difference" for key in keys),
        )

    findings = {}
    for kind in runs:
        prefix, suffix, how = PREFIXES[kind], SUFFIXES[kind], LABELS[kind]
        for name, label in NETWORKS.items():
            for word, verdict, relation in (("reaches", "more", "above"), ("misses", "less", "below")):
                findings[f"{name}_{word}_published_{suffix}"] = of_family(
                    f"{how}, {label} is {relation} what was published",
                    "published",
                    verdict,
                    f"{prefix}{name}_over_published",
                )
        findings[f"published_reached_{suffix}"] = of_family(
            f"{how}, every network is above what was published",
            "published",
            "more",
            *(f"{prefix}{name}_over_published" for name in NETWORKS),
        )
        findings[f"published_undecided_{suffix}"] = of_family(
            f"{how}, no network differs significantly from what was published",
            "published",
            "undecided",
            *(f"{prefix}{name}_over_published" for name in NETWORKS),
        )
        for better, worse in combinations(ORDER, 2):
            findings[f"{better}_over_{worse}_{suffix}"] = _network_finding(
                better, worse, how, f"{prefix}{better}_over_{worse}", differences["networks"]
            )
        findings[f"residual_is_best_{suffix}"] = of_family(
            f"{how}, the residual network is more accurate than either of the others",
            "networks",
            "more",
            f"{prefix}resnet_over_convnet",
            f"{prefix}resnet_over_mobilenet",
        )
        findings[f"separable_is_worst_{suffix}"] = of_family(
            f"{how}, the separable network is less accurate than either of the others",
            "networks",
            "more",
            f"{prefix}convnet_over_mobilenet",
            f"{prefix}resnet_over_mobilenet",
        )
        if kind != LETTER:
            for name, label in NETWORKS.items():
                for word, verdict in (("helps", "more"), ("hurts", "less")):
                    findings[f"{name}_{suffix}_{word}"] = of_family(
                        f"{how}, {label} is {verdict} accurate than {KINDS[LETTER]}",
                        "training",
                        verdict,
                        f"{kind}{name}_over_letter",
                    )
    if COUPLED in runs:
        changes = {name: f"{COUPLED}{name}_over_letter" for name in NETWORKS}
        findings["coupled_changes"] = _coupled_changes(
            {name: differences["training"][change].verdict for name, change in changes.items()},
            *(f"{change}/difference" for change in changes.values()),
        )
    findings["augmentation_helps_all"] = of_family(
        "Augmentation raises the test accuracy of every network",
        "training",
        "more",
        *(f"{AUGMENTED}{name}_over_letter" for name in NETWORKS),
    )
    findings["augmentation_helps_separable_most"] = of_family(
        "Augmentation raises the accuracy of the separable network more than that of either of the others",
        "separable",
        "more",
        "gain/mobilenet_over_convnet",
        "gain/mobilenet_over_resnet",
    )
    findings["gains_undecided"] = of_family(
        "Augmentation raises the accuracy of the separable network neither significantly more nor "
        "significantly less than that of the others",
        "separable",
        "undecided",
        "gain/mobilenet_over_convnet",
        "gain/mobilenet_over_resnet",
    )
    lowest, last = (
        {name: metrics[f"letter/{name}/{key}_test_loss"].value for name in NETWORKS}
        for key in ("lowest", "last")
    )
    findings["all_overfit"] = builders.statement(
        "With decoupled decay, the mean test loss of every network is lowest after half of the epochs or "
        "sooner, and higher at the end",
        all(
            last[name] > lowest[name]
            and metrics[f"letter/{name}/lowest_test_loss_epoch"].value <= metrics["training/epochs"].value / 2
            for name in NETWORKS
        ),
        *(f"letter/{name}/{key}_test_loss" for name in NETWORKS for key in ("lowest", "last")),
    )
    findings["separable_rises_most"] = builders.statement(
        "With decoupled decay, the mean test loss of the separable network rises most from its lowest to "
        "its last",
        max(NETWORKS, key=lambda name: last[name] - lowest[name]) == "mobilenet",
        *(f"letter/{name}/{key}_test_loss" for name in NETWORKS for key in ("lowest", "last")),
    )
    findings["separable_is_fastest"] = of_family(
        "The network of separable convolutions trains in less time than either of the others",
        "seconds",
        "more",
        "seconds/convnet_over_mobilenet",
        "seconds/resnet_over_mobilenet",
    )
    findings["residual_is_slowest"] = of_family(
        "The residual network trains in more time than either of the others",
        "seconds",
        "more",
        "seconds/resnet_over_convnet",
        "seconds/resnet_over_mobilenet",
    )
    findings["convnet_is_fastest"] = builders.statement(
        "The ConvNet trains in less time than either of the others, which do not differ significantly, after "
        "Holm's correction within its table",
        [differences["seconds"][f"seconds/{one}_over_{other}"].verdict for one, other in SLOWER]
        == ["more", "undecided", "less"],
        *(f"seconds/{one}_over_{other}/difference" for one, other in SLOWER),
    )
    precisions = {name: runs[LETTER][name][0]["history"]["precision"] for name in NETWORKS}
    findings["separable_in_other_arithmetic"] = builders.statement(
        "The separable network is trained in float32, the others in bfloat16",
        precisions == {"convnet": "bfloat16", "mobilenet": "float32", "resnet": "bfloat16"},
        *(f"{name}/training_seconds" for name in NETWORKS),
    )
    findings["times_are_ordered"] = of_family(
        "Every two networks differ in training time, the residual one the slowest, the separable the fastest",
        "seconds",
        "more",
        *(f"seconds/{one}_over_{other}" for one, other in SLOWER),
    )
    findings["separable_underfits_augmented"] = of_family(
        "With augmentation, the separable network fits less of its training images than either of the others",
        "separable",
        "less",
        "fit/mobilenet_over_convnet",
        "fit/mobilenet_over_resnet",
    )
    fitted = tuple(f"letter/{name}/train_accuracy" for name in NETWORKS)
    findings["all_fit_training"] = builders.statement(
        "With decoupled decay, every network fits at least 99% of its training images",
        all(metrics[name].value >= 0.99 for name in fitted),
        *fitted,
    )
    if "time/ms_saving" in metrics:
        for finding, words, *names in (
            (
                "time_saves_less",
                "A forward pass of the separable network saves less time than multiplications",
                "time/multiplications_saving",
                "time/ms_saving",
            ),
            (
                "rest_matters_more",
                "Layers that multiply nothing take a larger share of the separable network's time than of "
                "the ConvNet's",
                "time/mobilenet/without_multiplications",
                "time/convnet/without_multiplications",
            ),
            (
                "depthwise_is_slow",
                "Depthwise convolutions take a larger share of the separable network's time than of its "
                "multiplications",
                "time/mobilenet/depthwise_ms_share",
                "time/mobilenet/depthwise_macs_share",
            ),
        ):
            larger, smaller = (metrics[name].value for name in names)
            findings[finding] = builders.statement(words, larger > smaller, *names)
        rest = [f"time/{name}/without_multiplications_ms" for name in ("convnet", "mobilenet")]
        one, other = (metrics[name].value for name in rest)
        findings["rest_takes_as_long"] = builders.statement(
            "Layers that multiply nothing take as long in the separable network as in the ConvNet, within a "
            "quarter",
            0.8 <= other / one <= 1.25,
            *rest,
        )
        share = "time/mobilenet/dense_ms_share"
        findings["dense_is_largest"] = builders.statement(
            "The ordinary convolution takes the largest share of the separable network's time",
            metrics["time/mobilenet/dense_ms"].value >= metrics["time/mobilenet/largest_ms"].value,
            share,
        )
    return findings


def _in_tenths(kinds: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """With times rounded as the table prints them, so that sums and shares follow from the printed values."""
    return {kind: {**one, "ms": round(one["ms"], 1)} for kind, one in kinds.items()}


def _network_finding(one: str, other: str, how: str, key: str, family: Mapping[str, Comparison]) -> Finding:
    first, second = (f"the {NETWORKS[name]}{' network' * (name != 'convnet')}" for name in (one, other))
    return family[key].finding(
        f"{how}, {first} is more accurate than {second}",
        f"{key}/difference",
        more=f"{how}, {first} is significantly more accurate than {second}.",
        less=f"{how}, {first} is significantly less accurate than {second}.",
        same=f"{how}, {first} and {second} do not differ significantly in accuracy.",
    )


def _coupled_changes(verdicts: Mapping[str, str], *names: str) -> Finding:
    """In one sentence, whose accuracy coupled L2 changes, and that the other changes are not significant."""
    labels = {name: f"the {NETWORKS[name]}{' network' * (name != 'convnet')}" for name in verdicts}
    said = [
        f"{verb} the accuracy of {' and '.join(chosen)}"
        for verdict, verb in (("more", "raises"), ("less", "lowers"))
        if (chosen := [labels[name] for name, found in verdicts.items() if found == verdict])
    ]
    same = sum(found == "undecided" for found in verdicts.values())
    others = {0: "", 1: "; the other change is not significant"}.get(
        same, f"; the other {counted(same, 'changes')} are not significant"
    )
    only = " only" if same == len(verdicts) - 1 else ""
    return builders.statement(
        "Coupled L2 instead of decoupled decay changes the test accuracy of some network, after Holm's "
        "correction within its table",
        bool(said),
        *names,
        yes=f"Coupled L2 significantly {' and '.join(said)}{only}{others}.",
        no="Coupled L2 changes the accuracy of no network significantly.",
    )
