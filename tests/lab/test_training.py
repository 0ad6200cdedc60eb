"""Training against plain loops, killed and taken up again, and with all that can go wrong, on digits."""

from __future__ import annotations

import copy
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.nn import functional as F
from torch.optim import lr_scheduler
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.transforms import functional as tv

from lab.augmentation import draw
from lab.datasets import load
from lab.recipes import Augmentation, Recipe
from lab.training import (
    DIVERGED_LOSS,
    Classification,
    Data,
    History,
    Images,
    _optimizer,
    _Run,
    channel_statistics,
    evaluate,
    fit,
    measure,
    precision_of,
    predict,
    swap_relu_maxpool,
)

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = "checkpoint.pt"


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Sums are taken in the same order only on the same number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def digits(train: int = 600, validation: int = 100, test: int = 100) -> Data:
    pool, others = load("digits", "train"), load("digits", "test")
    mean, std = channel_statistics(pool.images[:train])
    end = train + validation
    return Data(
        Images.of(pool.images[:train], pool.labels[:train], "cpu"),
        mean,
        std,
        Images.of(pool.images[train:end], pool.labels[train:end], "cpu") if validation else None,
        Images.of(others.images[:test], others.labels[:test], "cpu") if test else None,
    )


def network(seed: int = 0) -> nn.Sequential:
    """(N, 1, 8, 8) → (N, 10), with all that has a state: batch norm and dropout."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(128, 10),
    )


def trained(data: Data, recipe: Recipe, seed: int = 0, **options: object) -> tuple[nn.Module, History]:
    model = network()
    return model, fit(model, data, recipe, seed=seed, **options)


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def without_time(history: History) -> dict[str, object]:
    return {name: value for name, value in asdict(history).items() if name != "seconds"}


# --- seeds, and runs that are taken up again

RUNS = {
    "sgd with dropout and augmentation": Recipe(
        epochs=4,
        batch=25,
        learning_rate=0.05,
        weight_decay=5e-4,
        schedule="onecycle",
        label_smoothing=0.1,
        augmentation=Augmentation(flip="alternating", shift=1, cutout=2),
    ),
    "adamw with a moving average": Recipe(
        epochs=4, batch=25, optimizer="adamw", learning_rate=2e-3, weight_decay=0.05, ema=0.95
    ),
    "early stopping": Recipe(epochs=6, batch=25, learning_rate=0.3, patience=2, precision="float32"),
}


def die_at(fraction: float) -> object:
    """For a process of its own: no handler runs, nothing is flushed."""

    def report(reached: float, message: str) -> None:
        if reached >= fraction:
            os.kill(os.getpid(), signal.SIGKILL)

    return report


def begin_and_die(name: str, folder: str, fraction: float) -> None:
    torch.set_num_threads(1)
    trained(digits(), RUNS[name], checkpoint=Path(folder) / CHECKPOINT, report=die_at(fraction))


# after 20 of the 24 steps of an epoch: in the third, and, where that may not be reached, in the second
@pytest.mark.parametrize(("name", "fraction"), [*zip(RUNS, (0.68, 0.68, 0.29), strict=True)])
def test_a_killed_run_ends_with_the_very_weights_it_would_have_had(name, fraction, tmp_path):
    call = f"from tests.lab.test_training import *; begin_and_die({name!r}, {str(tmp_path)!r}, {fraction})"
    child = subprocess.run([sys.executable, "-c", call], cwd=ROOT, capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL, child.stderr

    seen = []
    whole, course = trained(digits(), RUNS[name])
    resumed, course_resumed = trained(
        digits(), RUNS[name], checkpoint=tmp_path / CHECKPOINT, report=lambda at, message: seen.append(at)
    )
    assert seen[0] > 1 / RUNS[name].epochs, "it did not begin again"
    assert same_weights(whole, resumed)
    assert without_time(course) == without_time(course_resumed)
    assert len(course_resumed.seconds) == course.epochs


def test_a_finished_run_is_not_trained_again(tmp_path):
    data, recipe = digits(), RUNS["adamw with a moving average"]
    once, course = trained(data, recipe, checkpoint=tmp_path / CHECKPOINT)
    again, same = trained(data, recipe, checkpoint=tmp_path / CHECKPOINT)
    assert same_weights(once, again)
    assert same.seconds == course.seconds


@pytest.mark.parametrize("name", list(RUNS)[:2])
def test_what_is_watched_is_of_the_weights_of_each_epoch_and_changes_nothing(name, tmp_path):
    data, recipe = digits(), RUNS[name]

    def watch(model: nn.Module) -> dict[str, float]:
        dtype = precision_of(recipe, "cpu", model)
        loss, accuracy = measure(predict(model, data.validation.images, data, dtype), data.validation.labels)
        return {"loss": loss, "accuracy": accuracy}

    def stop(fraction: float, message: str) -> None:
        if fraction > 0.6:
            raise KeyboardInterrupt

    plain, course = trained(data, recipe)
    with pytest.raises(KeyboardInterrupt):
        trained(data, recipe, watch=watch, checkpoint=tmp_path / CHECKPOINT, report=stop)
    watched, seen = trained(data, recipe, watch=watch, checkpoint=tmp_path / CHECKPOINT)
    assert same_weights(plain, watched)
    assert seen.parts.pop("watched/accuracy") == pytest.approx(course.validation_accuracy)
    assert seen.parts.pop("watched/loss") == pytest.approx(course.validation_loss, rel=1e-3)
    assert without_time(seen) == without_time(course)


@pytest.mark.parametrize("name", RUNS)
def test_the_seed_decides_a_run(name):
    data, recipe = digits(), replace(RUNS[name], epochs=2)
    one, course = trained(data, recipe, seed=1)
    torch.rand(7)  # what else was drawn does not matter
    other, same = trained(data, recipe, seed=1)
    assert same_weights(one, other)
    assert without_time(course) == without_time(same)
    assert not same_weights(one, trained(data, recipe, seed=2)[0])


# --- against plain loops


def linear(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


FULL_BATCH = Recipe(epochs=5, batch=300, learning_rate=0.05, precision="float32")


def sgd(w, grad, state, step, recipe, decay):
    grad = grad + decay * w
    state["v"] = recipe.momentum * state.get("v", 0) + grad
    return w - recipe.learning_rate * (grad + recipe.momentum * state["v"])  # Nesterov


def adam(w, grad, state, step, recipe, decay):
    return adam_step(w, grad + decay * w, state, step, recipe)


def adamw(w, grad, state, step, recipe, decay):
    return adam_step(w * (1 - recipe.learning_rate * decay), grad, state, step, recipe)


def adam_step(w, grad, state, step, recipe):
    """Kingma and Ba (2015), algorithm 1."""
    state["m"] = 0.9 * state.get("m", 0) + 0.1 * grad
    state["v"] = 0.999 * state.get("v", 0) + 0.001 * grad**2
    mean, square = state["m"] / (1 - 0.9**step), state["v"] / (1 - 0.999**step)
    return w - recipe.learning_rate * mean / (square.sqrt() + 1e-8)


@pytest.mark.parametrize("decay_all", [False, True])
@pytest.mark.parametrize("rule", [sgd, adam, adamw])
def test_optimizers_and_their_weight_decay_follow_the_formulas(rule, decay_all):
    data = digits(300, 0, 0)
    rate = 0.05 if rule is sgd else 0.003
    recipe = replace(
        FULL_BATCH, optimizer=rule.__name__, learning_rate=rate, weight_decay=0.3, decay_all=decay_all
    )
    model = linear()
    fit(model, data, recipe)

    plain = linear().double()
    states: list[dict] = [{}, {}]
    images = data.normalised(data.train.images).double()
    for step in range(1, recipe.epochs + 1):
        loss = F.cross_entropy(plain(images), data.train.labels)
        gradients = torch.autograd.grad(loss, list(plain.parameters()))
        with torch.no_grad():
            for w, grad, state in zip(plain.parameters(), gradients, states, strict=True):
                decay = recipe.weight_decay if w.ndim > 1 or decay_all else 0.0
                w.copy_(rule(w, grad, state, step, recipe, decay))
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-5)


def test_biases_of_normalisation_have_a_rate_of_their_own_and_the_same_decay():
    seen = []
    with each_step(
        lambda groups: seen.append([(g["lr"], g["weight_decay"], len(g["params"])) for g in groups])
    ):
        trained(digits(100, 0, 0), Recipe(1, 100, weight_decay=0.01, bias_factor=8.0, decay_all=True))
    weights, norms, vectors = seen[0]
    assert weights == (0.1, 0.01, 2)
    assert norms == pytest.approx((0.8, 0.01 / 8, 1))
    assert vectors == (0.1, 0.01, 3)


def test_the_moving_average_is_what_a_plain_loop_averages():
    data = digits(300, 0, 100)
    recipe = replace(FULL_BATCH, momentum=0.0, ema=0.8)
    model = network()
    model[5] = nn.Identity()
    averaged, history = fit_copy(model, data, recipe)

    images = data.normalised(data.train.images)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe.learning_rate)
    for _ in range(recipe.epochs):
        optimizer.zero_grad()
        F.cross_entropy(model(images), data.train.labels).backward()
        optimizer.step()
        for name, value in model.state_dict().items():
            average[name] = 0.8 * average[name] + 0.2 * value if value.is_floating_point() else value
    for name, value in averaged.state_dict().items():
        torch.testing.assert_close(value, average[name], rtol=1e-4, atol=1e-5)
    shown = measure(predict(averaged, data.test.images, data), data.test.labels)
    assert (history.test_loss[-1], history.test_accuracy[-1]) == pytest.approx(shown), (
        "the average is what is measured"
    )


def fit_copy(model: nn.Module, data: Data, recipe: Recipe) -> tuple[nn.Module, History]:
    twin = copy.deepcopy(model)
    return twin, fit(twin, data, recipe)


def test_a_smoothed_run_reports_the_plain_cross_entropy():
    data = digits(300, 0, 0)
    still = replace(FULL_BATCH, epochs=1, learning_rate=1e-12)
    model = linear()
    logits = model(data.normalised(data.train.images))
    plain = F.cross_entropy(logits, data.train.labels).item()
    smoothed = F.cross_entropy(logits, data.train.labels, label_smoothing=0.2).item()
    assert abs(plain - smoothed) > 0.005
    for smoothing in (0.0, 0.2):
        _, history = fit_copy(model, data, replace(still, label_smoothing=smoothing))
        assert history.train_loss == pytest.approx([plain], rel=1e-5)


def test_smoothing_is_in_the_gradient():
    data = digits(300, 0, 0)
    recipe = replace(FULL_BATCH, epochs=1, momentum=0.0, label_smoothing=0.2)
    model = linear()
    fitted, _ = fit_copy(model, data, recipe)
    logits = model(data.normalised(data.train.images))
    # by hand: the true class has 1 − 0.2 + 0.2/10, each other 0.2/10
    target = torch.full_like(logits, 0.02)
    target[torch.arange(300), data.train.labels] = 0.82
    (gradient,) = torch.autograd.grad(-(target * logits.log_softmax(1)).sum(1).mean(), [model[1].weight])
    torch.testing.assert_close(fitted[1].weight, model[1].weight - 0.05 * gradient)


def test_a_clipped_step_is_no_longer_than_the_clip():
    model = linear()
    recipe = replace(FULL_BATCH, epochs=1, momentum=0.0, learning_rate=2.0, clip=0.01)
    fitted, _ = fit_copy(model, digits(300, 0, 0), recipe)
    moved = [a - b for a, b in zip(fitted.parameters(), model.parameters(), strict=True)]
    assert torch.cat([part.flatten() for part in moved]).norm().item() == pytest.approx(0.02, rel=1e-3)


@contextmanager
def each_step(see) -> Iterator[None]:
    """Show `see` the parameter groups of every optimizer step."""
    hook = register_optimizer_step_pre_hook(lambda optimizer, *rest: see(optimizer.param_groups))
    yield
    hook.remove()


def scheduled(make, steps: int, every: int = 1) -> list[float]:
    """Rates of a torch scheduler, stepped after `every` steps."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.04)
    scheduler, rates = make(optimizer), []
    for step in range(1, steps + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step % every == 0:
            scheduler.step()
    return rates


STEPS, EPOCH = 20, 5  # 4 epochs of 5 steps
SCHEDULES = {
    "constant": ({}, lambda: [0.04] * STEPS),
    "multistep": (
        {"milestones": (1, 3), "gamma": 0.3},
        lambda: scheduled(lambda o: lr_scheduler.MultiStepLR(o, [1, 3], 0.3), STEPS, every=EPOCH),
    ),
    "exponential": (
        {"final_factor": 0.01},
        lambda: scheduled(lambda o: lr_scheduler.ExponentialLR(o, 0.01 ** (1 / STEPS)), STEPS),
    ),
    "cosine": (
        {"final_factor": 0.1},
        lambda: scheduled(lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.004), STEPS),
    ),
    # up in the first quarter of 20 steps, then down to where the 21st would have 0
    "onecycle": ({"warm_up": 0.25}, lambda: list(np.interp(range(STEPS), [0, 5, 20], [0, 0.04, 0]))),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_step_has_the_rate_of_its_schedule(schedule):
    options, expected = SCHEDULES[schedule]
    recipe = Recipe(epochs=4, batch=64, learning_rate=0.04, schedule=schedule, **options)
    rates: list[float] = []
    model = linear()
    with each_step(lambda groups: rates.append(groups[0]["lr"])):
        fit(model, digits(300, 0, 0), recipe)  # 4 batches of 64, one of 44
    assert rates == pytest.approx(expected(), rel=1e-6, abs=1e-12)


# --- what is measured, and what may decide


def test_the_mean_loss_counts_a_short_last_batch_by_its_images():
    data = digits(130, 0, 0)
    model = linear()
    loss, accuracy = measure(predict(model, data.train.images, data), data.train.labels)
    _, history = fit_copy(model, data, Recipe(1, 64, learning_rate=1e-12, precision="float32"))
    assert history.train_loss == pytest.approx([loss], rel=1e-5)
    assert history.train_accuracy == pytest.approx([accuracy])


def test_accuracy_is_told_every_20_iterations_and_at_the_end_of_an_epoch():
    data = digits(450, 0, 0)
    _, history = trained(data, Recipe(2, 10, learning_rate=0.01))
    assert history.iterations == [20, 40, 45, 65, 85, 90]
    first = np.average(history.iteration_accuracy[:3], weights=[200, 200, 50])
    assert first == pytest.approx(history.train_accuracy[0], abs=1e-4)


def test_losses_and_accuracies_are_those_of_scikit_learn():
    data = digits()
    model = network()
    fit(model, data, Recipe(1, 50))
    logits = predict(model, data.test.images, data)
    loss, accuracy = measure(logits, data.test.labels)
    share = logits.double().softmax(1).numpy()
    assert loss == pytest.approx(log_loss(data.test.labels, share, labels=range(10)), rel=1e-5)
    assert accuracy == pytest.approx(accuracy_score(data.test.labels, share.argmax(1)))
    assert model.training, "the mode is left as it was"


def test_prediction_can_average_six_views_of_an_image():
    data, model = digits(), network().eval()
    original = data.test.images
    padded = tv.pad(original, [1], padding_mode="reflect")
    expected = torch.zeros(len(original), 10)
    for weight, images in (
        (2, original),
        (1, tv.crop(padded, 0, 0, *original.shape[2:])),
        (1, tv.crop(padded, 2, 2, *original.shape[2:])),
    ):
        for view in (images, tv.hflip(images)):
            expected += weight * predict(model, view, data) / 8
    torch.testing.assert_close(predict(model, original, data, six_views=True), expected)


def test_another_objective_is_minimised_and_its_parts_are_told():
    def squared(model, images, labels):
        """Half of the job is to name the class, half is to be small."""
        loss, told = Classification()(model, images, labels)
        size = model(images).float().pow(2).mean()
        return loss + 3 * size, told | {"size": size}

    data, recipe = digits(), replace(SHORT, epochs=3, precision="float32")
    model = network()
    history = fit(model, data, recipe, squared)
    plain, _ = trained(data, recipe)
    told = evaluate(model, data.test, data, squared)
    assert history.parts["test/size"][-1] == pytest.approx(told["size"])
    assert len(history.parts["train/size"]) == 3
    assert set(history.parts) == {"train/size", "validation/size", "test/size"}
    assert told["size"] < evaluate(plain, data.test, data, squared)["size"] / 2


def test_normalised_training_images_have_mean_0_and_deviation_1():
    images = load("shapes", "train").images[:200]
    mean, std = channel_statistics(images)
    assert mean == pytest.approx(tuple((images / 255).mean((0, 2, 3))))
    assert std == pytest.approx(tuple((images / 255).std((0, 2, 3))))
    part = Images.of(images, np.zeros(200, np.int64), "cpu")
    normalised = Data(part, mean, std).normalised(part.images)
    assert normalised.mean((0, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=1e-4)
    assert normalised.std((0, 2, 3)).tolist() == pytest.approx([1, 1, 1], abs=1e-4)


@pytest.mark.parametrize("value", [0, 93, 255])
def test_images_of_one_value_can_be_normalised(value):
    images = np.full((3, 1, 5, 5), value, np.uint8)
    (mean,), (std,) = channel_statistics(images)
    assert mean == pytest.approx(value / 255)
    assert 0 < std < 0.01


def test_early_stopping_takes_the_weights_of_the_best_epoch():
    data = digits(80, 200, 0)
    recipe = Recipe(
        epochs=40, batch=20, optimizer="adam", learning_rate=0.02, patience=3, precision="float32"
    )
    model, history = trained(data, recipe)
    losses = history.validation_loss
    assert history.outcome == "stopped early"
    assert history.best_epoch == losses.index(min(losses)) + 1 == history.epochs - 3
    loss, _ = measure(predict(model, data.validation.images, data), data.validation.labels)
    assert loss == pytest.approx(min(losses))


def test_a_run_that_ends_before_its_patience_takes_the_best_epoch_too():
    data = digits(80, 200, 0)
    recipe = Recipe(epochs=4, batch=20, learning_rate=1.0, patience=50, precision="float32")
    model, history = trained(data, recipe)
    assert history.outcome == "finished" and history.epochs == 4
    loss, _ = measure(predict(model, data.validation.images, data), data.validation.labels)
    assert loss == pytest.approx(min(history.validation_loss))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pooling_before_the_relu_is_the_same_function_to_the_bit(dtype):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU()),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Flatten(),
        nn.Linear(32, 4),
    ).to(memory_format=torch.channels_last)
    images = torch.randint(0, 4, (9, 3, 16, 16)).float().requires_grad_()  # few values: with ties
    told = []
    for one in (model, swap_relu_maxpool(model)):
        model.zero_grad()
        images.grad = None
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            logits = one(images)
        logits.float().square().sum().backward()
        told.append([logits, images.grad, *(parameter.grad for parameter in model.parameters())])
    assert all(torch.equal(first, second) for first, second in zip(*told, strict=True))
    kinds = [type(layer) for layer in swap_relu_maxpool(model)]
    assert [kinds.index(nn.MaxPool2d), kinds.index(nn.ReLU)] == [2, 3]


