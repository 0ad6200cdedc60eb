"""verification.lfw: are two photographs of the same person? Labeled Faces in the Wild, listed pairs and all.

After a course project (JHU 520.638, homework 3): two images go through a network of ImageNet, and the
distance of their 1,000 outputs, divided by a normaliser, is the probability of two people; first the last
layer is trained, then all. By protocol AlexNet and VGG-16. The official folds of pairs share no person: some
of them are tested on, by others the learning rates are chosen, and everyone who is in none of these is
trained on. The published program leaves dropout on in both towers and lets its normaliser drift; that is
measured beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from analyses import experiments
from analyses.experiments import FRACTION
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from analyses.verification import _judging as judging
from analyses.verification import _verification as verification
from lab.verification import Pairs
from results.schema import Axis, Chart, Column, Finding, Metric, Row, Scores, Series, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lab.datasets import ImageSet

STAGES = {
    "pixels": "Raw pixels",
    "before": "Before training",
    "last": "Last layer trained",
    "flawed": "Last layer, with the published flaws",
    "all": "All layers trained",
    "scratch": "Siamese network from scratch",
}
KINDS = {"same": "Same person", "different": "Different people"}
Rate = Annotated[float, Field(gt=0)]
Which = Literal["pairs", "everyone"]
LISTED: dict[Which, str] = {"pairs": "listed pairs", "everyone": "every pair"}
BINS = 200  # of the stored histograms, at most


class LfwParameters(Parameters):
    """test_folds, validation_folds: of the official list, from 0, whose people are tested on, and chosen by.
    size: of the images, in pixels. weights, architecture: as lab.weights.load has them. pairs: drawn an epoch
    from the training people. last_rates, all_rates: that with the highest AUC on every pair of the validation
    people is taken. dropout: of the run with the published flaws. published: AUCs of a course project after
    training, on its own test people.
    """

    name: str = "lfw"
    split: str = "all"
    damaged: Literal["refuse", "skip"] = "refuse"
    test_folds: tuple[int, ...] = Field((0, 1, 2, 3, 4), min_length=1)
    validation_folds: tuple[int, ...] = Field((8, 9), min_length=1)
    size: int = Field(112, ge=32)
    weights: str = "lite0"
    architecture: str = ""
    download: bool = False
    pairs: int = Field(1_000, ge=2)
    batch: int = Field(22, ge=1)
    last_rates: tuple[Rate, ...] = Field((0.3, 0.1, 0.03), min_length=1)
    last_epochs: int = Field(100, ge=1)
    all_rates: tuple[Rate, ...] = Field((0.01, 0.003), min_length=1)
    all_epochs: int = Field(4, ge=1)
    dropout: float = Field(0.5, ge=0, lt=1)
    scratch_size: int = Field(100, ge=100, le=100)
    scratch_pairs: int = Field(370, ge=2)
    scratch_epochs: int = Field(60, ge=1)
    seeds: int = Field(3, ge=1)
    published: dict[str, dict[Which, float]] = Field(
        default={
            "alexnet": {"pairs": 0.8239, "everyone": 0.7912},
            "vgg16": {"pairs": 0.8572, "everyone": 0.8471},
        }
    )

    @model_validator(mode="after")
    def folds_are_apart(self) -> LfwParameters:
        both = sorted(set(self.test_folds) & set(self.validation_folds))
        if both:
            raise ValueError(f"fold {both[0]} is both in test_folds and in validation_folds")
        return self

    def recipe(self, stage: str, rate: float = 0.0) -> dict[str, Any]:
        """rate: of the stages that have several."""
        if stage == "scratch":
            return {
                "epochs": self.scratch_epochs,
                "batch": 128,
                "optimizer": "adam",
                "learning_rate": 5e-4,
                "precision": "float32",
            }
        return {
            "epochs": self.all_epochs if stage == "all" else self.last_epochs,
            "batch": 2 * self.batch,
            "optimizer": "sgd",
            "learning_rate": rate,
            "schedule": "cosine",
            "momentum": 0.9,
            "nesterov": False,
            "clip": 1.0,
        }


class Lfw(Analysis[LfwParameters]):
    id = "verification.lfw"
    title = "Labeled Faces in the Wild: listed pairs and every pair"
    question = "How well does a network of ImageNet tell strangers apart, before and after training on pairs?"
    libraries = ("torch", "torchvision", "timm")

    def parameters(self, profile: Profile) -> LfwParameters:
        if profile == "quick":
            return LfwParameters(
                name="faces",
                size=64,
                pairs=60,
                last_rates=(0.3, 0.1),
                last_epochs=2,
                all_rates=(0.01,),
                all_epochs=1,
                scratch_pairs=32,
                scratch_epochs=1,
                seeds=1,
            )
        return LfwParameters()

    def datasets(self, parameters: LfwParameters) -> tuple[str, ...]:
        return (parameters.name,)

    def plan(self, parameters: LfwParameters) -> list[Cell]:
        from lab.recipes import Recipe

        data, network = _data_settings(parameters), _network_settings(parameters)
        cells = [
            Cell("pixels/0", data | {"stage": "pixels"}, 0),
            Cell("before/0", data | {"stage": "before"} | network, 0),
        ]
        scratch = {
            "stage": "scratch",
            "size": parameters.scratch_size,
            "pairs": parameters.scratch_pairs,
            "recipe": Recipe.of(parameters.recipe("scratch")).as_settings(),
        }
        for seed in range(parameters.seeds):
            cells += [
                Cell(f"last/{rate:g}/{seed}", _last_settings(parameters, rate), seed)
                for rate in parameters.last_rates
            ]
            cells.append(Cell(f"scratch/{seed}", data | scratch, seed))
        return cells

    def follow(self, parameters: LfwParameters, outcomes: Mapping[str, Outcome]) -> list[Cell]:
        """With the best rate of the last layer: the flaws, and all layers."""
        from lab.recipes import Recipe

        last = _last_settings(parameters, _chosen_rate(outcomes, "last", parameters.last_rates))
        cells = []
        for seed in range(parameters.seeds):
            flawed = last | {"stage": "flawed", "dropout": parameters.dropout}
            cells.append(Cell(f"flawed/{seed}", flawed, seed))
            for rate in parameters.all_rates:
                then = Recipe.of(parameters.recipe("all", rate)).as_settings()
                cells.append(Cell(f"all/{rate:g}/{seed}", last | {"stage": "all", "then": then}, seed))
        return cells

    def run(self, cell: Cell, context: Context) -> Outcome:
        work = {"pixels": _pixels, "before": _before, "scratch": _scratch}
        divided = _divided(*_choice(cell.settings))
        points, told = work.get(cell.settings["stage"], _trained)(cell, context, divided)
        count = len(divided.validation)
        return told | _validated(points[:count], divided) | _judged(points[count:], divided)

    def summarize(self, parameters: LfwParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        rates = {
            stage: _chosen_rate(outcomes, stage, choice)
            for stage, choice in (("last", parameters.last_rates), ("all", parameters.all_rates))
        }
        runs = {
            stage: experiments.of(outcomes, f"{stage}/{rates[stage]:g}" if stage in rates else stage)
            for stage in STAGES
        }
        metrics = _metrics(parameters, runs)
        for stage, rate in rates.items():
            metrics[f"{stage}/rate"] = Metric(value=rate, title=f"Learning rate: {STAGES[stage]}")
        return Summary(
            metrics=metrics,
            tables={
                "results": _table(metrics, parameters),
                "rates": _rates_table(parameters, outcomes),
                "recipe": experiments.recipe_table(
                    {
                        STAGES[stage]: parameters.recipe(stage, rates.get(stage, 0.0))
                        for stage in ("last", "all", "scratch")
                    },
                    {
                        STAGES[stage]: {
                            "epochs": f"{parameters.recipe(stage)['epochs']} of {pairs:,} pairs drawn anew"
                        }
                        for stage, pairs in (
                            ("last", parameters.pairs),
                            ("all", parameters.pairs),
                            ("scratch", parameters.scratch_pairs),
                        )
                    },
                ),
            },
            figures={"roc": _roc_chart(runs), "distances": _distance_chart(runs["all"][0])},
            findings=_findings(metrics, parameters, outcomes),
            note=verification.weights_note(outcomes),
        )


def _data_settings(parameters: LfwParameters) -> dict[str, Any]:
    names = {"name", "split", "damaged", "test_folds", "validation_folds", "size"}
    return parameters.model_dump(mode="json", include=names)


def _network_settings(parameters: LfwParameters) -> dict[str, Any]:
    return parameters.model_dump(mode="json", include={"weights", "architecture", "download", "pairs"})


def _last_settings(parameters: LfwParameters, rate: float) -> dict[str, Any]:
    from lab.recipes import Recipe

    recipe = Recipe.of(parameters.recipe("last", rate)).as_settings()
    return _data_settings(parameters) | _network_settings(parameters) | {"stage": "last", "recipe": recipe}


def _chosen_rate(outcomes: Mapping[str, Outcome], stage: str, rates: Sequence[float]) -> float:
    """That with the highest mean AUC over seeds on every pair of the validation people."""
    return max(rates, key=lambda rate: _validation_auc(experiments.of(outcomes, f"{stage}/{rate:g}")))


def _validation_auc(runs: Sequence[Outcome]) -> float:
    return sum(run["validation"]["auc"] for run in runs) / len(runs)


class Divided(NamedTuple):
    """train, validation, test: indices of images. pairs: (M, 2) of listed test pairs, by place in `test`."""

    images: ImageSet
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    pairs: NDArray[np.int64]
    listed: int
    missing: int

    @property
    def judged(self) -> NDArray[np.int64]:
        """Validation images, then those of the test."""
        import numpy as np

        return np.concatenate([self.validation, self.test])


def _choice(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("name", "split", "damaged", "size")
    folds = ("test_folds", "validation_folds")
    return (*(settings[name] for name in names), *(tuple(settings[name]) for name in folds))


@lru_cache(maxsize=1)
def _divided(
    name: str,
    split: str,
    damaged: Literal["refuse", "skip"],
    size: int,
    test_folds: tuple[int, ...],
    validation_folds: tuple[int, ...],
) -> Divided:
    """By the official list; a set without one has its people in ten folds, and every pair of each listed."""
    import numpy as np

    from lab.datasets import DataError
    from lab.datasets import load as load_images

    images = load_images(name, split, size=(size, size), grey=False, damaged=damaged)
    folds, listed, missing = listed_pairs(name, images)
    unknown = [fold for fold in (*test_folds, *validation_folds) if not 0 <= fold < len(folds)]
    if unknown:
        raise DataError(f"pairs of {name} are in {len(folds)} folds, from 0; there is no fold {unknown[0]}")
    pairs, chosen_by = (
        np.concatenate([folds[fold] for fold in which]) for which in (test_folds, validation_folds)
    )
    for which, found in (("tested", pairs), ("validation", chosen_by)):
        if not len(found):
            raise DataError(
                f"of the pairs of {name} in the {which} folds no one has both images here; fetch the images"
            )
    tested, validated = (np.isin(images.labels, images.labels[found]) for found in (pairs, chosen_by))
    train, validation, test = map(np.flatnonzero, (~tested & ~validated, validated & ~tested, tested))
    for which, part in (("validated", validation), ("trained", train)):
        counts = np.bincount(images.labels[part])
        if np.count_nonzero(counts) < 2 or counts.max() < 2:
            raise DataError(
                f"who is {which} with in {name} makes no pairs of both kinds; choose other folds with "
                "--set test_folds=… and validation_folds=…"
            )
    return Divided(images, train, validation, test, np.searchsorted(test, pairs), listed, missing)


def listed_pairs(name: str, images: ImageSet) -> tuple[list[NDArray[np.int64]], int, int]:
    """(M, 2) images of the pairs of each fold that are here; how many are listed, how many lack an image.

    `pairs.txt` as the official View 2: folds and pairs of each kind; then, for each fold, NAME A B and
    NAME A NAME B. A set of ours without a list: ten folds of people, and all pairs within each.
    """
    import numpy as np

    from lab.datasets import DataError, locate
    from lab.verification import every

    try:
        lines = locate(name).text("pairs.txt").splitlines()
    except DataError:
        if not images.redistributable:
            raise
        parts = np.array_split(np.arange(len(images.classes)), 10)
        found = []
        for part in parts:
            own = np.flatnonzero(np.isin(images.labels, part))
            first, second = every(len(own))
            found.append(np.stack([own[first], own[second]], 1))
        return found, sum(map(len, found)), 0
    number = {file.rpartition("/")[2].rpartition(".")[0]: at for at, file in enumerate(images.files)}
    try:
        count, each = map(int, lines[0].split())
        ends = [_ends(line) for line in lines[1:] if line.strip()]
    except (ValueError, IndexError) as error:
        raise DataError(
            f"pairs.txt of {images.name} cannot be read ({error}); its first line is FOLDS PAIRS, then come "
            "NAME A B and NAME A NAME B"
        ) from None
    if not ends:
        raise DataError(f"pairs.txt of {images.name} lists no pair; fetch it again")
    folds: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    missing = 0
    for at, (first, second) in enumerate(ends):
        if first in number and second in number:
            folds[min(at // (2 * each), count - 1)].append((number[first], number[second]))
        else:
            missing += 1
    return [np.array(fold, dtype=np.int64).reshape(-1, 2) for fold in folds], len(ends), missing


def _ends(line: str) -> tuple[str, str]:
    """The two files of a line, without their endings."""
    parts = line.split("\t") if "\t" in line else line.split()
    if len(parts) not in (3, 4):
        raise ValueError(f"the line {line!r}")
    first, second = (parts[0], parts[1]), (parts[-2] if len(parts) == 4 else parts[0], parts[-1])
    return f"{first[0]}_{int(first[1]):04d}", f"{second[0]}_{int(second[1]):04d}"


def _usable(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, D), with numbers even where a run diverged."""
    import numpy as np

    return np.nan_to_num(points.reshape(len(points), -1), posinf=0.0, neginf=0.0)


