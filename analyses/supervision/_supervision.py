"""What two experiments on labels share: a network is trained on a source whose labels or sampling are
tampered with, and judged by what its features are worth on another data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import Field

from analyses import classifiers, comparing, domains, experiments, recipe_tables, records
from analyses.comparing import Comparison
from analyses.designs import recipe_a
from analyses.domains import Domain
from analyses.experiments import DataChoice, ImageExperiment, ImageParameters
from analyses.plugin import Cell, Context, Outcome
from analyses.records import classified
from lab.recipes import Recipe
from results import builders
from results.schema import Finding, Metric, Table
from results.text import counted

if TYPE_CHECKING:
    from lab.training import Data, Order

NETWORK = "normalised lenet"  # design A of classification.cifar10_designs
PROBED = "flatten"  # its layer whose 2,048 activations the linear probe is given: behind it lie the classes
PARTS = {
    "source": "on the source",
    "probe": "by linear probe on the target",
    "finetune": "after fine-tuning on the target",
}


class SourceParameters(ImageParameters):
    """data: the source. target: what the network is transferred to. probe_rates: of the linear probe, of
    which validation images of the target choose; finetune_rate was chosen by them in single runs.
    """

    data: DataChoice = DataChoice(train=45_000, validation=0)
    target: Domain = Domain(
        name="gtsrb", split="train", test_split="test", tracks=True, images=1_000, mirror=False, size=32
    )
    epochs: int = Field(10, ge=1)
    probe_rates: tuple[float, ...] = Field((30.0, 10.0, 3.0, 1.0), min_length=1)
    probe_epochs: int = Field(100, ge=1)
    finetune_rate: float = Field(0.05, gt=0)
    finetune_epochs: int = Field(20, ge=1)
    seeds: int = Field(3, ge=2)

    def recipes(self) -> dict[str, Recipe]:
        later = Recipe(epochs=self.probe_epochs, batch=64, nesterov=False, schedule="cosine")
        return {
            "source": recipe_a(self.epochs),
            "probe": later,
            "finetune": replace(later, epochs=self.finetune_epochs, learning_rate=self.finetune_rate),
        }

    def cells(self, name: str, **settings: Any) -> list[Cell]:
        common = {
            "data": self.data,
            "target": self.target,
            "rates": list(self.probe_rates),
            "recipes": self.recipes(),
        }
        return [Cell(f"{name}/{seed}", common | settings, seed) for seed in range(self.seeds)]


SourceP = TypeVar("SourceP", bound=SourceParameters)


class SourceExperiment(ImageExperiment[SourceP]):
    """An experiment that trains on a source, and transfers to a target."""

    def datasets(self, parameters: SourceP) -> tuple[str, ...]:
        return (parameters.data.name, parameters.target.name)

    def check(self, parameters: SourceP) -> None:
        from lab.datasets.sufficiency import require_classes

        super().check(parameters)
        require_classes({"training": domains.load(parameters.target).train})


def quick() -> dict[str, Any]:
    """The choices of the quick profile."""
    return {
        "data": DataChoice(name="shapes", train=400, validation=0),
        "target": Domain(name="digits", split="train", test_split="test", images=150, mirror=False, size=32),
        "epochs": 3,
        "probe_epochs": 10,
        "finetune_epochs": 2,
        "seeds": 2,
    }


def source(cell: Cell, context: Context) -> tuple[Data, tuple[str, ...]]:
    """The source's images, to be tampered with, and the names of its classes."""
    return experiments.load(cell.settings["data"], context.device)


def transferred(
    cell: Cell, context: Context, data: Data, classes: Sequence[str], order: Order | None = None
) -> Outcome:
    """Train on the source, then judge on its test images, by a linear probe and by fine-tuning."""
    import torch

    from lab import weights
    from lab.heads import fit_heads
    from lab.training import Images, precision_of, predict

    seed, settings = cell.seed or 0, cell.settings
    recipes: dict[str, Recipe] = settings["recipes"]
    domain: Domain = settings["target"]
    parts = domains.load(domain)

    def trained(model: Any, shown: Data, name: str, **more: Any) -> Any:
        data = replace(shown, test=None)
        return experiments.fit(model, data, recipes[name], cell, context, name=name, **more)

    def tested(model: Any, shown: Data, names: Sequence[str]) -> Outcome:
        assert shown.test is not None
        return classified(predict(model, shown.test.images, shown, dtype), shown.test.labels, names)

    torch.manual_seed(seed)
    model = experiments.network(NETWORK, {}, len(classes))
    dtype = precision_of(recipes["source"], context.device, model)
    history = trained(model, data, "source", order=order)
    outcome: Outcome = {
        "history": history.as_outcome(),
        "diverged": history.outcome == "diverged",
        "sizes": {name: len(part) for name, part in parts._asdict().items()},
        "classes": len(parts.train.classes),
    }
    predicted = {"source": tested(model, data, classes)}
    network = weights.Network(
        model, NETWORK, "trained here", "", "", domain.size, 1.0, "bilinear", data.mean, data.std
    )
    model.eval()
    features = [
        weights.features(network, torch.from_numpy(part.images[:]).to(context.device), PROBED, dtype=dtype)
        for part in parts
    ]
    labels = [torch.from_numpy(part.labels) for part in parts]
    scale = features[0].norm(dim=1).mean().clamp(min=1e-6)
    heads = fit_heads(
        features[0] / scale,
        labels[0],
        outcome["classes"],
        recipes["probe"],
        settings["rates"],
        [seed],
        {"validation": (features[1] / scale, labels[1])},
    )
    reached = [curve.accuracy["validation"][-1] for curve in heads.learning_curves[0]]
    best = reached.index(max(reached))
    logits = features[2] / scale @ heads.weight[0, best].T + heads.bias[0, best]
    predicted["probe"] = classified(logits, labels[2], parts.test.classes)
    outcome["probe_rate"] = settings["rates"][best]
    train, test = (Images.of(part.images, part.labels, context.device) for part in (parts.train, parts.test))
    target = replace(data, train=train, validation=None, test=test)
    weights.with_head(model, outcome["classes"], seed)
    history = trained(model, target, "finetune")
    outcome["diverged"] |= history.outcome == "diverged"
    predicted["finetune"] = tested(model, target, parts.test.classes)
    outcome |= {part: one["test_accuracy"] for part, one in predicted.items()}
    return outcome | {"predicted": predicted}