def test_only_what_is_run_in_sequence_changes_places():
    class Own(nn.Sequential):
        def forward(self, images):
            return super().forward(images) + 1

    model = Own(nn.ReLU(), nn.MaxPool2d(2))
    assert swap_relu_maxpool(model) is model


def test_early_stopping_without_validation_data_is_refused_before_training():
    seen = []
    with pytest.raises(ValueError, match="patience needs validation data"):
        fit(linear(), digits(100, 0, 50), Recipe(2, patience=1), report=lambda *told: seen.append(told))
    assert not seen


@settings(max_examples=5)
@given(st.randoms(use_true_random=False), st.integers(0, 60), st.sampled_from([0, 2]))
def test_no_test_image_and_no_test_label_changes_a_run(random, count, patience):
    data = digits(100, 60, 60)
    recipe = Recipe(epochs=4, batch=20, learning_rate=0.5, patience=patience, ema=0.5)
    model, history = trained(data, recipe)
    labels = torch.tensor([random.randrange(10) for _ in range(count)], dtype=torch.int64)
    images = torch.tensor([[random.randrange(256)] for _ in labels], dtype=torch.uint8)
    noise = Images(images[:, :, None, None].expand(-1, 1, 8, 8), labels) if count else None
    other, changed = trained(replace(data, test=noise), recipe)
    assert same_weights(model, other)
    for name in ("train_loss", "train_accuracy", "validation_loss", "outcome", "best_epoch"):
        assert getattr(history, name) == getattr(changed, name)


