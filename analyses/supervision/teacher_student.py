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
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from analyses import experiments
from analyses.classification.cifar10_designs import recipe_a, recipe_b
from analyses.experiments import FRACTION, Comparison, DataChoice
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from analyses.supervision import _supervision as supervision
from analyses.supervision._tail import Tail
from results.schema import Axis, Chart, Column, Finding, Metric, Row, Series, Table

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
            "chosen": _chosen_table(runs["teacher"]),
            "recipe": experiments.recipe_table(
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
        tailed = {p: experiments.of(outcomes, f"tail/p/{p}") for p in parameters.p}
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
    predicted = experiments.classified(
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
    from lab.training import fit

    torch.manual_seed(cell.seed or 0)
    model = _teacher_network(cell.settings, classes)
    model.whiten(parts.data.normalised(parts.labelled.images[:5_000]))
    history = fit(
        model,
        replace(parts.data, train=parts.labelled),
        Recipe.of(cell.settings["teacher"]),
        seed=cell.seed or 0,
        checkpoint=context.scratch / "teacher.pt",
        report=context.report,
    )
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
        "predicted": experiments.classified(
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
    from lab.training import Images, fit, precision_of

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
        history = fit(
            model,
            replace(parts.data, train=images),
            recipes[part],
            order=order,
            seed=seed,
            checkpoint=context.scratch / f"{part}.pt",
            report=context.report,
        )
        told["diverged"] |= history.outcome == "diverged"
        model.eval()
        if part == "student":
            told["before_finetuning"] = _measured(model, parts, dtype, classes)["test_accuracy"]
    return told | _measured(model, parts, dtype, classes)


def _best_k(parameters: TeacherParameters, outcomes: Mapping[str, Outcome]) -> int:
    """That with the highest mean validation accuracy over seeds."""

    def reached(k: int) -> float:
        runs = experiments.of(outcomes, f"k/{k}")
        return sum(run["validation_accuracy"] for run in runs) / len(runs)

    return max(parameters.k, key=reached)


def _runs(parameters: TeacherParameters, outcomes: Mapping[str, Outcome]) -> dict[str, list[Outcome]]:
    """By teacher, supervised, k/<K> and p/<P>, of which the first P is that of the largest K."""
    names = ["teacher", "supervised", *(f"k/{k}" for k in parameters.k)]
    runs = {name: experiments.of(outcomes, name) for name in names}
    runs |= {f"p/{p}": experiments.of(outcomes, f"p/{p}") for p in parameters.p[1:]}
    return runs | {f"p/{parameters.p[0]}": runs[f"k/{max(parameters.k)}"]}


def _metrics(
    parameters: TeacherParameters, runs: Mapping[str, Sequence[Outcome]], best: int
) -> dict[str, Metric]:
    words = {"teacher": "the teacher", "supervised": "the student's network on the labelled images alone"}
    words |= {f"k/{k}": f"student, {k} images a class" for k in parameters.k}
    words |= {f"p/{p}": f"student at the largest K, top {p} classes an image" for p in parameters.p}
    metrics: dict[str, Metric] = {}
    for name, said in words.items():
        metrics[f"{name}/test_accuracy"] = experiments.over_seeds(
            runs[name], "test_accuracy", f"Test accuracy: {said}"
        )
        if name not in ("teacher", "supervised"):
            metrics[f"{name}/precision"] = experiments.over_seeds(
                runs[name], "precision", f"Share of right labels: {said}"
            )
            metrics[f"{name}/before_finetuning"] = experiments.over_seeds(
                runs[name], "before_finetuning", f"Test accuracy before fine-tuning: {said}"
            )
    metrics["student/test_accuracy"] = metrics[f"k/{best}/test_accuracy"]
    metrics["best_k"] = Metric(value=best, title="K with the highest validation accuracy", unit="images")
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
        metrics[f"data/{key}"] = Metric(value=value, title=title, unit=unit)
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
    found = experiments.compared(
        {name: (values[one], values[other]) for name, (one, other, _) in pairs.items()}
    )
    return {name: (found[name], said) for name, (_, _, said) in pairs.items()}


def _differences_table(
    parameters: TeacherParameters, comparisons: Mapping[str, tuple[Comparison, str]]
) -> Table:
    return Table(
        caption="Differences of test accuracy between students, their teacher and the labelled images alone.",
        columns=(Column(key="what", label="Difference"), *experiments.comparison_columns()),
        rows=tuple(
            Row(cells={"what": said[:1].upper() + said[1:]} | one.cells())
            for one, said in comparisons.values()
        ),
        notes=(experiments.comparison_note(parameters.seeds, "what is named"),),
    )


def _results_table(
    parameters: TeacherParameters, metrics: Mapping[str, Metric], runs: Mapping[str, Sequence[Outcome]]
) -> Table:
    first = parameters.p[0]
    rows: dict[str, tuple[str, int | None, int | None]] = {
        "teacher": ("Teacher", None, None),
        "supervised": ("Labelled images alone", None, None),
    }
    rows |= {f"k/{k}": ("Student", k, first) for k in parameters.k}
    rows |= {f"p/{p}": ("Student", max(parameters.k), p) for p in parameters.p[1:]}
    body = []
    for name, (what, k, p) in rows.items():
        reached = metrics[f"{name}/test_accuracy"]
        cells: dict[str, Any] = {"what": what, "k": k, "p": p}
        cells |= {"accuracy": reached.value, "low": reached.low, "high": reached.high}
        if k is not None:
            cells |= {
                "precision": metrics[f"{name}/precision"].value,
                "before": metrics[f"{name}/before_finetuning"].value,
            }
        body.append(Row(cells=cells))
    number: dict[str, Any] = {"type": "number", "format": ".3f"}
    return Table(
        caption="Test accuracy of teacher and students, by the number K of images chosen a class and the "
        "number P of classes kept an image.",
        columns=(
            Column(key="what", label="Network"),
            Column(key="k", label="K", type="integer"),
            Column(key="p", label="P", type="integer"),
            Column(key="precision", label="Right labels", **number),
            Column(key="before", label="Before fine-tuning", **number),
            Column(key="accuracy", label="Test accuracy", **number),
            Column(key="low", label="95% from", **number),
            Column(key="high", label="to", **number),
        ),
        rows=tuple(body),
        notes=(
            f"Means over {parameters.seeds} seeds, each with labelled images of its own. Every student is "
            f"shown {parameters.rounds * parameters.shown:,} images before it is fine-tuned.",
        ),
    )


def _chosen_table(teachers: Sequence[Outcome]) -> Table:
    """What each K and P would choose; for this no student is trained."""
    body = []
    for at, choice in enumerate(teachers[0]["chosen"]):
        found = [teacher["chosen"][at] for teacher in teachers]
        means = {
            key: sum(one[key] for one in found) / len(found) for key in ("labels", "several", "precision")
        }
        body.append(Row(cells={"k": choice["k"], "p": choice["p"]} | means))
    return Table(
        caption="What is chosen by K and P: labels given, images that serve several classes, and the share "
        "of labels that are right; means over seeds.",
        columns=(
            Column(key="p", label="P", type="integer"),
            Column(key="k", label="K", type="integer"),
            Column(key="labels", label="Labels", type="number", format=",.0f"),
            Column(key="several", label="Images in several classes", type="number", format=",.0f"),
            Column(key="precision", label="Right labels", type="number", format=".3f"),
        ),
        rows=tuple(body),
    )


def _k_chart(parameters: TeacherParameters, metrics: Mapping[str, Metric]) -> Chart:
    ks = tuple(map(float, parameters.k))
    found = [metrics[f"k/{k}/test_accuracy"] for k in parameters.k]
    students = Series(
        label="Student", x=ks, y=tuple(one.value for one in found), **experiments.interval(found)
    )
    ends = (ks[0], ks[-1])
    levels = [
        Series(label=label, x=ends, y=(metrics[f"{name}/test_accuracy"].value,) * 2)
        for name, label in (("teacher", "Teacher"), ("supervised", "Labelled images alone"))
    ]
    told = ", ".join(f"{value:.3f} at {k:g}" for k, value in zip(ks, students.y, strict=True))
    return Chart(
        kind="line",
        caption="Test accuracy of the student by the number of images that its teacher chooses a class, with "
        "95% intervals over seeds; beside it the teacher, and the student's network on the labelled images "
        "alone.",
        alt=f"Test accuracy of the student by K: {told}. The teacher has {levels[0].y[0]:.3f}, the labelled "
        f"images alone give {levels[1].y[0]:.3f}.",
        x=Axis(label="K, images chosen a class", scale="log"),
        y=Axis(label="Test accuracy", unit=FRACTION),
        series=(students, *levels),
    )


def _precision_chart(parameters: TeacherParameters, teachers: Sequence[Outcome]) -> Chart:
    courses = [teacher["precision"] for teacher in teachers]
    bins = range(min(map(len, courses)))
    at = [[course[index] for course in courses] for index in bins]
    series = Series(
        label="Right labels",
        x=tuple((index + 0.5) * parameters.bin for index in bins),
        y=tuple(sum(values) / len(values) for values in at),
        low=tuple(map(min, at)),
        high=tuple(map(max, at)),
    )
    return Chart(
        kind="line",
        caption="Share of right labels among the images of a rank in their class, the first being that of "
        f"which the teacher is surest; over {parameters.bin} ranks each, band: lowest and highest of "
        f"{parameters.seeds} seeds.",
        alt=f"The share of right labels falls from {series.y[0]:.2f} among the first ranks to "
        f"{series.y[-1]:.2f} among the last.",
        x=Axis(label="Rank in the class"),
        y=Axis(label="Right labels", unit=FRACTION),
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
        return Finding(
            statement=f"{statement}, significantly after Holm's correction",
            holds=any(comparisons[name][0].verdict == verdict for name in names),
            metrics=tuple(f"{name}/difference" for name in names),
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
        "best_k_is_inside": Finding(
            statement="The best K is neither the smallest nor the largest that was tried",
            holds=min(parameters.k) < best < max(parameters.k),
            metrics=("best_k",),
        ),
        "precision_falls": Finding(
            statement="The more images are chosen a class, the fewer of the labels are right",
            holds=all(
                metrics[f"k/{more}/precision"].value < metrics[f"k/{fewer}/precision"].value
                for fewer, more in zip(sorted(parameters.k), sorted(parameters.k)[1:], strict=False)
            ),
            metrics=tuple(f"k/{k}/precision" for k in parameters.k),
        ),
        "p_matters_at_the_largest_k_only": Finding(
            statement="Below the largest K as many labels are chosen, and as many are right, whatever P is",
            holds=all(
                len({(one["labels"], one["several"], one["precision"]) for one in found}) == 1
                for teacher in experiments.of(outcomes, "teacher")
                for k in parameters.k
                if k < max(parameters.k)
                for found in [[one for one in teacher["chosen"] if one["k"] == k]]
            ),
        ),
        "more_classes_help": significant(f"Some P above {first} does better than it", "more", *others),
        "more_classes_harm": significant(f"Some P above {first} does worse than it", "less", *others),
        "no_run_diverged": experiments.none_diverged(outcomes),
    }


analysis = TeacherStudent()
