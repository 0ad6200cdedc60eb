"""One training loop: `fit(model, data, recipe)` for every network that is trained on labelled images.

The images lie on the device as uint8 and are augmented and normalised a batch at a time; there is no loader
and no worker. On CPUs and GPUs that have it, arithmetic is bfloat16 under autocast, in channels-last order.
A run is decided by its seed, is saved after every epoch and taken up again exactly where it was.
"""

from __future__ import annotations

import copy
import io
import math
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.augmentation import Draw, augment, draw, kept_inside, move_boxes
from lab.datasets.images import Rows, in_file
from lab.recipes import Recipe, rate_factor

REVISION = 1  # to be raised when the same recipe and seed give another network
EVALUATED = 1_000  # images that are evaluated at a time
EVALUATED_BYTES = 1 << 27  # of their pixels, at most

T = TypeVar("T")


@dataclass(frozen=True)
class Images:
    """Labelled images on a device: uint8 (N, C, H, W); int64 (N,), or (N, 4) where the class is followed by
    the row, column and width of a square, which augmentation takes along and keeps on the image.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of(cls, images: Any, labels: Any, device: str) -> Images:
        """From arrays or an `ImageSet`'s; channels-last on the device. Those of a large set stay in their
        file, from which batches are copied.
        """
        on_device = torch.from_numpy(_writable(labels)).to(device)
        rows = in_file(images)
        if rows is not None:
            return cls(cast(Tensor, Streamed(rows, torch.device(device))), on_device)
        pixels = torch.from_numpy(_writable(images)).to(device, memory_format=torch.channels_last)
        return cls(pixels, on_device)


class Streamed:
    """Stands for a uint8 tensor (N, C, H, W) whose images are in a file: an index copies what it names to the
    device, channels-last. The same values as a tensor's, so the same training.
    """

    def __init__(self, rows: Rows, device: torch.device) -> None:
        self.rows, self.device = rows, device
        self.shape = torch.Size(rows.shape)
        self.dtype, self.ndim = torch.uint8, rows.ndim
        # images that are evaluated at a time: those of 16 MB
        self.batch = max(1, (1 << 24) // max(1, rows.nbytes // max(1, len(rows))))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Tensor:
        chosen = index.cpu().numpy() if isinstance(index, Tensor) else index
        taken = torch.from_numpy(self.rows[chosen])
        return taken.to(self.device, memory_format=torch.channels_last)


def _writable(array: Any) -> Any:
    import numpy as np

    return array if array.flags.writeable else np.array(array)


@dataclass(frozen=True)
class Data:
    """What a network is trained and judged on. mean, std: (C,) of pixel values in [0, 1].

    Validation data chooses (early stopping); test data is only ever measured.
    """

    train: Images
    mean: tuple[float, ...]
    std: tuple[float, ...]
    validation: Images | None = None
    test: Images | None = None
    _constants: dict[torch.device, tuple[Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def normalised(self, images: Tensor) -> Tensor:
        """uint8 (N, C, H, W) → float32 with mean 0 and deviation 1 a channel."""
        if images.device not in self._constants:  # a copy to a GPU in each step would wait for the one before
            mean, std = (
                torch.tensor(values, device=images.device).view(1, -1, 1, 1) * 255
                for values in (self.mean, self.std)
            )
            self._constants[images.device] = mean, std
        mean, std = self._constants[images.device]
        return (images.float() - mean) / std


def channel_statistics(images: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation a channel of a uint8 array (N, C, H, W), in [0, 1]."""
    import numpy as np

    counts = np.zeros((images.shape[1], 256), np.int64)
    for start in range(0, len(images), 100):  # bincount takes 8 bytes a value
        block = images[start : start + 100]
        for channel, own in enumerate(counts):
            own += np.bincount(block[:, channel].ravel(), minlength=256)
    values = np.arange(256) / 255
    share = counts / counts.sum(axis=1, keepdims=True)
    mean = share @ values
    deviation = np.sqrt(np.maximum(share @ values**2 - mean**2, 0))
    return tuple(map(float, mean)), tuple(float(max(value, 1e-3)) for value in deviation)


