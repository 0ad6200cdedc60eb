"""verification.lfw: are two photographs of the same person? Labeled Faces in the Wild, listed pairs and all.

After a course project (JHU 520.638, homework 3): two images go through a pretrained network, and the
distance of their 1,000 outputs, divided by a normaliser, is the probability of two people; first the last
layer is trained, then all. By protocol AlexNet and VGG-16. A Siamese tower of ours, from scratch, is the
second network. The official folds of pairs share no person: some of them are tested on, by others the
learning rates are chosen, and everyone who is in none of these is trained on. The published program leaves
dropout on in both towers and lets its normaliser drift; that is measured beside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from analyses import experiments
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from analyses.verification import _judging as judging
from analyses.verification import _verification as verification
from lab.verification import Pairs
from results import builders
from results.builders import FRACTION
from results.schema import Axis, Chart, Finding, Metric, Scores, Series, Table
from results.text import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lab.datasets import ImageSet

#: Rows of the tables; and their words within a sentence.
STAGES = {
    "pixels": "Raw pixels",
    "before": "Pretrained network, before training",
    "last": "Pretrained network, last layer trained",
    "flawed": "Pretrained network, last layer trained with the published flaws",
    "all": "Pretrained network, all layers trained",
    "scratch_before": "Siamese tower, before training",
    "scratch": "Siamese tower, trained from scratch",
}
IN_TEXT = {
    "before": "the pretrained network before training",
    "last": "the network with its last layer trained",
    "flawed": "the last layer trained with the published flaws",
    "all": "the network with all layers trained",
    "scratch_before": "the tower before training",
    "scratch": "the tower trained from scratch",
}
#: One table, one family, on listed pairs and on every pair: name → which two stages.
COMPARED = {
    "gain": ("all", "before"),
    "last_gain": ("last", "before"),
    "layers": ("all", "last"),
    "flaws": ("flawed", "last"),
    "scratch_gain": ("scratch", "scratch_before"),
    "scratch_over_before": ("scratch", "before"),
}
KINDS = {"same": "Same person", "different": "Different people"}
Rate = Annotated[float, Field(gt=0)]
Which = Literal["pairs", "everyone"]
LISTED: dict[Which, str] = {"pairs": "listed pairs", "everyone": "every pair"}
BINS = 200  # of the stored histograms, at most
GRID = tuple(index / 100 for index in range(101))  # false positive rates at which a ROC is drawn
BANDS = 200  # draws of people that a band of a ROC is of


class LfwParameters(Parameters):
    """test_folds, validation_folds: of the official list, from 0, whose people are tested on, and chosen by.
    size: of the images, in pixels. weights, architecture: as lab.weights.load has them.

    last_epochs of `pairs` train the last layer, all_epochs of `all_pairs` then all, pairs drawn anew every
    epoch from the training people. last_rates, all_rates: that with the highest AUC on every pair of the
    validation people is taken, of all layers after search_epochs of `pairs`. all_seeds: of the runs of all
    layers at that rate, which take most of the time; without any, those of the search stand for them.
    resamples: draws of people for the intervals of every pair. dropout: of the run with the published flaws.
    published: AUCs of a course project after training, on its own test people.
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
    search_epochs: int = Field(4, ge=1)
    all_epochs: int = Field(15, ge=1)
    all_pairs: int = Field(2_200, ge=2)
    all_seeds: int = Field(0, ge=0)
    resamples: int = Field(0, ge=0)
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
        """rate: of the stages that have several. "search": of all layers, shorter."""
        if stage == "scratch":
            return {
                "epochs": self.scratch_epochs,
                "batch": 128,
                "optimizer": "adam",
                "learning_rate": 5e-4,
                "precision": "float32",
            }
        epochs = {"search": self.search_epochs, "all": self.all_epochs}
        return {
            "epochs": epochs.get(stage, self.last_epochs),
            "batch": 2 * self.batch,
            "optimizer": "sgd",
            "learning_rate": rate,
            "schedule": "cosine",
            "momentum": 0.9,
            "nesterov": False,
            "clip": 1.0,
        }