def test_validation_images_only_choose():
    data, recipe = digits(), Recipe(epochs=2, batch=50)
    assert same_weights(trained(data, recipe)[0], trained(replace(data, validation=None), recipe)[0])


# --- divergence


def plain_network() -> nn.Sequential:
    """Without batch norm, which hides the size of weights."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 10)
    )


@pytest.mark.parametrize("make", [network, plain_network])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize(("images", "epochs"), [(640, 2), (40, 1)], ids=["40 steps", "5 steps"])
def test_a_rate_of_a_million_is_recorded_as_diverged(make, optimizer, images, epochs):
    data, model = digits(images), make()
    recipe = Recipe(epochs, 16 if images == 640 else 8, optimizer, learning_rate=1e6)
    history = fit(model, data, recipe)
    assert history.outcome == "diverged"
    assert_recorded(history)


def assert_recorded(history: History) -> None:
    """JSON can hold it, and every course has a value an epoch."""
    told = json.loads(json.dumps(history.as_outcome(), allow_nan=False))
    courses = [
        told[f"{part}_{what}"] for part in ("train", "validation", "test") for what in ("loss", "accuracy")
    ]
    assert {len(course) for course in courses} == {history.epochs} and history.epochs > 0
    assert all(0 <= value <= DIVERGED_LOSS for course in courses for value in course)


def test_a_run_that_diverges_late_keeps_what_was_measured_before(tmp_path):
    data = digits()
    good = Recipe(epochs=2, batch=50)
    late = Recipe(epochs=5, batch=50, schedule="multistep", milestones=(2,), gamma=1e30)
    _, before = trained(data, good)
    _, history = trained(data, late, checkpoint=tmp_path / CHECKPOINT)
    assert history.outcome == "diverged"
    assert history.epochs == 3
    assert history.test_loss[:2] == before.test_loss
    assert history.train_loss[2] == DIVERGED_LOSS
    assert_recorded(history)
    assert without_time(trained(data, late, checkpoint=tmp_path / CHECKPOINT)[1]) == without_time(history)


def test_early_stopping_keeps_the_best_weights_of_a_run_that_diverged():
    data = digits()
    recipe = Recipe(5, 50, schedule="multistep", milestones=(2,), gamma=1e30, patience=9, precision="float32")
    model, history = trained(data, recipe)
    assert (history.outcome, history.best_epoch) == ("diverged", 2)
    loss, _ = measure(predict(model, data.test.images, data), data.test.labels)
    assert loss == pytest.approx(history.test_loss[1])


# --- memory


class Greedy(nn.Sequential):
    """Says that the device has no memory for more than `most` images in training."""

    most = 20

    def forward(self, x):
        if self.training and len(x) > self.most:
            raise torch.OutOfMemoryError(f"{len(x)} images")
        return super().forward(x)


def greedy(most: int = 20) -> nn.Module:
    model = Greedy(*network())
    model.most = most
    return model


def test_a_batch_that_memory_does_not_hold_is_halved_and_recorded(tmp_path):
    data, recipe = digits(), Recipe(epochs=2, batch=64, optimizer="adam", learning_rate=1e-3)
    model = greedy()
    history = fit(model, data, recipe, checkpoint=tmp_path / CHECKPOINT)
    assert history.batch == 16
    fits, same = trained(data, replace(recipe, batch=16))
    assert same_weights(model, fits), "the run begins again as if the small batch had been asked for"
    assert without_time(history) == without_time(same)


def test_a_halved_run_that_is_interrupted_goes_on_with_its_batch(tmp_path):
    data, recipe = digits(), Recipe(epochs=3, batch=64)

    def interrupt(reached, message):
        if reached > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(greedy(), data, recipe, checkpoint=tmp_path / CHECKPOINT, report=interrupt)
    resumed = greedy(most=1000)  # memory is free again
    assert fit(resumed, data, recipe, checkpoint=tmp_path / CHECKPOINT).batch == 16
    assert same_weights(resumed, trained(data, replace(recipe, batch=16))[0])


class GreedyAtTheEnd(Greedy):
    """Says that the device has no memory for more than `most` images in evaluation."""

    seen: list[int]

    def forward(self, x):
        self.seen.append(len(x))
        if not self.training and len(x) > self.most:
            raise torch.OutOfMemoryError(f"{len(x)} images")
        return nn.Sequential.forward(self, x)


def greedy_at_the_end(most: int) -> GreedyAtTheEnd:
    model = GreedyAtTheEnd(*network())
    model.most, model.seen = most, []
    return model


def test_an_evaluation_that_memory_does_not_hold_is_done_in_parts_and_the_batch_stays():
    data, recipe = digits(), Recipe(epochs=2, batch=64, precision="float32")
    model = greedy_at_the_end(most=30)
    history = fit(model, data, recipe)
    assert history.batch == 64
    whole, course = trained(data, recipe)
    assert same_weights(model, whole)
    assert history.train_loss == course.train_loss
    assert history.test_accuracy == course.test_accuracy
    assert history.test_loss == pytest.approx(course.test_loss)
    for six_views in (False, True):
        parts = predict(model, data.test.images, data, six_views=six_views)
        torch.testing.assert_close(parts, predict(whole, data.test.images, data, six_views=six_views))


@pytest.mark.parametrize("measured", ["fit", "predict"])
def test_an_evaluation_of_one_image_too_many_is_one_clear_sentence(measured):
    data, model = digits(), greedy_at_the_end(most=0)
    with pytest.raises(MemoryError, match="does not hold the evaluation of one image at a time"):
        if measured == "fit":
            fit(model, data, Recipe(1, 64))
        else:
            predict(model, data.test.images, data)
    assert model.seen.count(64) <= 9, "training was not tried again in smaller batches"


@dataclass(frozen=True)
class Triples:
    """Images 3k, 3k + 1 and 3k + 2 belong together."""

    unit: int = 3

    def __call__(self, labels, generator):
        return torch.randperm(len(labels), generator=generator)[:90]


@dataclass(frozen=True)
class OfTriples(Classification):
    """Cross-entropy, of batches that hold whole triples only."""

    def __call__(self, model, images, labels):
        assert len(images) % 3 == 0, f"{len(images)} images are cut within a triple"
        return super().__call__(model, images, labels)


def test_batches_of_training_and_of_evaluation_are_cut_between_groups():
    data = digits(600, 99, 99)
    model = Greedy(*network())  # 48 → 24 → 12
    assert fit(model, data, Recipe(1, 48), OfTriples(), order=Triples()).batch == 12
    assert fit(greedy(most=5), data, Recipe(1, 48), OfTriples(), order=Triples()).batch == 3
    at_the_end = greedy_at_the_end(most=20)  # 99 → 48 → 24 → 12
    assert fit(at_the_end, data, Recipe(1, 48), OfTriples(), order=Triples()).batch == 48
    assert {count for count in at_the_end.seen if count <= 20} <= {12, 3}
    with pytest.raises(MemoryError, match="does not hold the training of 3 images"):
        fit(greedy(most=2), data, Recipe(1, 48), OfTriples(), order=Triples())
    with pytest.raises(ValueError, match="the batch is 50, and must be a multiple of the 3 images"):
        fit(network(), data, Recipe(1, 50), OfTriples(), order=Triples())


def test_one_image_too_many_is_one_clear_sentence():
    with pytest.raises(MemoryError, match="does not hold the training of one image"):
        fit(greedy(most=0), digits(), Recipe(1, 64))


def test_other_errors_of_a_network_pass():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        fit(nn.Sequential(nn.Flatten(), nn.Linear(63, 10)), digits(), Recipe(1))


def train_in(mebibytes: int) -> None:
    """A convolution whose outputs take 1 MiB an image, in a process that may grow by so much."""
    torch.set_num_threads(1)
    images = np.zeros((256, 1, 32, 32), np.uint8)
    data = Data(Images.of(images, np.zeros(256, np.int64), "cpu"), (0.0,), (1.0,))
    model = nn.Sequential(nn.Conv2d(1, 256, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    recipe = Recipe(1, 256, precision="float32")
    first = replace(data, train=Images(data.train.images[:2], data.train.labels[:2]))
    fit(model, first, recipe)  # loads whatever torch loads on the first call
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + mebibytes * 2**20,) * 2)
    print(fit(model, data, recipe).batch)


def test_a_cpu_that_runs_out_of_memory_halves_the_batch_too():
    call = "from tests.lab.test_training import train_in; train_in(200)"
    child = subprocess.run([sys.executable, "-c", call], cwd=ROOT, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    assert 1 <= int(child.stdout) <= 128


# --- checkpoints

SHORT = Recipe(epochs=2, batch=50, learning_rate=0.05)


def flip_a_bit(file: Path) -> None:
    """In the middle, where the weights are: torch.load does not see it."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x40
    file.write_bytes(content)