Outcome = Literal["finished", "stopped early", "diverged"]
DIVERGED_LOSS = 1e9  # nats: stands for a loss above it, or one that is no number, which JSON does not have


@dataclass
class History:
    """What was measured after each epoch: the loss and the accuracy of the objective, and the parts that it
    tells. Of a classification the loss is the plain cross-entropy (nats), also where labels are smoothed.

    train_loss and train_accuracy are running means over the epoch's augmented batches, as the weights change;
    the others are of the weights at its end. iteration_accuracy: of the batches since the iteration before,
    for each of `iterations`. best_epoch: 1-based; the one whose weights the model has. The epoch in which a
    run diverged is the last one.
    """

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of training; measuring is not included
    outcome: Outcome = "finished"
    parts: dict[str, list[float]] = field(default_factory=dict)  # "train/…", … what else the objective tells
    iterations: list[int] = field(default_factory=list)  # every 20 of an epoch, and its last
    iteration_accuracy: list[float] = field(default_factory=list)
    best_epoch: int = 0
    precision: str = "float32"
    batch: int = 0  # smaller than the recipe's where the device's memory did not hold that

    @property
    def epochs(self) -> int:
        return len(self.train_loss)

    def as_outcome(self) -> dict[str, Any]:
        return asdict(self)


def precision_of(recipe: Recipe, device: str, model: nn.Module) -> torch.dtype:
    """What `model` is trained and measured in: what the recipe says, or where it leaves the choice ("auto")
    bfloat16 where the device computes in it, but float32 for depthwise networks on a CPU.

    There a step of EfficientNet-Lite0 takes 1.6 to 2.6 times as long in bfloat16 as in float32, and one of a
    plain network 0.6 times as long (`benchmarks.precision`).
    """
    if recipe.precision == "float32":
        return torch.float32
    if recipe.precision == "bfloat16":
        return torch.bfloat16
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    native = device == "cpu" and _cpu_has_bfloat16() and not is_depthwise(model)
    return torch.bfloat16 if native else torch.float32


def is_depthwise(model: nn.Module) -> bool:
    """Whether some convolution of `model` has a group for each of its several channels."""
    return any(
        isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1
        for module in model.modules()
    )


