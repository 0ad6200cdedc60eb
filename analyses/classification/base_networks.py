"""classification.base_networks: ConvNet, MobileNet-like and ResNet-like from 10,000 images and 2,000 steps.

The protocol of CIS 680 (2017), homework 3: CIFAR-10's training batch 1, Adam, rate 1e-3 falling
exponentially to 1e-4 over 2,000 steps of 100 images, weight decay 0.05. It leaves open how the decay is
applied and names no augmentation: every network is trained to its letter with decoupled decay and with
coupled L2, and with images mirrored and moved. Expected test accuracies with augmentation: ConvNet at least
0.66, MobileNet-like 0.55, ResNet-like 0.70.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Literal, cast

from pydantic import Field

from analyses import experiments
from analyses.experiments import Comparison, DataChoice
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results import builders
from results.schema import Chart, Finding, Metric, Series, Table
from results.text import counted

NETWORKS = {"convnet": "ConvNet", "mobilenet": "MobileNet-like", "resnet": "ResNet-like"}
AUGMENTED, LETTER, COUPLED = "augmented/", "", "coupled/"  # how cells of a kind of training begin
KINDS = {LETTER: "as assigned", COUPLED: "with coupled L2", AUGMENTED: "with augmentation"}
LABELS = {kind: words[0].upper() + words[1:] for kind, words in KINDS.items()}
PREFIXES = {LETTER: "letter/", COUPLED: "coupled/", AUGMENTED: ""}  # how their metrics begin
MARKS = {LETTER: "letter", COUPLED: "coupled", AUGMENTED: "augmented"}  # how their findings end
ORDER = ("resnet", "convnet", "mobilenet")  # in which they are compared: what was published as best is first
WITHOUT = ("batch norm", "other layers")  # kinds of layer that multiply nothing, or next to nothing

Runs = Mapping[str, Mapping[str, Sequence[Outcome]]]  # by kind of training and by network


class BaseNetworksParameters(Parameters):
    """shift: pixels by which an augmented image is moved at most. Weight decay is decoupled (AdamW) but in
    the runs with coupled L2 (Adam), and acts on weights, not on biases and batch norm.
    """

    data: DataChoice = DataChoice(train=10_000, validation=0, subset="batch 1")
    seeds: int = 3
    epochs: int = 20  # of 100 steps: 2,000
    batch: int = 100
    weight_decay: float = 0.05
    shift: int = 4
    timed_batch: int = 100
    timed_repeats: int = 20
    published: dict[str, float] = Field(  # a student's notebook, one run
        default={"convnet": 0.646, "mobilenet": 0.516, "resnet": 0.684}
    )


class BaseNetworks(Analysis[BaseNetworksParameters]):
    id = "classification.base_networks"
    title = "Three base networks from ten thousand images"
    question = "What do separable convolutions and residual blocks cost and bring, at the same small budget?"

    def parameters(self, profile: Profile) -> BaseNetworksParameters:
        if profile == "quick":
            data = experiments.QUICK.model_copy(update={"validation": 0})
            return BaseNetworksParameters(data=data, seeds=2, epochs=2, timed_repeats=3)
        return BaseNetworksParameters()

    def datasets(self, parameters: BaseNetworksParameters) -> tuple[str, ...]:
        return (parameters.data.name,)

    def check(self, parameters: BaseNetworksParameters) -> None:
        experiments.parts(parameters.data)

    def plan(self, parameters: BaseNetworksParameters) -> list[Cell]:
        timing = {"batch": parameters.timed_batch, "repeats": parameters.timed_repeats}
        trained = [
            Cell(cell.id, {**cell.settings, "timing": timing}, cell.seed)
            for kind in (LETTER, AUGMENTED, COUPLED)
            for name in NETWORKS
            for cell in experiments.cells(
                f"{kind}{name}",
                {"name": name},
                _recipe(parameters, kind),
                parameters.data,
                parameters.seeds,
                keep=True,
            )
        ]
        timed = [Cell(f"time/{name}", {"layers_of": name, "timing": timing}) for name in NETWORKS]
        return trained + timed

    def run(self, cell: Cell, context: Context) -> Outcome:
        timing = cell.settings["timing"]
        if "layers_of" in cell.settings:
            return _layer_times(cell.settings["layers_of"], timing["batch"], timing["repeats"], context)
        outcome, model, data = experiments.trained(cell, context)
        assert data.test is not None
        outcome["forward_ms"] = _forward_ms(model, data, timing["batch"], timing["repeats"])
        return outcome

    def summarize(self, parameters: BaseNetworksParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        everything = {
            kind: {name: experiments.of(outcomes, f"{kind}{name}") for name in NETWORKS} for kind in KINDS
        }
        runs: Runs = {kind: found for kind, found in everything.items() if all(found.values())}
        times = {name: outcomes[f"time/{name}"]["kinds"] for name in NETWORKS if f"time/{name}" in outcomes}
        networks = _network_pairs(runs)
        training = _training_pairs(runs)
        differences = {
            "networks": experiments.compared_classifiers(networks),
            "training": experiments.compared_classifiers(training),
            "published": experiments.compared(_published_pairs(runs, parameters)),
            "seconds": experiments.compared(_second_pairs(runs)),
        }
        words = _words(runs)
        metrics = _metrics(parameters, runs) | _time_metrics(times)
        for name, family in differences.items():
            what = "Training time (s)" if name == "seconds" else "Test accuracy"
            for key, one in family.items():
                metrics |= one.metrics(f"{key}/", f"{what}: {words[key]}")
        tables = {
            "results": _table(metrics, runs, parameters),
            "networks": experiments.classifier_comparison_table(
                "The base networks compared on the same test images.",
                {key: words[key] for key in networks},
                networks,
                differences["networks"],
            ),
            "training": experiments.classifier_comparison_table(
                "Change of test accuracy by augmentation"
                + (" and by coupled L2." if COUPLED in runs else "."),
                {key: words[key] for key in training},
                training,
                differences["training"],
            ),
            "published": _published_table(runs, words, differences["published"]),
            "recipe": experiments.recipe_table(
                {LABELS[kind]: _recipe(parameters, kind) for kind in runs},
                caption="Hyper-parameters of the base networks, by kind of training.",
            ),
        }
        if times:
            tables["time"] = _time_table(times, parameters)
        return Summary(
            metrics=metrics,
            tables=tables,
            figures={
                "accuracy": _figure(metrics, runs, parameters),
                "learning": _courses(runs[LETTER], "accuracy", KINDS[LETTER]),
                "loss": _courses(runs[LETTER], "loss", KINDS[LETTER]),
                "loss_augmented": _courses(runs[AUGMENTED], "loss", KINDS[AUGMENTED]),
            },
            findings=_findings(metrics, runs, differences)
            | {
                "no_run_diverged": experiments.none_diverged(
                    {name: one for name, one in outcomes.items() if "diverged" in one}
                )
            },
        )


def _recipe(parameters: BaseNetworksParameters, kind: str) -> dict[str, Any]:
    augmentation = {"flip": "random", "shift": parameters.shift} if kind == AUGMENTED else {}
    return {
        **({"augmentation": augmentation} if augmentation else {}),
        "epochs": parameters.epochs,
        "batch": parameters.batch,
        "optimizer": "adam" if kind == COUPLED else "adamw",
        "learning_rate": 1e-3,
        "weight_decay": parameters.weight_decay,
        "schedule": "exponential",
        "final_factor": 0.1,
    }


Pairs = dict[str, tuple[Sequence[Outcome], Sequence[Outcome]]]


def _network_pairs(runs: Runs) -> Pairs:
    """Every network with those that come after it in ORDER, at every kind of training."""
    return {
        f"{PREFIXES[kind]}{one}_over_{other}": (found[one], found[other])
        for kind, found in runs.items()
        for one, other in combinations(ORDER, 2)
    }


def _training_pairs(runs: Runs) -> Pairs:
    """Every network with augmentation, and with coupled L2, with itself to the letter."""
    return {
        f"{kind}{name}_over_letter": (found[name], runs[LETTER][name])
        for kind, found in runs.items()
        if kind != LETTER
        for name in NETWORKS
    }


def _published_pairs(
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


def _second_pairs(runs: Runs) -> dict[str, tuple[list[float], list[float]]]:
    """Training times of the separable network and of the two others, to the letter."""
    seconds = {name: [run["training_seconds"] for run in found] for name, found in runs[LETTER].items()}
    return {
        f"seconds/mobilenet_over_{other}": (seconds["mobilenet"], seconds[other])
        for other in ("convnet", "resnet")
    }


def _words(runs: Runs) -> dict[str, str]:
    """Every comparison in words, by its key."""
    words = {
        f"seconds/mobilenet_over_{other}": f"{NETWORKS['mobilenet']} − {NETWORKS[other]}, {KINDS[LETTER]}"
        for other in ("convnet", "resnet")
    }
    for kind in runs:
        how = KINDS[kind]
        for one, other in combinations(ORDER, 2):
            words[f"{PREFIXES[kind]}{one}_over_{other}"] = f"{NETWORKS[one]} − {NETWORKS[other]}, {how}"
        for name, label in NETWORKS.items():
            words[f"{kind}{name}_over_letter"] = f"{label}: {how} − as assigned"
            words[f"{PREFIXES[kind]}{name}_over_published"] = f"{label}, {how} − published"
    return words


def _metrics(parameters: BaseNetworksParameters, runs: Runs) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for name, label in NETWORKS.items():
        for kind, found in runs.items():
            how = KINDS[kind]
            metrics[f"{PREFIXES[kind]}{name}/test_accuracy"] = experiments.over_seeds(
                found[name], "test_accuracy", f"Test accuracy {how}, {label}"
            )
            metrics[f"{PREFIXES[kind]}{name}/train_accuracy"] = experiments.at_the_end(
                found[name], "train_accuracy", f"Training accuracy {how} in the last epoch, {label}"
            )
        metrics[f"{name}/training_seconds"] = experiments.over_seeds(
            runs[LETTER][name],
            "training_seconds",
            f"Training time without augmentation, {label}",
            "seconds",
        )
        metrics[f"{name}/forward_ms"] = Metric(
            value=min(run["forward_ms"] for found in runs.values() for run in found[name]),
            title=f"Forward pass of {parameters.timed_batch} images, the shortest of all, {label}",
            unit="ms",
        )
    for key, measured, what in (
        ("forward_saving", "forward_ms", "forward pass"),
        ("training_saving", "training_seconds", "training"),
    ):
        plain, separable = (metrics[f"{name}/{measured}"].value for name in ("convnet", "mobilenet"))
        metrics[key] = Metric(
            value=plain / separable,
            title=f"Time of a {what} of the ConvNet over that of the MobileNet-like network",
        )
    budget = {
        "images": (parameters.data.train, "Training images", "images"),
        "steps": (parameters.epochs * parameters.data.train // parameters.batch, "Steps", "steps"),
        "epochs": (parameters.epochs, "Epochs", "epochs"),
        "seeds": (parameters.seeds, "Seeds", "seeds"),
        "weight_decay": (parameters.weight_decay, "Weight decay", ""),
    }
    return metrics | {
        f"training/{key}": Metric(value=value, title=title, unit=unit)
        for key, (value, title, unit) in budget.items()
    }


def _layer_times(name: str, batch: int, repeats: int, context: Context) -> Outcome:
    """Times and multiplications of the layers of a network, by their kind; its weights do not matter."""
    import torch

    from lab.layer_times import by_kind

    model = experiments.network(name, {}, 10)
    shape = (batch, *cast("tuple[int, ...]", model.input_shape))
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(context.device)
    images = images.contiguous(memory_format=torch.channels_last)
    model = model.to(context.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    kinds = by_kind(model, images, repeats)
    return {"kinds": {kind: {"ms": one.ms, "macs": one.multiplications} for kind, one in kinds.items()}}


Times = Mapping[str, Mapping[str, Mapping[str, float]]]  # by network and kind of layer


def _time_metrics(times: Times) -> dict[str, Metric]:
    metrics = {}
    for name, kinds in times.items():
        whole = sum(one["ms"] for one in kinds.values())
        rest = sum(one["ms"] for kind, one in kinds.items() if kind in WITHOUT)
        metrics[f"time/{name}/without_multiplications"] = Metric(
            value=rest / whole,
            title=f"Share of a forward pass in batch norm, activations and pooling, {NETWORKS[name]}",
            unit=experiments.FRACTION,
        )
        metrics[f"time/{name}/multiplications"] = Metric(
            value=sum(int(one["macs"]) for kind, one in kinds.items() if "convolution" in kind),
            title=f"Multiplications in the convolutions, {NETWORKS[name]}",
            unit="MACs",
        )
        metrics[f"time/{name}/ms"] = Metric(
            value=whole, title=f"Sum of the times of all layers, {NETWORKS[name]}", unit="ms"
        )
    if set(times) == set(NETWORKS):
        for key, title in (("ms", "Time of the layers"), ("multiplications", "Multiplications")):
            one, other = (metrics[f"time/{name}/{key}"].value for name in ("convnet", "mobilenet"))
            metrics[f"time/{key}_saving"] = Metric(
                value=one / other, title=f"{title} of the ConvNet ÷ those of the MobileNet-like network"
            )
    return metrics


def _findings(
    metrics: Mapping[str, Metric],
    runs: Runs,
    differences: Mapping[str, Mapping[str, Comparison]],
) -> dict[str, Finding]:
    def of_family(statement: str, family: str, verdict: str, *keys: str) -> Finding:
        return Finding(
            statement=f"{statement}, after Holm's correction within its table",
            holds=all(differences[family][key].verdict == verdict for key in keys),
            metrics=tuple(f"{key}/difference" for key in keys),
        )

    findings = {}
    for kind in runs:
        prefix, mark, how = PREFIXES[kind], MARKS[kind], LABELS[kind]
        for name, label in NETWORKS.items():
            for word, verdict, relation in (("reaches", "more", "above"), ("misses", "less", "below")):
                findings[f"{name}_{word}_published_{mark}"] = of_family(
                    f"{how}, {label} is {relation} what was published",
                    "published",
                    verdict,
                    f"{prefix}{name}_over_published",
                )
        findings[f"published_reached_{mark}"] = of_family(
            f"{how}, every network is above what was published",
            "published",
            "more",
            *(f"{prefix}{name}_over_published" for name in NETWORKS),
        )
        findings[f"residual_is_best_{mark}"] = of_family(
            f"{how}, the residual network is more accurate than either of the others",
            "networks",
            "more",
            f"{prefix}resnet_over_convnet",
            f"{prefix}resnet_over_mobilenet",
        )
        findings[f"separable_is_worst_{mark}"] = of_family(
            f"{how}, the separable network is less accurate than either of the others",
            "networks",
            "more",
            f"{prefix}convnet_over_mobilenet",
            f"{prefix}resnet_over_mobilenet",
        )
        if kind != LETTER:
            for name, label in NETWORKS.items():
                for word, verdict in (("helps", "more"), ("hurts", "less")):
                    findings[f"{name}_{mark}_{word}"] = of_family(
                        f"{how}, {label} is {verdict} accurate than as assigned",
                        "training",
                        verdict,
                        f"{kind}{name}_over_letter",
                    )
    findings["augmentation_helps_all"] = of_family(
        "Augmentation raises the test accuracy of every network",
        "training",
        "more",
        *(f"{AUGMENTED}{name}_over_letter" for name in NETWORKS),
    )
    findings["separable_is_fastest"] = of_family(
        "The network of separable convolutions trains in less time than either of the others",
        "seconds",
        "less",
        "seconds/mobilenet_over_convnet",
        "seconds/mobilenet_over_resnet",
    )
    fitted = tuple(f"letter/{name}/train_accuracy" for name in NETWORKS)
    findings["all_fit_training"] = Finding(
        statement="As assigned, every network fits at least 99% of its training images",
        holds=all(metrics[name].value >= 0.99 for name in fitted),
        metrics=fitted,
    )
    if "time/ms_saving" in metrics:
        savings = ("time/ms_saving", "time/multiplications_saving")
        findings["time_saves_less"] = Finding(
            statement="A forward pass of the separable network saves less time than multiplications",
            holds=metrics[savings[0]].value < metrics[savings[1]].value,
            metrics=savings,
        )
        shares = tuple(f"time/{name}/without_multiplications" for name in ("mobilenet", "convnet"))
        findings["rest_matters_more"] = Finding(
            statement="Layers that multiply nothing take a larger share of the separable network's time than "
            "of the ConvNet's",
            holds=metrics[shares[0]].value > metrics[shares[1]].value,
            metrics=shares,
        )
    return findings


def _forward_ms(model: Any, data: Any, batch: int, repeats: int) -> float:
    """Time of one forward pass of `batch` test images in float32: the shortest of `repeats`, as other work on
    the machine can only lengthen one.
    """
    import torch

    images = data.normalised(data.test.images[:batch])
    cuda = images.device.type == "cuda"
    times = []
    with torch.no_grad():
        for _ in range(repeats):
            started = time.perf_counter()
            model(images)
            if cuda:
                torch.cuda.synchronize()
            times.append(time.perf_counter() - started)
    return 1000 * min(times)


def _table(metrics: Mapping[str, Metric], runs: Runs, parameters: BaseNetworksParameters) -> Table:
    columns = {LETTER: "letter", COUPLED: "coupled", AUGMENTED: "accuracy"}
    rows: list[dict[str, builders.Cell]] = []
    for name, label in NETWORKS.items():
        found: dict[str, builders.Cell] = {
            columns[kind]: metrics[f"{PREFIXES[kind]}{name}/test_accuracy"] for kind in runs
        }
        first = runs[LETTER][name][0]
        rows.append(
            {
                "network": label,
                **found,
                "published": parameters.published[name],
                "train": metrics[f"letter/{name}/train_accuracy"].value,
                "parameters": first["parameters"],
                "training": metrics[f"{name}/training_seconds"].value,
                "forward": metrics[f"{name}/forward_ms"].value,
                "precision": first["history"]["precision"],
            }
        )
    seeds = counted(len(runs[LETTER]["convnet"]), "seeds")
    return builders.table(
        f"Test accuracy (%) and cost of the three base networks ({parameters.data.train:,} training images, "
        f"{parameters.epochs} epochs): as the assignment has it, with decoupled weight decay"
        + (" and with coupled L2" if COUPLED in runs else "")
        + f", and with augmentation. Means over {seeds}.",
        {
            "network": builders.text("Network"),
            **{
                columns[kind]: builders.percent(label, best="highest")
                for kind, label in (
                    (LETTER, "As assigned"),
                    (COUPLED, "Coupled L2"),
                    (AUGMENTED, "Augmented"),
                )
                if kind in runs
            },
            "published": builders.percent("Published"),
            "train": builders.percent("Train"),
            "parameters": builders.integer("Parameters"),
            "training": builders.number("Training", ".0f", "s"),
            "forward": builders.number("Forward pass", ".1f", "ms"),
            "precision": builders.text("Arithmetic"),
        },
        rows,
        notes=(
            "Training accuracy and training time are of the runs as assigned, on one CPU thread beside other "
            f"work; a forward pass is the shortest one of {parameters.timed_batch} images in float32. "
            "Published figures are of one run each.",
        ),
    )


def _published_table(runs: Runs, words: Mapping[str, str], differences: Mapping[str, Comparison]) -> Table:
    seeds = counted(len(runs[LETTER]["convnet"]), "seeds")
    return builders.table(
        f"Test accuracy of the base networks, means over {seeds}, less the published accuracy of one run.",
        {"comparison": builders.text("Compared"), **experiments.COMPARED},
        [experiments.comparison_row(one, comparison=words[key]) for key, one in differences.items()],
        notes=("p-values are adjusted by Holm's method for the comparisons of the table.",),
    )


def _time_table(times: Times, parameters: BaseNetworksParameters) -> Table:
    rows: list[dict[str, builders.Cell]] = []
    for name, kinds in times.items():
        whole = sum(one["ms"] for one in kinds.values())
        multiplied = sum(one["macs"] for one in kinds.values())
        for kind, one in sorted(kinds.items(), key=lambda item: -item[1]["ms"]):
            rows.append(
                {
                    "network": NETWORKS[name],
                    "kind": kind[0].upper() + kind[1:],
                    "macs": int(one["macs"]),
                    "macs_share": one["macs"] / multiplied,
                    "ms": one["ms"],
                    "ms_share": one["ms"] / whole,
                }
            )
    return builders.table(
        "Multiplications per image and time of a forward pass by kind of layer "
        f"({parameters.timed_batch} images in float32 on one CPU thread). Of each layer the shortest of "
        f"{counted(parameters.timed_repeats, 'passes')} counts. Other layers: activations and "
        "pooling.",
        {
            "network": builders.text("Network"),
            "kind": builders.text("Layers"),
            "macs": builders.integer("Multiplications"),
            "macs_share": builders.percent("Share"),
            "ms": builders.number("Time", ".1f", "ms"),
            "ms_share": builders.percent("Share of time"),
        },
        rows,
    )


def _figure(metrics: Mapping[str, Metric], runs: Runs, parameters: BaseNetworksParameters) -> Chart:
    values: dict[str, dict[str, builders.Number]] = {
        label: {words: metrics[f"{PREFIXES[kind]}{name}/test_accuracy"] for name, words in NETWORKS.items()}
        for kind, label in LABELS.items()
        if kind in runs
    }
    chart = builders.bars(
        "Test accuracy of the base networks by kind of training, and published accuracies (one run each).",
        values,
        builders.percent("Test accuracy"),
        x="Network",
    )
    published = Series(
        label="Published",
        x=tuple(map(float, range(len(NETWORKS)))),
        y=tuple(100 * parameters.published[name] for name in NETWORKS),
    )
    return chart.model_copy(update={"series": (*chart.series, published)})


def _courses(runs: Mapping[str, Sequence[Outcome]], what: Literal["loss", "accuracy"], how: str) -> Chart:
    quantity = {
        "loss": builders.number("Cross-entropy", ".2f", "nats"),
        "accuracy": builders.percent("Accuracy"),
    }[what]
    return builders.curves(
        f"Training and test {what} of the base networks by epoch, {how}.",
        {
            f"{NETWORKS[name]}, {label}": [one[f"{part}_{what}"] for one in experiments.histories(found)]
            for name, found in runs.items()
            for part, label in (("train", "training"), ("test", "test"))
        },
        quantity,
    )


analysis = BaseNetworks()