def _validated(points: NDArray[np.float32], divided: Divided) -> Outcome:
    """points: (validation images, D). Of every pair: the AUC, and the threshold that parts the kinds best."""
    import numpy as np
    import torch

    from lab.pairs import every_pair

    people = divided.images.labels[divided.validation]
    histogram = every_pair(torch.from_numpy(_usable(points)), people, "euclidean")
    false, true = histogram.roc()
    threshold = float(histogram.thresholds[int(np.argmax(true - false))])
    return {"validation": {"auc": histogram.auc(), "threshold": threshold}}


def _judged(points: NDArray[np.float32], divided: Divided) -> Outcome:
    """points: (test images, D). Distances of the listed pairs, and of every pair the counts."""
    import numpy as np
    import torch

    from lab.pairs import every_pair

    people = divided.images.labels[divided.test]
    points = _usable(points)
    first, second = divided.pairs.T
    distances = np.linalg.norm(points[first] - points[second], axis=1)
    histogram = every_pair(torch.from_numpy(points), people, "euclidean")
    used = int(np.flatnonzero(histogram.same + histogram.different)[-1]) + 1
    scale = -(-used // BINS)  # fine bins to a stored one, of which the last is part of what is used
    names = np.unique(people, return_inverse=True)[1]

    def coarse(counts: NDArray[np.int64]) -> list[int]:
        padded = np.pad(counts[:used], (0, -used % scale))
        return [int(value) for value in padded.reshape(-1, scale).sum(1)]

    return {
        "distances": np.round(distances, 4).tolist(),
        "first": names[first].tolist(),
        "second": names[second].tolist(),
        "everyone": {
            "auc": histogram.auc(),
            "eer": histogram.equal_error_rate()[0],
            "pairs": sum(histogram.pairs),
            "same": coarse(histogram.same),
            "different": coarse(histogram.different),
            "largest": scale * -(-used // scale) * histogram.largest / len(histogram.same),
        },
        "counts": {
            "train_images": len(divided.train),
            "train_people": len(np.unique(divided.images.labels[divided.train])),
            "validation_people": len(np.unique(divided.images.labels[divided.validation])),
            "test_images": len(divided.test),
            "test_people": len(np.unique(people)),
            "listed": divided.listed,
            "missing": divided.missing,
        },
    }


def _pixels(cell: Cell, context: Context, divided: Divided) -> tuple[Any, Outcome]:
    import numpy as np

    return (divided.images.images[divided.judged] / 255).astype(np.float32), {"diverged": False}


def _network(settings: Mapping[str, Any]) -> Any:
    from lab import weights

    return weights.load(
        settings["weights"], settings["architecture"], size=settings["size"], download=settings["download"]
    )


def _before(cell: Cell, context: Context, divided: Divided) -> tuple[Any, Outcome]:
    """The outputs of the network as it was published."""
    import torch

    from lab import weights
    from lab.features import cached_features

    network = _network(cell.settings)
    kept = cached_features(network, divided.images.images, device=context.device)[divided.judged]
    _, last = weights.last_linear(network.model)
    with torch.no_grad():
        points = last.cpu()(kept)
    return points.numpy(), {"diverged": False, "weights": weights.describe(network)}


def _fit(cell: Cell, context: Context, model: Any, data: Any, objective: Any, recipe: Any, name: str) -> Any:
    from lab.pair_training import DrawnPairs
    from lab.training import fit

    return fit(
        model,
        data,
        recipe,
        objective,
        order=DrawnPairs(cell.settings["pairs"]),
        seed=cell.seed or 0,
        checkpoint=context.scratch / f"{name}.pt",
        report=context.report,
    )


def _trained(cell: Cell, context: Context, divided: Divided) -> tuple[Any, Outcome]:
    """The last layer on kept features; then, if it is asked for, all layers on the images."""
    import copy

    import torch
    from torch import nn

    from lab import weights
    from lab.features import cached_features
    from lab.networks.siamese import DistanceNetwork
    from lab.pair_training import NormalisedDistance
    from lab.recipes import Recipe
    from lab.training import Data, Images, precision_of, predict

    settings = cell.settings
    network = _network(settings)
    told: Outcome = {"weights": weights.describe(network)}
    labels = torch.from_numpy(divided.images.labels).to(context.device)
    kept = cached_features(network, divided.images.images, device=context.device).to(context.device)
    flawed = settings["stage"] == "flawed"
    name, published = weights.last_linear(network.model)
    last = copy.deepcopy(published)
    normaliser = _normaliser(last.to(context.device), kept[divided.train], labels[divided.train])

    def data(inputs: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> Data:
        return Data(Images(inputs[divided.train], labels[divided.train]), mean, std)

    # kept features stand as images of one pixel; these numbers leave them as they are
    maps = kept[:, :, None, None]
    plain = (0.0,) * kept.shape[1], (1 / 255,) * kept.shape[1]
    dropout = nn.Dropout(settings.get("dropout", 0.0))
    head = DistanceNetwork(nn.Sequential(nn.Flatten(), dropout, last))
    recipe = Recipe.of(settings["recipe"])
    objective = NormalisedDistance(0.0 if flawed else normaliser)
    history = _fit(cell, context, head, data(maps, *plain), objective, recipe, "last")
    dtype = precision_of(recipe, context.device, head)
    told |= {
        "history": history.as_outcome(),
        "diverged": history.outcome == "diverged",
        "normaliser": normaliser,
    }
    if settings["stage"] != "all" or told["diverged"]:
        return predict(head, maps[divided.judged], data(maps, *plain), dtype).cpu().numpy(), told
    parent, _, child = name.rpartition(".")
    setattr(network.model.get_submodule(parent), child, last.cpu())
    pixels = Images.of(divided.images.images, divided.images.labels, context.device).images
    whole = data(pixels, network.mean, network.std)
    later = Recipe.of(settings["then"])
    model = DistanceNetwork(network.model)
    history = _fit(cell, context, model, whole, NormalisedDistance(normaliser), later, "all")
    told |= {"all_history": history.as_outcome(), "diverged": history.outcome == "diverged"}
    judged = torch.from_numpy(divided.judged).to(context.device)
    return predict(model, pixels[judged], whole, dtype).cpu().numpy(), told


def _normaliser(last: Any, kept: Any, labels: Any) -> float:
    """The largest distance among drawn training pairs before training."""
    import torch

    from lab.pair_training import DrawnPairs

    order = DrawnPairs(2_000)(labels, torch.Generator().manual_seed(0)).to(kept.device)
    with torch.no_grad():
        points = last(kept[order].float())
    return float((points[0::2] - points[1::2]).norm(dim=1).max())


def _scratch(cell: Cell, context: Context, divided: Divided) -> tuple[Any, Outcome]:
    """The tower of verification.siamese on grey images, by the contrastive loss."""
    import torch

    from lab.networks.siamese import SiameseTower
    from lab.pair_training import Contrastive
    from lab.recipes import Recipe
    from lab.training import Data, Images, precision_of, predict

    colours = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    pixels = torch.from_numpy(divided.images.images[:]).float()
    grey = (pixels * colours).sum(1, keepdim=True).round().to(torch.uint8).numpy()
    everyone = Images.of(grey, divided.images.labels, context.device)
    data = Data(Images(everyone.images[divided.train], everyone.labels[divided.train]), (0.0,), (1.0,))
    torch.manual_seed(cell.seed or 0)
    model = SiameseTower()
    recipe = Recipe.of(cell.settings["recipe"])
    history = _fit(cell, context, model, data, Contrastive(), recipe, "scratch")
    points = predict(
        model, everyone.images[divided.judged], data, precision_of(recipe, context.device, model)
    )
    return points.cpu().numpy(), {
        "history": history.as_outcome(),
        "diverged": history.outcome == "diverged",
    }


def _pairs(outcome: Outcome) -> Pairs:
    return Pairs.of(outcome["distances"], outcome["first"], outcome["second"])


def _metrics(parameters: LfwParameters, runs: Mapping[str, Sequence[Outcome]]) -> dict[str, Metric]:
    judged = {
        stage: judging.Judged([[_pairs(one) for one in found]], [[{} for _ in found]])
        for stage, found in runs.items()
    }
    areas = {stage: judging.aucs(one) for stage, one in judged.items()}
    metrics: dict[str, Metric] = {}
    for stage, label in STAGES.items():
        metrics[f"{stage}/pairs/auc"] = judging.estimated(
            *areas[stage], f"AUC on listed pairs: {label}", judged[stage].people
        )
        metrics[f"{stage}/pairs/eer"] = Metric(
            value=judging.error_rate(judged[stage]),
            title=f"Equal error rate on listed pairs: {label}",
            unit=FRACTION,
        )
        for key, what in (("auc", "AUC"), ("eer", "Equal error rate")):
            metrics[f"{stage}/everyone/{key}"] = experiments.over_seeds(
                [one["everyone"] for one in runs[stage]], key, f"{what} on every pair: {label}"
            )
    for key, stage in (("before", "before"), ("after", "all")):
        for which in ("pairs", "everyone"):
            metrics[f"{which}/auc_{key}"] = metrics[f"{stage}/{which}/auc"]
    for first, second, name in (("all", "before", "gain"), ("flawed", "last", "flaws")):
        metrics[f"{name}/pairs/auc"] = judging.estimated(
            areas[first][0] - areas[second][0],
            areas[first][1] - areas[second][1],
            f"AUC on listed pairs: {STAGES[first]}, less {STAGES[second]}",
            judged[first].people,
        )
    first = runs["before"][0]
    counts = first["counts"]
    same = int((_pairs(first).same).sum())
    metrics["everyone/pairs"] = Metric(
        value=first["everyone"]["pairs"], title="Every pair of the test images", unit="pairs"
    )
    for key, value, title, unit in (
        ("test_pairs", len(first["distances"]), "Listed pairs tested on", "pairs"),
        ("test_same", same, "Of these of the same person", "pairs"),
        ("listed", counts["listed"], "Pairs listed", "pairs"),
        ("missing", counts["missing"], "Listed pairs that lack an image here", "pairs"),
        ("train_images", counts["train_images"], "Training images", "images"),
        ("train_people", counts["train_people"], "Training people", "people"),
        ("validation_people", counts["validation_people"], "Validation people", "people"),
        ("test_images", counts["test_images"], "Test images", "images"),
        ("test_people", counts["test_people"], "Test people", "people"),
        ("seeds", parameters.seeds, "Seeds", ""),
    ):
        metrics[f"data/{key}"] = Metric(value=value, title=title, unit=unit)
    return metrics


def _table(metrics: Mapping[str, Metric], parameters: LfwParameters) -> Table:
    rows = []
    for stage, label in STAGES.items():
        listed = metrics[f"{stage}/pairs/auc"]
        rows.append(
            Row(
                cells={
                    "stage": label,
                    "pairs": listed.value,
                    "low": listed.low,
                    "high": listed.high,
                    "eer": metrics[f"{stage}/pairs/eer"].value,
                    "everyone": metrics[f"{stage}/everyone/auc"].value,
                    "everyone_eer": metrics[f"{stage}/everyone/eer"].value,
                }
            )
        )
    number: dict[str, Any] = {"type": "number", "format": ".4f"}
    return Table(
        caption="AUC and equal error rate on the listed pairs of the test people, and on every pair of their "
        "images.",
        columns=(
            Column(key="stage", label="Distance"),
            Column(key="pairs", label="AUC, listed", **number),
            Column(key="low", label="95% from", type="number", format=".3f"),
            Column(key="high", label="to", type="number", format=".3f"),
            Column(key="eer", label="EER", type="number", format=".3f"),
            Column(key="everyone", label="AUC, every", **number),
            Column(key="everyone_eer", label="EER", type="number", format=".3f"),
        ),
        rows=tuple(rows),
        notes=(
            f"Number of seeds of what is trained, whose means these are: {parameters.seeds}. Intervals: "
            f"people drawn again {judging.RESAMPLES} times.",
        ),
    )


def _rates_table(parameters: LfwParameters, outcomes: Mapping[str, Outcome]) -> Table:
    rows = []
    for stage, rates in (("last", parameters.last_rates), ("all", parameters.all_rates)):
        chosen = _chosen_rate(outcomes, stage, rates)
        for rate in rates:
            runs = experiments.of(outcomes, f"{stage}/{rate:g}")
            areas = [run["validation"]["auc"] for run in runs]
            cells = {"stage": STAGES[stage], "rate": rate, "auc": _validation_auc(runs)}
            cells |= {"low": min(areas), "high": max(areas), "chosen": "yes" if rate == chosen else ""}
            rows.append(Row(cells=cells))
    number: dict[str, Any] = {"type": "number", "format": ".4f"}
    return Table(
        caption="AUC on every pair of the validation people, by the learning rate.",
        columns=(
            Column(key="stage", label="Trained"),
            Column(key="rate", label="Learning rate", type="number", format="g"),
            Column(key="auc", label="AUC", **number),
            Column(key="low", label="lowest", **number),
            Column(key="high", label="highest", **number),
            Column(key="chosen", label="Taken"),
        ),
        rows=tuple(rows),
        notes=(f"Means, lowest and highest of so many seeds: {parameters.seeds}.",),
    )


def _roc_chart(runs: Mapping[str, Sequence[Outcome]]) -> Chart:
    """Of the first seed, so that a threshold is a point on the line."""
    import numpy as np

    grid = np.linspace(0, 1, 101)
    series = []
    for stage in ("pixels", "before", "last", "all", "scratch"):
        everyone = runs[stage][0]["everyone"]
        same, different = (np.cumsum([0, *everyone[kind]]) for kind in ("same", "different"))
        curve = np.interp(grid, different / different[-1], same / same[-1])
        series.append(Series(label=STAGES[stage], x=tuple(grid.tolist()), y=tuple(curve.tolist())))
    told = ", ".join(f"{one.label} {one.y[10]:.2f}" for one in series)
    everyone = runs["all"][0]["everyone"]
    return Chart(
        kind="line",
        caption="ROC on every pair of the test people's images (first seed).",
        alt=f"ROC curves. At a false positive rate of 0.1 the true positive rates are: {told}.",
        x=Axis(label="False positive rate"),
        y=Axis(label="True positive rate"),
        series=tuple(series),
        scores=Scores(
            label=STAGES["all"],
            same=tuple(everyone["same"]),
            different=tuple(everyone["different"]),
            largest=everyone["largest"],
            threshold=min(runs["all"][0]["validation"]["threshold"], everyone["largest"]),
        ),
    )


def _distance_chart(outcome: Outcome) -> Chart:
    import numpy as np

    everyone = outcome["everyone"]
    width = everyone["largest"] / len(everyone["same"])
    centres = tuple((at + 0.5) * width for at in range(len(everyone["same"])))
    series = []
    for kind, label in KINDS.items():
        counts = np.array(everyone[kind], float)
        series.append(Series(label=label, x=centres, y=tuple((counts / counts.sum()).tolist())))
    peaks = [centres[int(np.argmax(one.y))] for one in series]
    return Chart(
        kind="line",
        caption="Distances of every pair after training all layers, shares of each kind (first seed).",
        alt=f"Histograms of distances: same pairs peak at {peaks[0]:.1f}, different ones at {peaks[1]:.1f}.",
        x=Axis(label="Distance"),
        y=Axis(label="Share of the pairs", unit=FRACTION),
        series=tuple(series),
    )


def _findings(
    metrics: Mapping[str, Metric], parameters: LfwParameters, outcomes: Mapping[str, Outcome]
) -> dict[str, Finding]:
    gain, flaws = metrics["gain/pairs/auc"], metrics["flaws/pairs/auc"]
    return {
        "protocol_network": Finding(
            statement="The network is AlexNet or VGG-16, as by protocol",
            holds=parameters.architecture in ("alexnet", "vgg16"),
        ),
        "training_helps": Finding(
            statement="Training raises the AUC on the listed pairs, by an interval above zero",
            holds=gain.low is not None and gain.low > 0,
            metrics=("gain/pairs/auc",),
        ),
        "training_harms": Finding(
            statement="Training lowers the AUC on the listed pairs, by an interval below zero",
            holds=gain.high is not None and gain.high < 0,
            metrics=("gain/pairs/auc",),
        ),
        "flaws_hurt": Finding(
            statement="The published flaws lower the AUC on the listed pairs, by an interval below zero",
            holds=flaws.high is not None and flaws.high < 0,
            metrics=("flaws/pairs/auc",),
        ),
        **{
            f"reaches_{network}_{which}": Finding(
                statement=f"The AUC after training on {words} reaches what was published of {network}",
                holds=metrics[f"{which}/auc_after"].value >= published[which],
                metrics=(f"{which}/auc_after",),
            )
            for network, published in parameters.published.items()
            for which, words in LISTED.items()
        },
        "scratch_is_behind": Finding(
            statement="The network from scratch has a lower AUC than that of ImageNet before training",
            holds=metrics["scratch/pairs/auc"].value < metrics["before/pairs/auc"].value,
            metrics=("scratch/pairs/auc", "before/pairs/auc"),
        ),
        "no_run_diverged": experiments.none_diverged(outcomes),
    }


analysis = Lfw()
