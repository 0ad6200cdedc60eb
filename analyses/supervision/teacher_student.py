"""supervision.teacher_student: what unlabelled images are worth to a network that a teacher labels them for.

After Yalniz et al. 2019: a teacher is trained on the labelled images and scores the unlabelled ones; of each
class the K of which it is surest, among those that have the class in their top P, train a student, which is
then fine-tuned on the labelled images. Their accuracy rises with K, as there is more to see, then falls, as
more labels are wrong. Here teacher and student learn CIFAR-10, a part of whose labels is hidden.

Every student is shown as many images, whatever K is. A seed decides which images are labelled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from analyses import comparing, experiments, recipe_tables, records
from analyses.classification.cifar10_designs import recipe_a, recipe_b
from analyses.comparing import Comparison
from analyses.experiments import DataChoice
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from analyses.supervision import _supervision as supervision
from analyses.supervision._tail import Tail
from results import builders
from results.schema import Axis, Chart, Finding, Metric, Series, Table
from results.text import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lab.pseudo_labels import Chosen
    from lab.training import Data, Images

Positive = Annotated[int, Field(ge=1)]
TEACHER = "whitened"  # design B of classification.cifar10_designs, and its student design A
STUDENT = supervision.NETWORK


class TeacherParameters(Parameters):
    """data: its training images are `labelled` ones and the unlabelled rest; validation images choose K.

    k: images chosen a class. p: classes kept an image; the first is that of the sweep of K, the others are
    tried at the largest K, where the choice depends on P most. tail_…: every P is also tried on a long-tailed
    part of the unlabelled images, `largest` of the first class and of that of rank r a share of 1 ÷
    r^exponent, at a K that the rare classes do not have; by seed the ranks differ. shown: images a round of
    the student's first training, of which there are `rounds`. bin: ranks of which the precision is taken
    together.
    """

    data: DataChoice = DataChoice()
    labelled: int = Field(2_000, ge=2)
    k: tuple[Positive, ...] = Field((50, 200, 500, 1_000, 2_000, 4_000), min_length=2)
    p: tuple[Positive, ...] = Field((1, 2, 5), min_length=1)
    tail_largest: int = Field(4_000, ge=2)
    tail_exponent: float = Field(1.0, gt=0)
    tail_k: int = Field(1_000, ge=1)
    widths: tuple[int, int, int] = (64, 128, 128)
    teacher_epochs: int = Field(40, ge=1)
    rounds: int = Field(24, ge=1)
    shown: int = Field(2_500, ge=1)
    finetune_rate: float = Field(0.01, gt=0)
    finetune_epochs: int = Field(8, ge=1)
    bin: int = Field(200, ge=1)
    seeds: int = Field(5, ge=2)

    @property
    def unlabelled(self) -> int:
        return self.data.train - self.labelled

    @model_validator(mode="after")
    def there_is_enough(self) -> TeacherParameters:
        if self.unlabelled < 1:
            raise ValueError(
                f"labelled is {self.labelled} of {self.data.train} training images, which leaves none "
                "unlabelled"
            )
        if max(self.k) > self.unlabelled:
            raise ValueError(
                f"k asks for {max(self.k)} images a class, and there are {self.unlabelled} unlabelled ones"
            )
        if not self.data.validation:
            raise ValueError("data.validation is 0, and K is chosen on validation images")
        return self

    def recipes(self) -> dict[str, dict[str, Any]]:
        first = recipe_a(self.rounds)
        return {
            "teacher": recipe_b(self.teacher_epochs) | {"batch": 128},
            "student": first,
            "finetune": first
            | {
                "epochs": self.finetune_epochs,
                "learning_rate": self.finetune_rate,
                "schedule": "cosine",
                "nesterov": False,
            },
        }


class TeacherStudent(Analysis[TeacherParameters]):
    id = "supervision.teacher_student"
    title = "Teacher and student"
    question = "How many unlabelled images should a teacher label for its student?"

    def parameters(self, profile: Profile) -> TeacherParameters:
        if profile == "quick":
            return TeacherParameters(
                data=DataChoice(name="shapes", train=1_500, validation=200),
                labelled=60,
                k=(5, 40, 140),
                p=(1, 2),
                tail_largest=100,
                tail_k=40,
                widths=(16, 32, 32),
                teacher_epochs=8,
                rounds=4,
                shown=300,
                finetune_epochs=2,
                bin=20,
                seeds=2,
            )
        return TeacherParameters()

    def datasets(self, parameters: TeacherParameters) -> tuple[str, ...]:
        return (parameters.data.name,)

    def check(self, parameters: TeacherParameters) -> None:
        from lab.datasets import DataError

        experiments.parts(parameters.data)
        data, classes = experiments.load(parameters.data, "cpu")
        if max(parameters.p) > len(classes):
            raise DataError(
                f"an image's {max(parameters.p)} highest classes are to be kept, and there are "
                f"{len(classes)} classes; choose another with --set p=…"
            )
        cell = next(cell for cell in self.plan(parameters) if "tail" in cell.settings)
        _pool(cell, _parts(cell, data, classes))

    def plan(self, parameters: TeacherParameters) -> list[Cell]:
        first, *others = parameters.p
        choices: dict[str, tuple[int, int] | None] = {"teacher": None, "supervised": None}
        choices |= {f"k/{k}": (k, first) for k in parameters.k}
        choices |= {f"p/{p}": (max(parameters.k), p) for p in others}
        planned = [cell for name, choice in choices.items() for cell in _cells(parameters, name, choice)]
        tail = {"largest": parameters.tail_largest, "exponent": parameters.tail_exponent}
        for p in parameters.p:
            planned += _cells(parameters, f"tail/p/{p}", (parameters.tail_k, p), tail=tail)
        return planned

    def run(self, cell: Cell, context: Context) -> Outcome:
        settings = cell.settings
        data, classes = experiments.load(DataChoice.model_validate(settings["data"]), context.device)
        work = _teacher if settings["role"] == "teacher" else _student
        return work(cell, context, _parts(cell, data, classes), classes)

    def summarize(self, parameters: TeacherParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        best = _best_k(parameters, outcomes)
        runs = _runs(parameters, outcomes)
        comparisons = _comparisons(parameters, runs, best)
        metrics = _metrics(parameters, runs, best)
        for name, (one, said) in comparisons.items():
            metrics |= one.metrics(f"{name}/", f"Change of test accuracy: {said}")
        tables = {
            "results": _results_table(parameters, metrics, runs),
            "differences": _differences_table(parameters, comparisons),
            "chosen": _chosen_table(parameters, runs["teacher"]),
            "recipe": recipe_tables.recipe_table(
                {
                    title: parameters.recipes()[part]
                    for part, title in (
                        ("teacher", "Teacher"),
                        ("student", "Student"),
                        ("finetune", "Student, fine-tuned"),
                    )
                },
                {
                    "Student": {
                        "epochs": f"{parameters.rounds} rounds of {parameters.shown:,} images",
                    }
                },
            ),
        }
        findings = _findings(parameters, metrics, outcomes, best, comparisons)
        tailed = {p: records.runs_named(outcomes, f"tail/p/{p}") for p in parameters.p}
        if all(tailed.values()):  # older outcomes have none
            tail = Tail(tailed, parameters.tail_k)
            metrics |= tail.metrics()
            tables["tail"] = tail.table(metrics)
            findings |= tail.findings()
        return Summary(
            metrics=metrics,
            tables=tables,
            figures={
                "k": _k_chart(parameters, metrics),
                "precision": _precision_chart(parameters, runs["teacher"]),
            },
            findings=findings,
        )


def _cells(
    parameters: TeacherParameters, name: str, choice: tuple[int, int] | None, **more: Any
) -> list[Cell]:
    """One cell a seed. choice: K and P of a student, whose settings hold those of its teacher. more: settings
    of its own.
    """
    from lab.recipes import Recipe

    recipes = {part: Recipe.of(one).as_settings() for part, one in parameters.recipes().items()}
    settings: dict[str, Any] = {
        "data": parameters.data.model_dump(mode="json", exclude_defaults=True),
        "labelled": parameters.labelled,
        "role": "student",
    }
    taught = {"widths": list(parameters.widths), "teacher": recipes["teacher"]}
    if name == "teacher":
        settings |= taught | {
            "role": "teacher",
            "k": list(parameters.k),
            "p": list(parameters.p),
            "bin": parameters.bin,
        }
    else:
        settings |= {part: recipes[part] for part in ("student", "finetune")} | {"shown": parameters.shown}
    if choice:
        settings |= taught | {"k": choice[0], "p": choice[1]}
    return [Cell(f"{name}/{seed}", settings | more, seed) for seed in range(parameters.seeds)]


class _Parts:
    """The training images, by whether their labels may be seen, and the rest of the data without them."""

    def __init__(self, data: Data, labelled: NDArray[np.int64], unlabelled: NDArray[np.int64]) -> None:
        import torch

        self.data = replace(data, validation=None, test=None)
        self.validation, self.test = data.validation, data.test
        self.labelled, self.unlabelled = (
            _some(data.train, torch.from_numpy(part).to(data.train.labels.device))
            for part in (labelled, unlabelled)
        )


def _some(images: Images, indices: Any) -> Images:
    from lab.training import Images

    return Images(images.images[indices], images.labels[indices])


def _parts(cell: Cell, data: Data, classes: Sequence[str]) -> _Parts:
    from lab.datasets.splits import stratified

    labels = data.train.labels.cpu().numpy()
    sizes = [cell.settings["labelled"], len(labels) - cell.settings["labelled"]]
    return _Parts(data, *stratified(labels, sizes, cell.seed or 0, classes))


def _pool(cell: Cell, parts: _Parts) -> NDArray[np.int64]:
    """Of the unlabelled images those that the teacher chooses from: all of them, or a long-tailed part."""
    import numpy as np

    from lab.datasets import DataError
    from lab.sampling import zipf

    truth, tail = parts.unlabelled.labels.cpu().numpy(), cell.settings.get("tail")
    if not tail:
        return np.arange(len(truth))
    try:
        pool = zipf(truth, tail["largest"], cell.seed or 0, tail["exponent"])
    except ValueError as error:
        raise DataError(f"{error}; choose another --set tail_largest=… or tail_exponent=…") from None
    if cell.settings["k"] > len(pool):
        raise DataError(
            f"tail_k asks for {cell.settings['k']} images a class, and the long tail has {len(pool)} in all; "
            "choose a smaller one with --set tail_k=…"
        )
    return pool


def _measured(model: Any, parts: _Parts, dtype: Any, classes: Sequence[str]) -> Outcome:
    from lab.training import measure, predict

    assert parts.validation is not None and parts.test is not None
    logits = predict(model, parts.validation.images, parts.data, dtype)
    predicted = records.classified(
        predict(model, parts.test.images, parts.data, dtype), parts.test.labels, classes
    )
    return {
        "validation_accuracy": measure(logits, parts.validation.labels)[1],
        "test_accuracy": predicted["test_accuracy"],
        "predicted": predicted,
    }


def _teacher_network(settings: Mapping[str, Any], classes: Sequence[str]) -> Any:
    return experiments.network(TEACHER, {"widths": settings["widths"]}, len(classes))


def _taught(cell: Cell, context: Context, parts: _Parts, classes: Sequence[str]) -> Any:
    """The teacher: trained on the labelled images alone."""
    import torch

    from lab.recipes import Recipe

    torch.manual_seed(cell.seed or 0)
    model = _teacher_network(cell.settings, classes)
    model.whiten(parts.data.normalised(parts.labelled.images[:5_000]))
    labelled, recipe = replace(parts.data, train=parts.labelled), Recipe.of(cell.settings["teacher"])
    history = experiments.fit(model, labelled, recipe, cell, context, name="teacher")
    model.eval()
    return model, history


def _scores(
    cell: Cell, context: Context, parts: _Parts, classes: Sequence[str]
) -> tuple[list[NDArray[Any]], bool]:
    """Probabilities that the teacher gives the unlabelled, the validation and the test images, (N, classes)
    each, kept in the user's cache; and whether its training diverged, which leaves them all equal.
    """
    import hashlib

    import numpy as np

    from lab import training
    from lab.datasets.cache import kept_array
    from lab.networks import REVISION
    from lab.recipes import Recipe

    recipe = Recipe.of(cell.settings["teacher"])
    dtype = training.precision_of(recipe, context.device, _teacher_network(cell.settings, classes))
    assert parts.validation is not None and parts.test is not None
    judged = (parts.unlabelled, parts.validation, parts.test)
    pixels = hashlib.sha256()
    for part in (parts.labelled, *judged):
        for values in (part.images, part.labels):
            pixels.update(np.ascontiguousarray(values.cpu().numpy()).data)

    def made() -> NDArray[Any]:
        model, history = _taught(cell, context, parts, classes)
        logits = [training.predict(model, part.images, parts.data, dtype) for part in judged]
        found = np.concatenate([one.float().softmax(1).cpu().numpy() for one in logits])
        return np.full_like(found, np.nan) if history.outcome == "diverged" else found

    identity = (TEACHER, cell.settings["widths"], recipe, cell.seed, str(dtype), pixels.hexdigest())
    scores = kept_array("teachers", (*identity, REVISION, training.REVISION), made)
    ends = np.cumsum([len(part) for part in judged])[:-1]
    return np.split(np.nan_to_num(scores), ends), not np.isfinite(scores).all()


def _teacher(cell: Cell, context: Context, parts: _Parts, classes: Sequence[str]) -> Outcome:
    """How good the teacher is, and how right the labels are that it gives."""
    import torch

    from lab.pseudo_labels import surest

    (scores, validation, test), diverged = _scores(cell, context, parts, classes)
    assert parts.validation is not None and parts.test is not None
    truth = parts.unlabelled.labels.cpu().numpy()
    settings = cell.settings
    most = surest(scores, max(settings["k"]), settings["p"][0])
    right, bins = most.right(truth), most.ranks // settings["bin"]
    return {
        "validation_accuracy": _accuracy(validation, parts.validation),
        "test_accuracy": _accuracy(test, parts.test),
        "predicted": records.classified(
            torch.from_numpy(test).clamp(min=1e-12).log(), parts.test.labels.cpu(), classes
        ),
        "diverged": diverged,
        "chosen": [
            {"k": k, "p": p} | _told(surest(scores, k, p), truth)
            for p in settings["p"]
            for k in settings["k"]
        ],
        "precision": [float(right[bins == one].mean()) for one in range(int(bins.max()) + 1)],
        "unlabelled": len(truth),
    }


def _accuracy(scores: NDArray[Any], images: Images) -> float:
    return float((scores.argmax(1) == images.labels.cpu().numpy()).mean())


def _told(chosen: Chosen, truth: NDArray[np.int64]) -> Outcome:
    return {
        "labels": len(chosen),
        "several": chosen.several,
        "precision": float(chosen.right(truth).mean()),
    }


def _student(cell: Cell, context: Context, parts: _Parts, classes: Sequence[str]) -> Outcome:
    """Trained on what the teacher chose, or as the baseline on the labelled images; then on these."""
    import numpy as np
    import torch

    from lab.pseudo_labels import surest
    from lab.recipes import Recipe
    from lab.sampling import Rounds
    from lab.training import Images, precision_of

    settings, seed = cell.settings, cell.seed or 0
    told: Outcome = {}
    shown = parts.labelled
    if "k" in settings:
        pool = _pool(cell, parts)
        (scores, _, _), _ = _scores(cell, context, parts, classes)
        chosen = surest(scores[pool], settings["k"], settings["p"])
        truth = parts.unlabelled.labels.cpu().numpy()[pool]
        told = _told(chosen, truth) | {
            "class_sizes": np.bincount(truth, minlength=len(classes)).tolist(),
            "class_labels": np.bincount(chosen.labels, minlength=len(classes)).tolist(),
            "class_right": np.bincount(chosen.labels[chosen.right(truth)], minlength=len(classes)).tolist(),
        }
        device = shown.labels.device
        some = _some(parts.unlabelled, torch.from_numpy(pool[chosen.images]).to(device))
        shown = Images(some.images, torch.from_numpy(chosen.labels).to(device))
    torch.manual_seed(seed)
    model = experiments.network(STUDENT, {}, len(classes))
    recipes = {part: Recipe.of(settings[part]) for part in ("student", "finetune")}
    dtype = precision_of(recipes["student"], context.device, model)
    told["diverged"] = False
    for part, images, order in (
        ("student", shown, Rounds(settings["shown"])),
        ("finetune", parts.labelled, None),
    ):
        data = replace(parts.data, train=images)
        history = experiments.fit(model, data, recipes[part], cell, context, order=order, name=part)
        told["diverged"] |= history.outcome == "diverged"
        model.eval()
        if part == "student":
            told["before_finetuning"] = _measured(model, parts, dtype, classes)["test_accuracy"]
    return told | _measured(model, parts, dtype, classes)


def _best_k(parameters: TeacherParameters, outcomes: Mapping[str, Outcome]) -> int:
    """That with the highest mean validation accuracy over seeds."""

    def reached(k: int) -> float:
        runs = records.runs_named(outcomes, f"k/{k}")
        return sum(run["validation_accuracy"] for run in runs) / len(runs)

    return max(parameters.k, key=reached)


def _runs(parameters: TeacherParameters, outcomes: Mapping[str, Outcome]) -> dict[str, list[Outcome]]:
    """By teacher, supervised, k/<K> and p/<P>, of which the first P is that of the largest K."""
    names = ["teacher", "supervised", *(f"k/{k}" for k in parameters.k)]
    runs = {name: records.runs_named(outcomes, name) for name in names}
    runs |= {f"p/{p}": records.runs_named(outcomes, f"p/{p}") for p in parameters.p[1:]}
    return runs | {f"p/{parameters.p[0]}": runs[f"k/{max(parameters.k)}"]}


def _metrics(
    parameters: TeacherParameters, runs: Mapping[str, Sequence[Outcome]], best: int
) -> dict[str, Metric]:
    words = {"teacher": "the teacher", "supervised": "the student's network on the labelled images alone"}
    words |= {f"k/{k}": f"student, {k} images a class" for k in parameters.k}
    words |= {f"p/{p}": f"student at the largest K, top {p} classes an image" for p in parameters.p}
    metrics: dict[str, Metric] = {}
    for name, said in words.items():
        metrics[f"{name}/test_accuracy"] = records.over_seeds(
            runs[name], "test_accuracy", f"Test accuracy: {said}"
        )
        if name not in ("teacher", "supervised"):
            metrics[f"{name}/precision"] = records.over_seeds(
                runs[name], "precision", f"Share of right labels: {said}"
            )
            metrics[f"{name}/before_finetuning"] = records.over_seeds(
                runs[name], "before_finetuning", f"Test accuracy before fine-tuning: {said}"
            )
    metrics["student/test_accuracy"] = metrics[f"k/{best}/test_accuracy"]
    metrics["best_k"] = builders.metric(best, "K with the highest validation accuracy", "images")
    smallest, largest = min(parameters.k), max(parameters.k)
    metrics["smallest_k/precision"] = metrics[f"k/{smallest}/precision"]
    metrics["largest_k/precision"] = metrics[f"k/{largest}/precision"]
    for key, value, title, unit in (
        ("labelled", parameters.labelled, "Labelled images", "images"),
        ("unlabelled", runs["teacher"][0]["unlabelled"], "Unlabelled images", "images"),
        ("shown", parameters.rounds * parameters.shown, "Images shown to a student", "images"),
        ("smallest_k", smallest, "Smallest K", "images"),
        ("largest_k", largest, "Largest K", "images"),
        ("seeds", parameters.seeds, "Seeds", ""),
    ):
        metrics[f"data/{key}"] = builders.metric(value, title, unit)
    return metrics


def _comparisons(
    parameters: TeacherParameters, runs: Mapping[str, Sequence[Outcome]], best: int
) -> dict[str, tuple[Comparison, str]]:
    """By name, each with its words; one family."""
    smallest, largest, first = min(parameters.k), max(parameters.k), parameters.p[0]
    pairs = {
        "gain": (f"k/{best}", "supervised", "best student less its network on the labelled images alone"),
        "over_teacher": (f"k/{best}", "teacher", "best student less teacher"),
        "rise": (f"k/{best}", f"k/{smallest}", "best K less the smallest"),
        "fall": (f"k/{largest}", f"k/{best}", "the largest K less the best"),
    }
    for p in parameters.p[1:]:
        pairs[f"p/{p}"] = (f"p/{p}", f"p/{first}", f"at the largest K, top {p} classes less top {first}")
    values = {name: [run["test_accuracy"] for run in found] for name, found in runs.items()}
    found = comparing.compared(
        {name: (values[one], values[other]) for name, (one, other, _) in pairs.items()}
    )
    return {name: (found[name], said) for name, (_, _, said) in pairs.items()}


def _differences_table(
    parameters: TeacherParameters, comparisons: Mapping[str, tuple[Comparison, str]]
) -> Table:
    return builders.table(
        "Differences of test accuracy (percentage points) between students, their teacher and the student's "
        "network on the labelled images alone. Differences are paired by seed; brackets are 95% confidence "
        f"intervals over {counted(parameters.seeds, 'seeds')}, each for one comparison alone.",
        {
            "what": builders.text("Difference"),
            "difference": supervision.DIFFERENCE,
            "p": supervision.P_VALUE,
        },
        [
            {
                "what": said[:1].upper() + said[1:],
                "difference": builders.estimate(one.difference, "seeds"),
                "p": one.p,
            }
            for one, said in comparisons.values()
        ],
        notes=("p-values are adjusted by Holm's method for the comparisons of the table.",),
    )


def _results_table(
    parameters: TeacherParameters, metrics: Mapping[str, Metric], runs: Mapping[str, Sequence[Outcome]]
) -> Table:
    first = parameters.p[0]
    rows: dict[str, tuple[str, int | None, int | None]] = {
        "teacher": ("Teacher", None, None),
        "supervised": ("Student's network, labelled images alone", None, None),
    }
    rows |= {f"k/{k}": ("Student", k, first) for k in parameters.k}
    rows |= {f"p/{p}": ("Student", max(parameters.k), p) for p in parameters.p[1:]}
    body: list[dict[str, builders.Cell]] = []
    for name, (what, k, p) in rows.items():
        cells: dict[str, builders.Cell] = {
            "what": what,
            "k": k,
            "p": p,
            "accuracy": metrics[f"{name}/test_accuracy"],
        }
        if k is not None:
            cells |= {
                "precision": metrics[f"{name}/precision"].value,
                "before": metrics[f"{name}/before_finetuning"].value,
            }
        body.append(cells)
    return builders.table(
        "Test accuracy (%) of teacher and students by the number K of images selected per class and the "
        "number P of classes considered per image, with the share of selected labels that are correct. "
        f"Means over {counted(parameters.seeds, 'seeds')}; brackets are 95% confidence intervals over them.",
        {
            "what": builders.text("Network"),
            "k": builders.integer("K"),
            "p": builders.integer("P"),
            "precision": builders.percent("Correct labels"),
            "before": builders.percent("Before fine-tuning"),
            "accuracy": builders.percent("Test accuracy"),
        },
        body,
        notes=(
            "Each seed has labelled images of its own. Every student is shown "
            f"{parameters.rounds * parameters.shown:,} images before it is fine-tuned.",
        ),
    )


def _chosen_table(parameters: TeacherParameters, teachers: Sequence[Outcome]) -> Table:
    """What each P would choose at the smallest and the largest K; for this no student is trained."""
    ends = (min(parameters.k), max(parameters.k))
    body: list[dict[str, builders.Cell]] = []
    for at, choice in enumerate(teachers[0]["chosen"]):
        if choice["k"] in ends:
            found = [teacher["chosen"][at] for teacher in teachers]
            means = {key: fmean(one[key] for one in found) for key in ("labels", "several", "precision")}
            body.append({"k": choice["k"], "p": choice["p"]} | means)
    return builders.table(
        "Images that the teacher selects, by the number K per class and the number P of classes considered "
        "per image: labels given, images that are selected for several classes, and the share of labels that "
        f"are correct. Means over {counted(len(teachers), 'teachers')}.",
        {
            "k": builders.integer("K"),
            "p": builders.integer("P"),
            "labels": builders.number("Labels", ",.0f"),
            "several": builders.number("Images in several classes", ",.0f"),
            "precision": builders.percent("Correct labels"),
        },
        sorted(body, key=lambda cells: (cells["k"], cells["p"])),
    )


def _k_chart(parameters: TeacherParameters, metrics: Mapping[str, Metric]) -> Chart:
    return builders.trend(
        "Test accuracy of the student by the number K of unlabelled images that the teacher selects per "
        f"class ({metrics['data/labelled'].value:,} labelled and {metrics['data/unlabelled'].value:,} "
        f"unlabelled "
        "images). Points are means; horizontal lines are the teacher and the student's architecture trained "
        "on the labelled images alone.",
        {"Student": {float(k): metrics[f"k/{k}/test_accuracy"] for k in parameters.k}},
        builders.percent("Test accuracy"),
        x=Axis(label="K, images selected per class", scale="log"),
        references={
            label: metrics[f"{name}/test_accuracy"].value
            for name, label in (("teacher", "Teacher"), ("supervised", "Labelled images alone"))
        },
    )


def _precision_chart(parameters: TeacherParameters, teachers: Sequence[Outcome]) -> Chart:
    courses = [teacher["precision"] for teacher in teachers]
    bins = range(min(map(len, courses)))
    at = [[100 * course[index] for course in courses] for index in bins]
    series = Series(
        label="Correct labels",
        x=tuple((index + 0.5) * parameters.bin for index in bins),
        y=tuple(map(fmean, at)),
        low=tuple(map(min, at)),
        high=tuple(map(max, at)),
    )
    return Chart(
        kind="line",
        caption="Share of correct labels among the selected images by their rank within their class, from "
        f"the image of which the teacher is most confident. Each point is of {parameters.bin} ranks and a "
        f"mean "
        f"over {counted(parameters.seeds, 'seeds')}; the band reaches from the lowest to the highest.",
        alt=f"The share of correct labels falls from {series.y[0]:.0f}% among the first ranks to "
        f"{series.y[-1]:.0f}% among the last.",
        x=Axis(label="Rank within the class"),
        y=Axis(label="Correct labels", unit="%"),
        series=(series,),
    )


def _findings(
    parameters: TeacherParameters,
    metrics: Mapping[str, Metric],
    outcomes: Mapping[str, Outcome],
    best: int,
    comparisons: Mapping[str, tuple[Comparison, str]],
) -> dict[str, Finding]:
    def significant(statement: str, verdict: str, *names: str) -> Finding:
        return builders.statement(
            f"{statement}, significantly after Holm's correction",
            any(comparisons[name][0].verdict == verdict for name in names),
            *tuple(f"{name}/difference" for name in names),
        )

    others = [f"p/{p}" for p in parameters.p[1:]]
    first = parameters.p[0]
    return {
        "student_beats_supervised": significant(
            "The best student beats its network on the labelled images alone", "more", "gain"
        ),
        "student_beats_teacher": significant("The best student beats its teacher", "more", "over_teacher"),
        "teacher_beats_student": significant("The teacher beats its best student", "less", "over_teacher"),
        "rises": significant("Accuracy rises from the smallest K to the best", "more", "rise"),
        "falls": significant("Accuracy falls from the best K to the largest", "less", "fall"),
        "best_k_is_inside": builders.statement(
            "The best K is neither the smallest nor the largest that was tried",
            min(parameters.k) < best < max(parameters.k),
            "best_k",
        ),
        "precision_falls": builders.statement(
            "The more images are chosen a class, the fewer of the labels are right",
            all(
                metrics[f"k/{more}/precision"].value < metrics[f"k/{fewer}/precision"].value
                for fewer, more in zip(sorted(parameters.k), sorted(parameters.k)[1:], strict=False)
            ),
            *tuple(f"k/{k}/precision" for k in parameters.k),
        ),
        "p_matters_at_the_largest_k_only": builders.statement(
            "Below the largest K as many labels are chosen, and as many are right, whatever P is",
            all(
                len({(one["labels"], one["several"], one["precision"]) for one in found}) == 1
                for teacher in records.runs_named(outcomes, "teacher")
                for k in parameters.k
                if k < max(parameters.k)
                for found in [[one for one in teacher["chosen"] if one["k"] == k]]
            ),
        ),
        "student_over_supervised": _sentences(
            comparisons["gain"][0],
            "gain/difference",
            more="The unlabelled images significantly improve the student, by {}.",
            less="The unlabelled images significantly harm the student: the difference is {}.",
            same="The unlabelled images do not change the accuracy of the student significantly: the "
            "difference is {}.",
        ),
        "student_over_teacher": _sentences(
            comparisons["over_teacher"][0],
            "over_teacher/difference",
            more="The student is significantly more accurate than its teacher: the difference is {}.",
            less="The student is significantly less accurate than its teacher: the difference is {}.",
            same="The student does not differ significantly from its teacher: the difference is {}.",
        ),
        "rise_with_k": _sentences(
            comparisons["rise"][0],
            "rise/difference",
            more="In our experiment, accuracy rises significantly from the smallest to the best K, by {}.",
            less="In our experiment, accuracy falls significantly from the smallest to the best K: the "
            "difference is {}.",
            same="In our experiment, accuracy does not differ significantly between the smallest and the "
            "best K: the difference is {}.",
        ),
        "fall_with_k": _sentences(
            comparisons["fall"][0],
            "fall/difference",
            more="From the best to the largest K, it rises significantly, by {}.",
            less="From the best to the largest K, it falls significantly: the difference is {}.",
            same="From the best to the largest K, the change of {} is not significant, so that our "
            "experiment "
            "does not show the fall.",
        ),
        "more_classes_help": significant(f"Some P above {first} does better than it", "more", *others),
        "more_classes_harm": significant(f"Some P above {first} does worse than it", "less", *others),
        "no_run_diverged": records.none_diverged(outcomes),
    }


def _sentences(one: Comparison, name: str, *, more: str, less: str, same: str) -> Finding:
    """A finding with the sentence of each verdict; {} is the place of the difference."""
    number = f"{{{name}:points ci unit}}"
    return one.finding(
        more.replace(", by {}", "").replace(": the difference is {}", "").removesuffix("."),
        name,
        more=more.format(number),
        less=less.format(number),
        same=same.format(number),
    )


analysis = TeacherStudent()