DAMAGE = {
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "a bit turned": flip_a_bit,
    "no checkpoint": lambda file: file.write_text("Dear Sir or Madam"),
    "weights only": lambda file: torch.save(network(5).state_dict(), file),
    "a tensor": lambda file: torch.save(torch.zeros(3), file),
    "another recipe": lambda file: begin(file, recipe=replace(SHORT, learning_rate=0.01)),
    "another seed": lambda file: begin(file, seed=1),
    "another precision": lambda file: begin(file, recipe=replace(SHORT, precision="float32")),
    "other data": lambda file: begin(file, data=digits(550)),
    "another network": lambda file: fit(linear(), digits(), SHORT, checkpoint=file),
}


def begin(file: Path, *, data: Data | None = None, recipe: Recipe = SHORT, seed: int = 0) -> None:
    file.unlink()
    trained(data or digits(), recipe, seed, checkpoint=file)


@pytest.mark.parametrize("what", DAMAGE)
def test_a_checkpoint_that_is_damaged_or_another_runs_is_begun_again(what, tmp_path):
    file = tmp_path / CHECKPOINT
    begun, _ = trained(digits(), replace(SHORT, precision="bfloat16"), checkpoint=file)
    DAMAGE[what](file)
    recipe = replace(SHORT, precision="bfloat16")
    seen = []
    model, history = trained(digits(), recipe, checkpoint=file, report=lambda at, _: seen.append(at))
    assert seen[0] <= 0.5, "it begins with the first epoch"
    assert same_weights(model, begun)
    assert history.epochs == 2


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_an_error_of_the_disk_and_leaves_the_old_checkpoint(tmp_path):
    file = tmp_path / CHECKPOINT

    def stop(reached, message):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(digits(), SHORT, checkpoint=file, report=stop)
    kept = file.read_bytes()
    with no_file_above(len(kept) // 2), pytest.raises(OSError):
        trained(digits(), SHORT, checkpoint=file)
    assert file.read_bytes() == kept
    assert list(tmp_path.iterdir()) == [file], "nothing is left half-written"
    assert same_weights(trained(digits(), SHORT, checkpoint=file)[0], trained(digits(), SHORT)[0])


# --- precision, layout, colour


def test_bfloat16_and_float32_agree_in_accuracy():
    data = digits(1_000, 0, 300)
    recipe = Recipe(epochs=5, batch=50, learning_rate=0.05, schedule="cosine")
    reached = {}
    for precision in ("float32", "bfloat16"):
        _, history = trained(data, replace(recipe, precision=precision))
        assert history.precision == precision
        reached[precision] = history.test_accuracy[-1]
    assert min(reached.values()) > 0.85
    assert abs(reached["float32"] - reached["bfloat16"]) < 0.04


def test_precision_is_what_the_recipe_says_and_else_what_the_device_computes_in():
    plain, depthwise = nn.Conv2d(8, 8, 3), nn.Sequential(nn.Conv2d(8, 8, 3, groups=8))
    assert precision_of(Recipe(1, precision="float32"), "cpu", plain) is torch.float32
    assert precision_of(Recipe(1, precision="bfloat16"), "cpu", depthwise) is torch.bfloat16
    flags = Path("/proc/cpuinfo").read_text()
    native = "amx_bf16" in flags or "avx512_bf16" in flags
    assert precision_of(Recipe(1), "cpu", plain) is (torch.bfloat16 if native else torch.float32)
    assert precision_of(Recipe(1), "cpu", depthwise) is torch.float32
    grouped = nn.Conv2d(8, 8, 3, groups=2)
    assert precision_of(Recipe(1), "cpu", grouped) is precision_of(Recipe(1), "cpu", plain)


def test_a_network_sees_channels_last_images_and_keeps_its_weights_so():
    pool = load("shapes", "train")
    part = Images.of(pool.images[:60], pool.labels[:60], "cpu")
    model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))
    model(torch.zeros(1, 3, *pool.images.shape[2:]))
    seen = []
    model[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    shifts = Augmentation(shift=2)
    fit(
        model,
        Data(part, *channel_statistics(pool.images[:60]), test=part),
        Recipe(1, 30, augmentation=shifts),
    )
    assert len(seen) == 3
    for tensor in (*seen, model[0].weight, part.images):
        assert tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()


def test_arrays_that_cannot_be_written_to_are_copied():
    pool = load("digits", "train")
    pool.images.flags.writeable = False
    images = Images.of(pool.images[:9], pool.labels[:9], "cpu")
    images.images.zero_()
    assert pool.images[:9].any()


def test_grey_images_are_learnt_as_well_as_their_coloured_copies():
    grey = digits(1_000, 0, 300)
    three = Data(
        *(replace(part, images=part.images.repeat(1, 3, 1, 1)) for part in (grey.train,)),
        grey.mean * 3,
        grey.std * 3,
        test=replace(grey.test, images=grey.test.images.repeat(1, 3, 1, 1)),
    )
    recipe = Recipe(epochs=5, batch=50, learning_rate=0.05)
    reached = []
    for data, channels in ((grey, 1), (three, 3)):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(channels, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 10))
        reached.append(fit(model, data, recipe).test_accuracy[-1])
    assert min(reached) > 0.85
    assert abs(reached[0] - reached[1]) < 0.05