def accuracies(prefix: str, words: str, runs: Sequence[Outcome]) -> dict[str, Metric]:
    """Mean test accuracies over seeds, and what else is reported of test images."""
    metrics: dict[str, Metric] = {}
    for part, where in PARTS.items():
        metrics[f"{prefix}/{part}_accuracy"] = records.over_seeds(
            runs, part, f"Test accuracy {where}: {words}"
        )
        predicted = [run.get("predicted", {}).get(part, {}) for run in runs]
        metrics |= classifiers.test_metrics(f"{prefix}/{part}", predicted, f"{words}, {where}")
    return metrics


def compared(rows: Mapping[str, Sequence[Outcome]], reference: Sequence[Outcome]) -> dict[str, Comparison]:
    """Test accuracies of some rows less those of the reference, by "PREFIX/PART_": one family."""
    return comparing.compared(
        {
            f"{prefix}/{part}_": ([run[part] for run in found], [run[part] for run in reference])
            for prefix, found in rows.items()
            for part in PARTS
        }
    )


def comparison_metrics(comparisons: Mapping[str, Comparison], rows: Mapping[str, str]) -> dict[str, Metric]:
    """rows: prefix of the comparisons → words."""
    metrics: dict[str, Metric] = {}
    for prefix, words in rows.items():
        for part, where in PARTS.items():
            title = f"Change of test accuracy {where}: {words}"
            metrics |= comparisons[f"{prefix}/{part}_"].metrics(f"{prefix}/{part}_", title)
    return metrics


def comparison_table(
    caption: str,
    label: str,
    rows: Mapping[str, str],
    comparisons: Mapping[str, Comparison],
    seeds: int,
    *,
    reference: str,
) -> Table:
    """Each row of the results less the reference, by what is measured. rows: prefix → words."""
    return builders.table(
        f"{caption} Differences from {reference} are in percentage points and paired by seed; intervals are "
        f"over {counted(seeds, 'seeds')}, each for one comparison alone.",
        {
            "what": builders.text(label),
            "part": builders.text("Accuracy"),
            "difference": comparing.change("Difference"),
            "p": comparing.ADJUSTED_P,
        },
        [
            {
                "what": words,
                "part": where.capitalize(),
                **comparisons[f"{prefix}/{part}_"].numbers(),
            }
            for prefix, words in rows.items()
            for part, where in PARTS.items()
        ],
        notes=(comparing.HOLM,),
    )


def recipe_table(parameters: SourceParameters) -> Table:
    """Every choice of training on the source, of the linear probe and of fine-tuning."""
    titles = {"source": "Source", "probe": "Linear probe", "finetune": "Fine-tuning"}
    rates = ", ".join(f"{rate:g}" for rate in sorted(parameters.probe_rates))
    return recipe_tables.recipe_table(
        {title: parameters.recipes()[part] for part, title in titles.items()},
        {
            "Linear probe": {
                "learning rate": f"that of {rates} with the highest validation accuracy, cosine to 0"
            }
        },
        "Hyper-parameters of training on the source, of the linear probe and of fine-tuning on the target.",
    )


def table(
    caption: str,
    label: str,
    rows: Mapping[str, str],
    metrics: Mapping[str, Metric],
    seeds: int,
    note: str = "",
) -> Table:
    """rows: prefix of the metrics → words."""
    return builders.table(
        f"{caption} Means over {counted(seeds, 'seeds')}.",
        {
            "what": builders.text(label),
            "source": builders.percent("Source"),
            "probe": builders.percent("Linear probe"),
            "finetune": builders.percent("Fine-tuned"),
        },
        [
            {"what": words} | {part: metrics[f"{prefix}/{part}_accuracy"] for part in PARTS}
            for prefix, words in rows.items()
        ],
        notes=(note,) if note else (),
    )


def difference_finding(words: str, name: str, one: Comparison, subject: str, where: str) -> Finding:
    """What a comparison by seed says, of a subject such as "Uniform sampling"; where: the accuracy that
    is meant.
    """
    number, size = f"{{{name}:points ci unit}}", f"{{{name}:points ci unit unsigned}}"
    return one.finding(
        words,
        name,
        more=f"{subject} significantly raises {where}, by {size}.",
        less=f"{subject} significantly lowers {where}, by {size}.",
        same=f"{subject} does not change {where} significantly: the difference is {number}.",
    )


def setting_metrics(parameters: SourceParameters, outcome: Outcome) -> dict[str, Metric]:
    """How much data there was."""
    return builders.metrics(
        "data/",
        source=(parameters.data.train, "Images of the source", "images"),
        target=(outcome["sizes"]["train"], "Images of the target to train with", "images"),
        target_test=(outcome["sizes"]["test"], "Test images of the target", "images"),
        target_classes=(outcome["classes"], "Classes of the target", "classes"),
        seeds=(parameters.seeds, "Seeds", ""),
    )