class Lfw(Analysis[LfwParameters]):
    """Cells are `STAGE/RATE/SEED` where a learning rate is chosen, else `STAGE/SEED`, which draw people again
    for the intervals of every pair.
    """

    id = "verification.lfw"
    title = "Labeled Faces in the Wild: listed pairs and every pair"
    question = "How well does a pretrained network tell strangers apart, before and after training on pairs?"
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
                search_epochs=1,
                all_epochs=1,
                all_pairs=60,
                all_seeds=1,
                resamples=999,
                scratch_pairs=32,
                scratch_epochs=1,
                seeds=1,
            )
        return LfwParameters(all_seeds=2, resamples=999, scratch_pairs=2_200, scratch_epochs=15)

    def datasets(self, parameters: LfwParameters) -> tuple[str, ...]:
        return (parameters.name,)

    def check(self, parameters: LfwParameters) -> None:
        _divided(*_choice(_data_settings(parameters)))

    def plan(self, parameters: LfwParameters) -> list[Cell]:
        from lab.recipes import Recipe

        data, again = _data_settings(parameters), _again(parameters)
        scratch = {
            "stage": "scratch",
            "size": parameters.scratch_size,
            "pairs": parameters.scratch_pairs,
            "recipe": Recipe.of(parameters.recipe("scratch")).as_settings(),
        }
        cells = [
            Cell("pixels/0", data | again | {"stage": "pixels"}, 0),
            Cell("before/0", data | again | {"stage": "before"} | _network_settings(parameters), 0),
        ]
        for seed in range(parameters.seeds):
            cells += [
                Cell(f"last/{rate:g}/{seed}", _last_settings(parameters, rate), seed)
                for rate in parameters.last_rates
            ]
            cells.append(Cell(f"scratch/{seed}", data | again | scratch, seed))
        return cells

    def follow(self, parameters: LfwParameters, outcomes: Mapping[str, Outcome]) -> list[Cell]:
        """With the best rate of the last layer: that again, the flaws, and all layers, whose best rate has
        its longer runs in turn.
        """
        from lab.recipes import Recipe

        again = _again(parameters)
        last = _last_settings(parameters, _chosen_rate(outcomes, "last", parameters.last_rates))

        def all_layers(stage: str, rate: float) -> dict[str, Any]:
            then = Recipe.of(parameters.recipe(stage, rate)).as_settings()
            return last | {"stage": "all", "then": then}

        flawed = last | again | {"stage": "flawed", "dropout": parameters.dropout}
        cells = []
        for seed in range(parameters.seeds):
            cells += [Cell(f"last/{seed}", last | again, seed)] if again else []
            cells.append(Cell(f"flawed/{seed}", flawed, seed))
            cells += [
                Cell(f"all/{rate:g}/{seed}", all_layers("search", rate), seed)
                for rate in parameters.all_rates
            ]
        if any(cell.id not in outcomes for cell in cells):
            return cells
        rate = _chosen_rate(outcomes, "all", parameters.all_rates)
        longer = all_layers("all", rate) | again | {"then_pairs": parameters.all_pairs}
        return cells + [Cell(f"all/{seed}", longer, seed) for seed in range(parameters.all_seeds)]

    def run(self, cell: Cell, context: Context) -> Outcome:
        work = {"pixels": _pixels, "before": _before, "scratch": _scratch}
        divided = _divided(*_choice(cell.settings))
        points, told = work.get(cell.settings["stage"], _trained)(cell, context, divided)
        return told | _evaluated(points, divided, cell)

    def summarize(self, parameters: LfwParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        rates = {
            stage: _chosen_rate(outcomes, stage, choice)
            for stage, choice in (("last", parameters.last_rates), ("all", parameters.all_rates))
        }
        of_stages = {stage: _runs(outcomes, stage, rates) for stage in STAGES}
        runs = {stage: those for stage, those in of_stages.items() if those}
        areas = {which: _areas(runs, which) for which in LISTED}
        found = _compared(areas, runs)
        metrics = _metrics(parameters, runs, areas) | judging.comparison_metrics(found)
        by_seed = _by_seed(runs, areas)
        metrics |= by_seed
        for stage, rate in rates.items():
            metrics[f"{stage}/rate"] = Metric(value=rate, title=f"Learning rate: {STAGES[stage]}")
        whole = bool(experiments.of(outcomes, "all"))  # else all layers as the search has them
        metrics["all/epochs"], metrics["all/pairs"] = (
            Metric(value=value, title=f"{title} of training all layers", unit=unit)
            for value, title, unit in (
                (parameters.all_epochs if whole else parameters.search_epochs, "Epochs", "epochs"),
                (parameters.all_pairs if whole else parameters.pairs, "Pairs an epoch", "pairs"),
            )
        )
        return Summary(
            metrics=metrics,
            tables={
                "results": _table(metrics, runs),
                "comparisons": judging.comparison_table(
                    found, "Differences in AUC between the stages of training, on the test people of LFW."
                ),
                **({"everyone": _by_seed_table(by_seed, runs)} if by_seed else {}),
                "rates": _rates_table(parameters, outcomes),
                "recipe": _recipe_table(parameters, rates, "all" if whole else "search"),
            },
            figures={
                "roc_listed": _listed_roc(runs),
                "roc": _everyone_roc(runs),
                "distances": _distance_chart(runs["all"][0]),
                "loss": _loss_chart(runs),
            },
            findings=_findings(metrics, areas, found, parameters, outcomes),
            note=verification.weights_note(outcomes),
        )


def _runs(outcomes: Mapping[str, Outcome], stage: str, rates: Mapping[str, float]) -> list[Outcome]:
    """Of a stage by seed: at the rate that was chosen, where only the cells that chose it were measured."""
    if stage == "scratch_before":
        return [one["before"] for one in experiments.of(outcomes, "scratch") if "before" in one]
    found = experiments.of(outcomes, stage)
    if found or stage not in rates:
        return found
    return experiments.of(outcomes, f"{stage}/{rates[stage]:g}")


def _data_settings(parameters: LfwParameters) -> dict[str, Any]:
    names = {"name", "split", "damaged", "test_folds", "validation_folds", "size"}
    return parameters.model_dump(mode="json", include=names)


def _again(parameters: LfwParameters) -> dict[str, int]:
    return {"resamples": parameters.resamples} if parameters.resamples else {}


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
    same = images.labels[pairs[:, 0]] == images.labels[pairs[:, 1]]
    if same.all() or not same.any():
        kind = "one person" if same.all() else "two people"
        raise DataError(
            f"all {len(pairs)} pairs of {name} in the tested folds are of {kind}; choose other folds with "
            "--set test_folds=…"
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
    for at, (one, other) in enumerate(ends):
        if one in number and other in number:
            folds[min(at // (2 * each), count - 1)].append((number[one], number[other]))
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


def _evaluated(points: NDArray[np.float32], divided: Divided, cell: Cell) -> Outcome:
    """points: (validation and test images, D). Of the validation people's every pair the AUC, and the
    threshold that parts the kinds best. Of the test people the distances of the listed pairs; and of every
    pair the counts, and the AUC when people are drawn again.
    """
    import numpy as np
    import torch

    from lab.pairs import every_pair, resampled_aucs

    count = len(divided.validation)
    known = torch.from_numpy(_usable(points[:count]))
    histogram = every_pair(known, divided.images.labels[divided.validation], "euclidean")
    false, true = histogram.roc()
    threshold = float(histogram.thresholds[int(np.argmax(true - false))])
    validation = {"auc": histogram.auc(), "threshold": threshold}
    people = divided.images.labels[divided.test]
    points = _usable(points[count:])
    first, second = divided.pairs.T
    distances = np.linalg.norm(points[first] - points[second], axis=1)
    histogram = every_pair(torch.from_numpy(points), people, "euclidean")
    used = int(np.flatnonzero(histogram.same + histogram.different)[-1]) + 1
    scale = -(-used // BINS)  # fine bins to a stored one, of which the last is part of what is used
    names = np.unique(people, return_inverse=True)[1]

    def coarse(counts: NDArray[np.int64]) -> list[int]:
        padded = np.pad(counts[:used], (0, -used % scale))
        return [int(value) for value in padded.reshape(-1, scale).sum(1)]

    everyone: Outcome = {
        "auc": histogram.auc(),
        "eer": histogram.equal_error_rate()[0],
        "pairs": sum(histogram.pairs),
        "same": coarse(histogram.same),
        "different": coarse(histogram.different),
        "largest": scale * -(-used // scale) * histogram.largest / len(histogram.same),
    }
    if "resamples" in cell.settings:
        drawn = resampled_aucs(torch.from_numpy(points), people, cell.settings["resamples"], "euclidean")
        everyone["resampled"] = np.round(drawn, 6).tolist()
    return {
        "validation": validation,
        "distances": np.round(distances, 4).tolist(),
        "first": names[first].tolist(),
        "second": names[second].tolist(),
        "everyone": everyone,
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


def _fit(
    cell: Cell,
    context: Context,
    model: Any,
    data: Any,
    objective: Any,
    recipe: Any,
    name: str,
) -> Any:
    from lab.pair_training import DrawnPairs
    from lab.training import fit

    pairs = cell.settings["pairs"]
    if name == "all":
        pairs = cell.settings.get("then_pairs", pairs)

    return fit(
        model,
        data,
        recipe,
        objective,
        order=DrawnPairs(pairs),
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
    """The tower of verification.siamese on grey images, by the contrastive loss; and as it was before."""
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
    model = SiameseTower().to(context.device)
    recipe = Recipe.of(cell.settings["recipe"])
    dtype = precision_of(recipe, context.device, model)

    def points() -> Any:
        return predict(model, everyone.images[divided.judged], data, dtype).cpu().numpy()

    before = _evaluated(points(), divided, cell)
    history = _fit(cell, context, model, data, Contrastive(), recipe, "scratch")
    return points(), {
        "before": before,
        "history": history.as_outcome(),
        "diverged": history.outcome == "diverged",
    }


def _pairs(outcome: Outcome) -> Pairs:
    return Pairs.of(outcome["distances"], outcome["first"], outcome["second"])


def _areas(runs: Mapping[str, Sequence[Outcome]], which: Which) -> dict[str, judging.Drawn]:
    """Mean AUC over seeds, and when people are drawn again, of the stages that know the latter."""
    import numpy as np

    if which == "pairs":
        return {stage: judging.aucs(_judged(found)) for stage, found in runs.items()}
    return {
        stage: (
            float(np.mean([one["everyone"]["auc"] for one in found])),
            np.mean([one["everyone"]["resampled"] for one in found], axis=0),
        )
        for stage, found in runs.items()
        if all("resampled" in one["everyone"] for one in found)
    }


def _judged(found: Sequence[Outcome]) -> judging.Judged:
    return judging.Judged([[_pairs(one) for one in found]], [[{} for _ in found]])


def _compared(
    areas: Mapping[Which, Mapping[str, judging.Drawn]], runs: Mapping[str, Sequence[Outcome]]
) -> dict[str, judging.Comparison]:
    people = runs["before"][0]["counts"]["test_people"]
    pairs = {
        f"{name}/{which}/auc": (found[first], found[second])
        for which, found in areas.items()
        for name, (first, second) in COMPARED.items()
        if first in found and second in found
    }
    words = {
        f"{name}/{which}/auc": judging.Compared(IN_TEXT[first], IN_TEXT[second], where=f"on {said}")
        for which, said in LISTED.items()
        for name, (first, second) in COMPARED.items()
    }
    return judging.compared(pairs, words, dict.fromkeys(pairs, people))


def _by_seed(
    runs: Mapping[str, Sequence[Outcome]], areas: Mapping[Which, Mapping[str, judging.Drawn]]
) -> dict[str, Metric]:
    """Differences on every pair over seeds, of stages that know no draws of people there; before training
    there is one value for all seeds.
    """
    from lab.evaluation import paired_over_seeds

    found = {}
    for name, (first, second) in COMPARED.items():
        if first not in runs or second not in runs or {first, second} <= set(areas["everyone"]):
            continue
        one, other = ([run["everyone"]["auc"] for run in runs[stage]] for stage in (first, second))
        other = other * len(one) if len(other) == 1 else other
        if len(one) == len(other) > 1:
            title = f"AUC on every pair, by seed: {IN_TEXT[first]}, less {IN_TEXT[second]}"
            difference = paired_over_seeds(one, other).difference
            found[f"{name}/everyone/auc"] = experiments.metric(difference, title, over="seeds")
    return found


def _by_seed_table(differences: Mapping[str, Metric], runs: Mapping[str, Sequence[Outcome]]) -> Table:
    rows = []
    for name, metric in differences.items():
        first, second = COMPARED[name.partition("/")[0]]
        rows.append({"first": IN_TEXT[first], "second": IN_TEXT[second], "difference": metric})
    everyone = runs["before"][0]["everyone"]["pairs"]
    return builders.table(
        f"Differences in AUC on every pair of the test people of LFW ({everyone:,} pairs).",
        {
            "first": builders.text("First"),
            "second": builders.text("Second"),
            "difference": builders.number("Difference", "+.3f"),
        },
        rows,
        notes=("They say how much training varies, and not how much the choice of people does.",),
    )


def _metrics(
    parameters: LfwParameters,
    runs: Mapping[str, Sequence[Outcome]],
    areas: Mapping[Which, Mapping[str, judging.Drawn]],
) -> dict[str, Metric]:
    first = runs["before"][0]
    counts = first["counts"]
    metrics: dict[str, Metric] = {}
    for stage, found in runs.items():
        label = STAGES[stage]
        for which, said in LISTED.items():
            title = f"AUC on {said}: {label}"
            metrics[f"{stage}/{which}/auc"] = (
                judging.estimated(*areas[which][stage], title, counts["test_people"])
                if stage in areas[which]
                else experiments.over_seeds([one[which] for one in found], "auc", title)
            )
        metrics[f"{stage}/pairs/eer"] = Metric(
            value=judging.error_rate(_judged(found)),
            title=f"Equal error rate on listed pairs: {label}",
            unit=FRACTION,
        )
        metrics[f"{stage}/everyone/eer"] = experiments.over_seeds(
            [one["everyone"] for one in found], "eer", f"Equal error rate on every pair: {label}"
        )
        metrics[f"{stage}/seeds"] = Metric(value=len(found), title=f"Seeds: {label}")
    for key, stage in (("before", "before"), ("after", "all")):
        for which in LISTED:
            metrics[f"{which}/auc_{key}"] = metrics[f"{stage}/{which}/auc"]
    metrics["everyone/pairs"] = Metric(
        value=first["everyone"]["pairs"], title="Every pair of the test images", unit="pairs"
    )
    for key, value, title, unit in (
        ("test_pairs", len(first["distances"]), "Listed pairs tested on", "pairs"),
        ("test_same", int(_pairs(first).same.sum()), "Of these of the same person", "pairs"),
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


def _table(metrics: Mapping[str, Metric], runs: Mapping[str, Sequence[Outcome]]) -> Table:
    first = runs["before"][0]
    return builders.table(
        "Verification on LFW by distance: area under the ROC curve (AUC) and equal error rate (EER) on the "
        f"{len(first['distances']):,} listed pairs of the test people and on every pair of their images "
        f"({first['everyone']['pairs']:,} pairs). Means over seeds.",
        {
            "stage": builders.text("Distance"),
            "seeds": builders.integer("Seeds"),
            "pairs": builders.number("AUC, listed", ".3f"),
            "pairs_eer": builders.percent("EER, listed"),
            "everyone": builders.number("AUC, every", ".3f"),
            "everyone_eer": builders.percent("EER, every"),
        },
        [
            {
                "stage": STAGES[stage],
                "seeds": len(found),
                **{which: metrics[f"{stage}/{which}/auc"] for which in LISTED},
                **{f"{which}_eer": metrics[f"{stage}/{which}/eer"].value for which in LISTED},
            }
            for stage, found in runs.items()
        ],
    )


def _rates_table(parameters: LfwParameters, outcomes: Mapping[str, Outcome]) -> Table:
    rows = []
    for stage, rates in (("last", parameters.last_rates), ("all", parameters.all_rates)):
        chosen = _chosen_rate(outcomes, stage, rates)
        for rate in rates:
            found = experiments.of(outcomes, f"{stage}/{rate:g}")
            areas = [one["validation"]["auc"] for one in found]
            cells = {"stage": STAGES[stage], "rate": rate, "auc": _validation_auc(found)}
            cells |= {"low": min(areas), "high": max(areas), "chosen": "yes" if rate == chosen else ""}
            rows.append(cells)
    return builders.table(
        "Choice of the learning rate: area under the ROC curve (AUC) on every pair of the validation people "
        f"of LFW. Mean, lowest and highest of {counted(parameters.seeds, 'seeds')}.",
        {
            "stage": builders.text("Trained"),
            "rate": builders.number("Learning rate", "g"),
            "auc": builders.number("AUC", ".3f"),
            "low": builders.number("Lowest", ".3f"),
            "high": builders.number("Highest", ".3f"),
            "chosen": builders.text("Chosen"),
        },
        rows,
        notes=(
            f"All layers are compared after {counted(parameters.search_epochs, 'epochs')} of "
            f"{parameters.pairs:,} pairs.",
        ),
    )


def _recipe_table(parameters: LfwParameters, rates: Mapping[str, float], of_all: str) -> Table:
    """of_all: the recipe that all layers were trained by, "all" or "search"."""
    cross_entropy = "cross-entropy of distance ÷ normaliser"
    columns = {
        "last": ("last", parameters.pairs, parameters.batch, cross_entropy),
        "all": (
            of_all,
            parameters.all_pairs if of_all == "all" else parameters.pairs,
            parameters.batch,
            cross_entropy,
        ),
        "scratch": ("scratch", parameters.scratch_pairs, 64, "contrastive, margin 2"),
    }
    return experiments.recipe_table(
        {
            STAGES[stage]: parameters.recipe(recipe, rates.get(stage, 0.0))
            for stage, (recipe, *_) in columns.items()
        },
        {
            STAGES[stage]: {
                "epochs": f"{parameters.recipe(recipe)['epochs']} of {pairs:,} pairs, drawn for each",
                "batch": f"{batch} pairs",
                "loss": loss,
                "images": f"{parameters.scratch_size}×{parameters.scratch_size} grey"
                if stage == "scratch"
                else f"{parameters.size}×{parameters.size} colour",
            }
            for stage, (recipe, pairs, batch, loss) in columns.items()
        },
        caption="Hyper-parameters of training on pairs from LFW: the pretrained network's last layer, then "
        "all of its layers, and the Siamese tower.",
    )


def _drawn_stages(runs: Mapping[str, Sequence[Outcome]]) -> Iterator[str]:
    """Those that have a curve: the flaws would hide the line beside them."""
    return (stage for stage in runs if stage != "flawed")


def _listed_roc(runs: Mapping[str, Sequence[Outcome]]) -> Chart:
    import numpy as np

    from lab import verification as pairs

    rates = {}
    for stage in _drawn_stages(runs):
        found = [_pairs(one) for one in runs[stage]]
        mean = np.mean([pairs.roc(one, GRID)[0] for one in found], axis=0)
        rates[STAGES[stage]] = builders.Rates(GRID, mean.tolist())
        if stage == "all":  # bands of all stages would cover each other
            weights = pairs.drawn_again(found[0], BANDS)
            drawn = np.mean([pairs.roc(one, GRID, weights) for one in found], axis=0)
            low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
            ends = np.minimum(low, mean).tolist(), np.maximum(high, mean).tolist()
            rates[STAGES[stage]] = builders.Rates(GRID, mean.tolist(), *ends)
    first = runs["before"][0]
    people = counted(first["counts"]["test_people"], "test people")
    return builders.roc(
        f"ROC curves on the {len(first['distances']):,} listed pairs of the {people} of LFW: share of the "
        "pairs of one person that are accepted (true positive rate) by share of the pairs of two people that "
        "are. Lines are means over seeds. The band, of the network with all layers trained, is a 95% "
        "bootstrap interval over people.",
        rates,
    )


def _everyone_roc(runs: Mapping[str, Sequence[Outcome]]) -> Chart:
    """Of the first seed, so that a threshold is a point on the line."""
    import numpy as np

    rates = {}
    for stage in _drawn_stages(runs):
        everyone = runs[stage][0]["everyone"]
        same, different = (np.cumsum([0, *everyone[kind]]) for kind in ("same", "different"))
        curve = np.interp(GRID, different / different[-1], same / same[-1])
        rates[STAGES[stage]] = builders.Rates(GRID, curve.tolist())
    first = runs["all"][0]
    everyone = first["everyone"]
    chart = builders.roc(
        f"ROC curves on every pair of the test people of LFW ({everyone['pairs']:,} pairs), of the first "
        "seed. A point of a line is a threshold on the distance.",
        rates,
    )
    scores = Scores(
        label=STAGES["all"],
        same=tuple(everyone["same"]),
        different=tuple(everyone["different"]),
        largest=everyone["largest"],
        threshold=min(first["validation"]["threshold"], everyone["largest"]),
    )
    return chart.model_copy(update={"scores": scores})


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
        caption="Distribution of the distances of every pair of the test people of LFW after all layers are "
        "trained, for pairs of one person and of two people (first seed). Each histogram sums to one; where "
        "the two overlap, a threshold makes errors.",
        alt=f"Histograms of distances: same pairs peak at {peaks[0]:.1f}, different ones at {peaks[1]:.1f}.",
        x=Axis(label="Distance"),
        y=Axis(label="Share of the pairs", unit=FRACTION),
        series=tuple(series),
    )


def _loss_chart(runs: Mapping[str, Sequence[Outcome]]) -> Chart:
    """Of the last layer, and then of all layers, whose epochs follow."""
    loss = builders.number("Training loss", ".2f")
    last, then = (
        [run[history]["train_loss"] for run in runs[stage] if history in run]
        for stage, history in (("last", "history"), ("all", "all_history"))
    )
    courses = {"Last layer alone": last, "Then all layers": then}
    chart = builders.curves(
        "Cross-entropy on the drawn training pairs of LFW by epoch: first the last layer of the pretrained "
        "network is trained, then all of its layers.",
        {label: found for label, found in courses.items() if found},
        loss,
    )
    first, *later = chart.series
    moved = [one.model_copy(update={"x": tuple(at + len(first.x) for at in one.x)}) for one in later]
    return chart.model_copy(update={"series": (first, *moved)})


def _findings(
    metrics: dict[str, Metric],
    areas: Mapping[Which, Mapping[str, judging.Drawn]],
    found: Mapping[str, judging.Comparison],
    parameters: LfwParameters,
    outcomes: Mapping[str, Outcome],
) -> dict[str, Finding]:
    names: dict[str, tuple[str, builders.Verdict]] = {
        "training_helps": ("gain", "more"),
        "last_layer_helps": ("last_gain", "more"),
        "more_layers_help": ("layers", "more"),
        "flaws_hurt": ("flaws", "less"),
        "scratch_helps": ("scratch_gain", "more"),
        "scratch_is_behind": ("scratch_over_before", "less"),
    }
    return {
        "protocol_network": builders.statement(
            "The network is AlexNet or VGG-16, as by protocol",
            parameters.architecture in ("alexnet", "vgg16"),
        ),
        **{
            f"{finding}_{which}": found[key].finding(key, expected)
            for finding, (name, expected) in names.items()
            for which in LISTED
            if (key := f"{name}/{which}/auc") in found
        },
        **_published_findings(metrics, areas, parameters),
        **{
            f"{stage}_rate_is_at_an_edge": builders.statement(
                f"The learning rate chosen for {IN_TEXT[stage]} is the lowest or the highest of those tried",
                metrics[f"{stage}/rate"].value in (min(rates), max(rates)),
                f"{stage}/rate",
            )
            for stage, rates in (("last", parameters.last_rates), ("all", parameters.all_rates))
        },
        "larger_rate_hurts_validation": builders.statement(
            "The highest rate tried for all layers does not have the best mean AUC on the validation people",
            metrics["all/rate"].value < max(parameters.all_rates),
            "all/rate",
        ),
        "loss_still_falls": builders.statement(
            "In the last tenth of its epochs, the training loss of the last layer is lower than in the tenth "
            "before, in every run",
            _still_falls([run["history"]["train_loss"] for run in _runs_of_last(outcomes, metrics)]),
        ),
        "no_run_diverged": experiments.none_diverged(outcomes),
    }


def _runs_of_last(outcomes: Mapping[str, Outcome], metrics: Mapping[str, Metric]) -> list[Outcome]:
    return _runs(outcomes, "last", {"last": float(metrics["last/rate"].value)})


def _still_falls(losses: Sequence[Sequence[float]]) -> bool:
    """Whether each run's mean of the last tenth lies below that of the tenth before."""
    from statistics import mean

    tenth = max(1, len(losses[0]) // 10)
    ends = [(mean(one[-tenth:]), mean(one[-2 * tenth : -tenth])) for one in losses if len(one) >= 2 * tenth]
    return len(ends) == len(losses) and all(last < before for last, before in ends)


def _published_findings(
    metrics: Mapping[str, Metric],
    areas: Mapping[Which, Mapping[str, judging.Drawn]],
    parameters: LfwParameters,
) -> dict[str, Finding]:
    """Whether the AUC after training lies above what was published, over our people; the project gives no
    interval of its own. All are one family.
    """
    from lab.evaluation import holm, p_of_resamples

    asked = [
        (network, which, value)
        for network, values in parameters.published.items()
        for which, value in values.items()
        if "all" in areas[which]
    ]
    adjusted = holm([p_of_resamples(areas[which]["all"][1] - value) for _, which, value in asked])
    names = {"alexnet": "AlexNet", "vgg16": "VGG-16"}
    return {
        f"beats_{network}_{which}": builders.statement(
            f"The AUC after training on {LISTED[which]} lies above what was published of "
            f"{names.get(network, network)}, by an interval over our test people, after Holm's correction",
            metrics[f"{which}/auc_after"].value > value and p is not None and p < builders.SIGNIFICANT,
            f"{which}/auc_after",
        )
        for (network, which, value), p in zip(asked, adjusted, strict=True)
    }


analysis = Lfw()