# --- a GPU, which the tests have to do without: tensors that have a device and no values


class OnDevice(nn.Sequential):
    """A network that is on its device from the beginning: one without values cannot be moved."""

    def to(self, *_args, **_options):
        return self


def gpu_network() -> OnDevice:
    with torch.device("cuda"):
        return OnDevice(*network())


class Transfers(TorchDispatchMode):
    """Notes what copies between the CPU and another device."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = function(*args, **(kwargs or {}))
        devices = {value.device.type for value in (*args, given) if isinstance(value, torch.Tensor)}
        if len(devices) > 1:
            self.found.append(str(function))
        return given


GPU_STEPS = {
    "sgd": Recipe(
        epochs=1,
        batch=8,
        clip=1.0,
        label_smoothing=0.1,
        precision="float32",
        augmentation=Augmentation(flip="random", shift=1, cutout=2),
    ),
    "adamw": Recipe(epochs=1, batch=8, optimizer="adamw", learning_rate=1e-3, precision="float32"),
}


@pytest.mark.filterwarnings("ignore:User provided device_type of 'cuda'")
@pytest.mark.parametrize("recipe", GPU_STEPS.values(), ids=GPU_STEPS)
@pytest.mark.parametrize("labels", ["classes", "squares"])
def test_a_step_on_a_gpu_waits_for_nothing_and_copies_nothing(recipe, labels, monkeypatch):
    """A value that is asked for raises, since there is none; and so does what has a shape of its values.

    The way back is torch's own, and needs a driver; gradients of no value stand in for it.
    """
    squares = labels == "squares"
    model = None

    def backward(_loss):
        for parameter in model.parameters():
            parameter.grad = torch.empty_like(parameter)

    monkeypatch.setattr(torch.Tensor, "backward", backward)

    def objective(model, images, targets):
        return Classification(0.1)(model, images, targets[:, 0] if squares else targets)

    with FakeTensorMode():
        images = Images(
            torch.zeros(32, 1, 8, 8, dtype=torch.uint8, device="cuda"),
            torch.zeros((32, 4) if squares else 32, dtype=torch.int64, device="cuda"),
        )
        model = gpu_network()
        run = _Run(model, Data(images, (0.1,), (0.3,)), recipe, objective, None, 8, 0)
        for group in run.optimizer.param_groups:
            group["fused"] = group["fused"] and recipe.optimizer != "sgd"  # its kernel needs values
        choices = draw(recipe.augmentation, 32, 0, 0, run.generator).to("cuda")
        indices = torch.arange(8, device="cuda")
        run._step(indices, choices)  # makes what is kept from then on
        with Transfers() as transfers:
            means = run._step(indices, choices)
        assert transfers.found == []
        assert {value.device.type for value in means.values()} == {"cuda"}
        assert {value.device.type for value in run.model.state_dict().values()} == {"cuda"}
        with pytest.raises(DataDependentOutputException):
            means["loss"].item()
        with Transfers() as transfers:
            torch.tensor(0.1, device="cuda")
        assert transfers.found  # what the test looks for is seen


def test_optimizers_are_fused_on_a_gpu_and_as_ever_on_a_cpu():
    for name, recipe in GPU_STEPS.items():
        assert _optimizer(network(), recipe).defaults["fused"] is None, name
        with FakeTensorMode():
            assert _optimizer(gpu_network(), recipe).defaults["fused"] is True, name