def _cpu_has_bfloat16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _evaluated_at_a_time(images: Any) -> int:
    """Fewer of an image of more than 209 × 209 pixels: 1,000 of those take gigabytes as floats."""
    if isinstance(images, Streamed):
        return images.batch
    return max(1, min(EVALUATED, EVALUATED_BYTES // max(1, images[:1].numel())))


@torch.no_grad()
def predict(
    model: nn.Module,
    images: Tensor,
    data: Data,
    dtype: torch.dtype = torch.float32,
    *,
    six_views: bool = False,
) -> Tensor:
    """Logits (N, classes), float32, in evaluation mode. As many images at a time as the memory holds.

    six_views: their mean over the image, the image moved by a pixel to the upper left and to the lower right,
    which count half, and the mirror images of the three (the test-time augmentation of Jordan 2024).
    """

    def logits(part: slice) -> Tensor:
        batch = data.normalised(images[part]).contiguous(memory_format=torch.channels_last)
        with torch.autocast(batch.device.type, dtype, enabled=dtype != torch.float32):
            if not six_views:
                plain: Tensor = model(batch).float()
                return plain
            height, width = batch.shape[2:]
            padded = F.pad(batch, (1, 1, 1, 1), mode="reflect")
            moved = (padded[..., corner : corner + height, corner : corner + width] for corner in (0, 2))
            views = zip((0.5, 0.25, 0.25), (batch, *moved), strict=True)
            means = (
                weight * (model(view).float() + model(view.flip(-1)).float()) / 2 for weight, view in views
            )
            return reduce(add, means)

    training = model.training
    model.eval()
    found = torch.cat(list(_in_parts(len(images), logits, _evaluated_at_a_time(images))))
    model.train(training)
    return found


class OutOfMemory(MemoryError):
    """Not even the smallest batch fits."""


def _in_parts(
    count: int, evaluate: Callable[[slice], T], most: int = EVALUATED, group: int = 1
) -> Iterator[T]:
    """What `evaluate` gives of `most` of `count` images at a time, or of as many as the memory holds.

    group: images that stay together. OutOfMemory where not even one group fits.
    """
    size = min(max(most // group, 1) * group, count)
    start = 0
    while start < count:
        try:
            found = evaluate(slice(start, start + size))
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            if size <= group:
                raise OutOfMemory(
                    f"the memory does not hold the evaluation of {_images(group)} at a time"
                ) from error
        else:
            yield found
            start += size
            continue
        # only here has the error let go of what the evaluation held
        size = max(size // 2 // group * group, group)
        _free_memory()


def _images(count: int) -> str:
    return "one image" if count == 1 else f"{count} images"


def _free_memory() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def measure(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy in nats, and accuracy."""
    return F.cross_entropy(logits, labels).item(), (logits.argmax(1) == labels).float().mean().item()


class Objective(Protocol):
    """What is minimised, and what is told of a batch; `model.training` says which of the two is asked for."""

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss to minimise, and means over the batch: "loss", "accuracy", and any parts by name."""


@dataclass(frozen=True)
class Classification:
    """Cross-entropy of the model's logits (N, classes) with labels (N,), which are smoothed in training."""

    label_smoothing: float = 0.0

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        logits = model(images).float()
        plain = F.cross_entropy(logits, labels)
        smoothed = model.training and self.label_smoothing
        loss = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing) if smoothed else plain
        return loss, {"loss": plain.detach(), "accuracy": (logits.argmax(1) == labels).float().mean()}


#: Measures a network as it is after an epoch, by name, and leaves it as it was.
Watch = Callable[[nn.Module], Mapping[str, float]]


class Order(Protocol):
    """Which images an epoch shows, and in which order.

    An order whose images belong together in groups, such as pairs, has their number as its `unit`: a batch
    is only ever cut between groups.
    """

    def __call__(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Indices of images, (any number,) int64; of each batch the next ones."""


def fit(
    model: nn.Module,
    data: Data,
    recipe: Recipe,
    objective: Objective | None = None,
    *,
    order: Order | None = None,
    watch: Watch | None = None,
    seed: int = 0,
    checkpoint: Path | None = None,
    report: Callable[[float, str], None] = lambda fraction, message: None,
) -> History:
    """Train `model` in place, on the device of the data, and return what was measured.

    objective: classification with the recipe's label smoothing, unless another is given. order: of the images
    of an epoch, by default all of them, shuffled. watch: what else is measured after every epoch; the parts
    "watched/…" of the history. With a `checkpoint` file the state is saved after every epoch, and a run that
    finds one goes on from there to the very weights that it would have had (on a CPU, with the same number of
    threads). A training or validation loss that is DIVERGED_LOSS, or a weight that is no number, ends the run
    as "diverged". Where the memory does not hold the training of a batch, the batch is halved and the run
    begins again; where it does not hold an evaluation, fewer images are evaluated at a time, which changes
    nothing else.

    ValueError where early stopping has no validation data, or a batch is not of whole groups of the order;
    MemoryError where not even one image, or group, fits; OSError where the checkpoint cannot be written.
    """
    if recipe.patience and data.validation is None:
        raise ValueError("patience needs validation data, and there is none")
    batch = recipe.batch if order else min(recipe.batch, len(data.train))
    group = getattr(order, "unit", 1)
    if batch % group:
        raise ValueError(f"the batch is {batch}, and must be a multiple of the {group} images of a group")
    objective = objective or Classification(recipe.label_smoothing)
    beginning = copy.deepcopy(model.state_dict())
    while True:
        try:
            run = _Run(model, data, recipe, objective, order, batch, seed, watch)
            return run.train(checkpoint, report)
        except OutOfMemory:
            raise
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            if batch <= group:
                raise OutOfMemory(
                    f"the memory does not hold the training of {_images(group)} at a time"
                ) from error
        # only here has the error let go of what the run held
        batch = max(batch // 2 // group * group, group)
        model.load_state_dict(beginning)
        if checkpoint:
            checkpoint.unlink(missing_ok=True)
        _free_memory()


def _is_out_of_memory(error: Exception) -> bool:
    """On a CPU torch raises a RuntimeError that only its text tells from others."""
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or "DefaultCPUAllocator" in str(error)


class _Means:
    """Means over images of what is told a batch at a time."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.count = 0

    def add(self, means: dict[str, Tensor], count: int) -> None:
        for name, value in means.items():
            self.sums[name] = self.sums.get(name, 0) + value.detach() * count
        self.count += count

    def means(self) -> dict[str, float]:
        return {name: value.item() / self.count for name, value in self.sums.items()}


@torch.no_grad()
def evaluate(
    model: nn.Module,
    images: Images,
    data: Data,
    objective: Objective,
    dtype: torch.dtype = torch.float32,
    *,
    group: int = 1,
) -> dict[str, float]:
    """What the objective tells of labelled images in evaluation mode, means over all of them. group: images
    that belong together, as in an `Order`."""

    def evaluate(part: slice) -> tuple[dict[str, Tensor], int]:
        batch = data.normalised(images.images[part]).contiguous(memory_format=torch.channels_last)
        with torch.autocast(batch.device.type, dtype, enabled=dtype != torch.float32):
            _, means = objective(model, batch, images.labels[part])
        return means, len(batch)

    training = model.training
    model.eval()
    running_means = _Means()
    for means, count in _in_parts(len(images), evaluate, _evaluated_at_a_time(images.images), group):
        running_means.add(means, count)
    model.train(training)
    return running_means.means()


class _Run:
    """One training run at one batch size: what changes from step to step."""

    def __init__(
        self,
        model: nn.Module,
        data: Data,
        recipe: Recipe,
        objective: Objective,
        order: Order | None,
        batch: int,
        seed: int,
        watch: Watch | None = None,
    ) -> None:
        self.data, self.recipe, self.objective, self.seed = data, recipe, objective, seed
        self.order, self.batch, self.watch = order, batch, watch
        self.device = data.train.images.device
        self.dtype = precision_of(recipe, self.device.type, model)
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.model) if recipe.ema else None
        self.forward: nn.Module = (
            cast(nn.Module, torch.compile(self.model)) if recipe.compile else swap_relu_maxpool(self.model)
        )
        self.optimizer = _optimizer(self.model, recipe)
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]
        self.generator = torch.Generator().manual_seed(seed)
        self.history = History(precision=str(self.dtype).removeprefix("torch."), batch=self.batch)
        self.best: dict[str, Tensor] = {}
        torch.manual_seed(seed)  # dropout

    def train(self, checkpoint: Path | None, report: Callable[[float, str], None]) -> History:
        recipe, history = self.recipe, self.history
        if checkpoint and checkpoint.exists():
            self._restore(checkpoint)
            history = self.history
        while history.epochs < recipe.epochs and history.outcome == "finished":
            self._epoch(report)
            self._evaluate()
            waited = history.epochs - history.best_epoch
            if history.outcome == "finished" and recipe.patience and waited >= recipe.patience:
                history.outcome = "stopped early"
            if checkpoint:
                self._save(checkpoint)
            report(history.epochs / recipe.epochs, self._message())
        if self.best:
            self.model.load_state_dict(self.best)
        elif self.average is not None and history.outcome != "diverged":
            self.model.load_state_dict(self.average.state_dict())
        return history

    def _message(self) -> str:
        history = self.history
        accuracy = history.validation_accuracy or history.test_accuracy or history.train_accuracy
        return f"epoch {history.epochs}, loss {history.train_loss[-1]:.3f}, accuracy {accuracy[-1]:.3f}"

    def _epoch(self, report: Callable[[float, str], None]) -> None:
        recipe, train, epoch = self.recipe, self.data.train, self.history.epochs
        started = time.perf_counter()
        if self.order is None:
            order = torch.randperm(len(train), generator=self.generator).to(self.device)
        else:
            order = self.order(train.labels, self.generator).to(self.device)
        choices = draw(recipe.augmentation, len(train), epoch, self.seed, self.generator).to(str(self.device))
        if train.labels.ndim > 1:
            choices = kept_inside(choices, train.labels[:, 1:], train.images.shape[-1])
        steps = math.ceil(len(order) / self.batch)
        self.model.train()
        self.forward.train()
        running_means = _Means()
        recorded, right = 0, 0.0  # images, and right predictions of them, up to the last recorded iteration
        for step in range(steps):
            indices = order[step * self.batch : (step + 1) * self.batch]
            self._set_rate((epoch * steps + step) / (recipe.epochs * steps), epoch)
            running_means.add(self._step(indices, choices), len(indices))
            if step % 20 == 19:
                if not math.isfinite(running_means.sums["loss"].item()):
                    break
                report((epoch + step / steps) / recipe.epochs, f"epoch {epoch + 1}")
            if "accuracy" in running_means.sums and (step % 20 == 19 or step == steps - 1):
                accuracy = (running_means.sums["accuracy"].item() - right) / (running_means.count - recorded)
                recorded, right = running_means.count, running_means.sums["accuracy"].item()
                self.history.iterations.append(epoch * steps + step + 1)
                self.history.iteration_accuracy.append(round(accuracy, 4))
        over = running_means.means()
        if not (over["loss"] < DIVERGED_LOSS and _is_finite(self.model)):
            self.history.outcome = "diverged"
        self._record("train", over)
        self.history.seconds.append(time.perf_counter() - started)

    def _step(self, indices: Tensor, choices: Draw) -> dict[str, Tensor]:
        """Learn from the images `indices`, and tell the means over them. Nothing in it waits for a GPU."""
        recipe, train = self.recipe, self.data.train
        images = augment(train.images[indices], recipe.augmentation, choices, indices)
        images = self.data.normalised(images).contiguous(memory_format=torch.channels_last)
        labels = train.labels[indices]
        if labels.ndim > 1:
            squares = move_boxes(labels[:, 1:], choices, indices, train.images.shape[-1])
            labels = torch.cat([labels[:, :1], squares], 1)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            loss, means = self.objective(self.forward, images, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if recipe.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip)
        self.optimizer.step()
        if self.average is not None:
            self._average_weights()
        return means

    def _set_rate(self, progress: float, epoch: int) -> None:
        factor = rate_factor(self.recipe, progress, epoch)
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor

    @torch.no_grad()
    def _average_weights(self) -> None:
        assert self.average is not None
        for mean, now in zip(
            self.average.state_dict().values(), self.model.state_dict().values(), strict=True
        ):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - self.recipe.ema)
            else:
                mean.copy_(now)

    def _evaluate(self) -> None:
        history = self.history
        shown = self.average if self.average is not None else self.model
        for name, part in (("validation", self.data.validation), ("test", self.data.test)):
            if part is not None:
                group = getattr(self.order, "unit", 1)
                means = evaluate(shown, part, self.data, self.objective, self.dtype, group=group)
                self._record(name, means)
        if self.watch:
            for name, value in self.watch(shown).items():
                history.parts.setdefault(f"watched/{name}", []).append(value)
        if DIVERGED_LOSS in history.validation_loss[-1:]:
            history.outcome = "diverged"
        if not self.recipe.patience:
            history.best_epoch = history.epochs
        elif history.validation_loss[-1] <= min(history.validation_loss):
            history.best_epoch = history.epochs
            self.best = {name: value.clone() for name, value in shown.state_dict().items()}

    def _record(self, part: str, means: dict[str, float]) -> None:
        for name, value in means.items():
            if name in ("loss", "accuracy"):
                getattr(self.history, f"{part}_{name}").append(_recordable(value))
            else:
                self.history.parts.setdefault(f"{part}/{name}", []).append(_recordable(value))

    def _identity(self) -> str:
        """What a checkpoint must share with a run to be its own."""
        shapes = [(name, tuple(value.shape)) for name, value in self.model.state_dict().items()]
        done = (self.recipe, self.objective, self.order, self.seed, self.dtype, len(self.data.train), shapes)
        return repr(done)

    def _save(self, checkpoint: Path) -> None:
        """All that is needed to go on, in one piece: an old checkpoint stays where this fails."""
        state = {
            "run": self._identity(),
            "model": self.model.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "history": asdict(self.history),
            "generator": self.generator.get_state(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }
        content = io.BytesIO()  # torch.save to a file says RuntimeError where the disk is full
        torch.save(state, content)
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=checkpoint.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content.getbuffer())
            Path(temporary).replace(checkpoint)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _restore(self, checkpoint: Path) -> None:
        """Take up a saved run; with another run's file, or a damaged one, this begins at the beginning."""
        try:
            with zipfile.ZipFile(checkpoint) as archive:
                intact = archive.testzip() is None  # torch.load checks no sums
            state = torch.load(checkpoint, map_location="cpu", weights_only=True)
            if not intact or state["run"] != self._identity():
                return
        except Exception:
            return
        self.model.load_state_dict(state["model"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = {name: value.to(self.device) for name, value in state["best"].items()}
        self.history = History(**state["history"])
        self.batch = self.history.batch  # the recipe's may not have fitted
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["random"])
        if state["random_cuda"] is not None:
            torch.cuda.set_rng_state(state["random_cuda"], self.device)


def swap_relu_maxpool(model: nn.Module) -> nn.Module:
    """The same function of the same layers, with less to do: where a ReLU comes straight before a max-pool in
    an nn.Sequential, the two change places. Outputs and gradients are the same to the bit.
    """
    layers = _in_sequence(model)
    for at in range(1, len(layers)):
        if isinstance(layers[at], nn.MaxPool2d) and isinstance(layers[at - 1], nn.ReLU):
            layers[at - 1], layers[at] = layers[at], layers[at - 1]
    return nn.Sequential(*layers) if len(layers) > 1 else model


def _in_sequence(model: nn.Module) -> list[nn.Module]:
    """The layers of nested nn.Sequential, in the order in which they are run."""
    if type(model).forward is not nn.Sequential.forward:
        return [model]
    return [layer for part in model.children() for layer in _in_sequence(part)]


def _recordable(loss: float) -> float:
    return loss if loss < DIVERGED_LOSS else DIVERGED_LOSS


def _is_finite(model: nn.Module) -> bool:
    return all(bool(value.isfinite().all()) for value in model.state_dict().values())


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Three groups: weights, which decay; biases of normalisation, whose rate may differ; other vectors."""
    norms = {
        id(module.bias)
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._NormBase) and module.bias is not None
    }
    groups: dict[str, list[Tensor]] = {"weights": [], "norms": [], "vectors": []}
    for parameter in model.parameters():
        if parameter.requires_grad:
            kind = "norms" if id(parameter) in norms else "weights" if parameter.ndim > 1 else "vectors"
            groups[kind].append(parameter)
    rate = recipe.learning_rate
    fused = True if next(model.parameters()).is_cuda else None  # one kernel a step, and no counter on the CPU
    options = [
        {
            "params": parameters,
            "lr": rate * (recipe.bias_factor if kind == "norms" else 1),
            "weight_decay": recipe.weight_decay
            / (recipe.bias_factor if kind == "norms" else 1)
            * (kind == "weights" or recipe.decay_all),
        }
        for kind, parameters in groups.items()
        if parameters
    ]
    if recipe.optimizer == "sgd":
        nesterov = recipe.nesterov and recipe.momentum > 0
        return torch.optim.SGD(options, lr=rate, momentum=recipe.momentum, nesterov=nesterov, fused=fused)
    adaptive = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    return adaptive(options, lr=rate, fused=fused)
