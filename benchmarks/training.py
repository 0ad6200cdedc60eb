"""How fast the baseline trains, beside the way of the tutorials; its memory; and the whole quick profile.

    python -m benchmarks.training [speed] [memory] [quick] [--json FILE]

Speed: the same LeNet-like network is trained by our `fit`, and through ImageFolder, DataLoader and one
transform after another on each image (RandomHorizontalFlip, RandomCrop, ToTensor, Normalize), in plain
float32, as tutorials do. Both read the same JPEG files, drawn from CIFAR-10, or from embedded images where
there is none; both have the same weights to begin with, optimizer, schedule, batch and all cores' threads.
Seeds are interleaved, and the best epoch of each is kept. An epoch is one over the files written, not over
all of CIFAR-10; evaluation is outside of it on both sides, and so is our one decoding of the files, whose
seconds stand apart. With two worker processes beside its threads the tutorials' way is told, and has no
goal. Where the CPU computes in bfloat16, we do; the ratio in float32 stands beside it.

Memory: the growth of the peak of a fresh process above its imports, from loading all of CIFAR-10 through
some steps and the evaluation of all test images. Quick: `run classification --profile quick`, then
everything else of that profile, with results of their own, on as many cores as there are.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.goals import Goal, options, report

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("speed", "memory", "quick")
EPOCHS, BATCH, RATE, DECAY = 4, 128, 0.05, 5e-4
MIB = 2**20


def written(folder: Path, train: int, test: int) -> str:
    """Write the first images of each split as JPEG files in class folders; the data set's name."""
    import numpy as np
    from PIL import Image

    from lab.datasets import MissingData, load

    try:
        splits = {split: load("cifar10", split) for split in ("train", "test")}
    except MissingData:
        splits = {split: load("shapes", split) for split in ("train", "test")}
    for (split, images), count in zip(splits.items(), (train, test), strict=True):
        for index in np.random.default_rng(0).permutation(len(images.labels))[:count]:
            place = folder / split / images.classes[images.labels[index]]
            place.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(np.ascontiguousarray(images.images[index].transpose(1, 2, 0)))
            picture.save(place / f"{index:05d}.jpg", quality=95)
    return splits["train"].name


def lenet(seed: int) -> Any:
    import torch

    from lab.networks.lenet import LeNet

    torch.manual_seed(seed)
    return LeNet()


class Ours:
    """`fit` on images that were decoded once."""

    def __init__(self, folder: Path, precision: str) -> None:
        from lab.datasets import load
        from lab.recipes import Augmentation, Recipe
        from lab.training import Data, Images, channel_statistics

        started = time.perf_counter()
        train, test = (load(f"folder:{folder}", split) for split in ("train", "test"))
        mean, std = channel_statistics(train.images)
        placed = [Images.of(one.images, one.labels, "cpu") for one in (train, test)]
        self.data = Data(placed[0], mean, std, test=placed[1])
        self.decoding = time.perf_counter() - started
        self.recipe = Recipe(
            EPOCHS,
            BATCH,
            learning_rate=RATE,
            weight_decay=DECAY,
            decay_all=True,
            schedule="cosine",
            augmentation=Augmentation(flip="random", shift=4),
            precision=precision,
        )

    def train(self, seed: int) -> tuple[float, float]:
        """Seconds of the best epoch, and test accuracy at the end."""
        from lab.training import fit

        history = fit(lenet(seed), self.data, self.recipe, seed=seed)
        return min(history.seconds), history.test_accuracy[-1]


class Tutorial:
    """ImageFolder, DataLoader and per-image transforms."""

    def __init__(self, folder: Path, like: Ours, workers: int) -> None:
        from torch.utils.data import DataLoader
        from torchvision import transforms
        from torchvision.datasets import ImageFolder

        last = [transforms.ToTensor(), transforms.Normalize(like.data.mean, like.data.std)]
        first = [transforms.RandomHorizontalFlip(), transforms.RandomCrop(32, padding=4)]
        train = ImageFolder(folder / "train", transforms.Compose([*first, *last]))
        test = ImageFolder(folder / "test", transforms.Compose(last))
        self.train_loader = DataLoader(train, BATCH, shuffle=True, num_workers=workers)
        self.test_loader = DataLoader(test, BATCH, num_workers=workers)

    def train(self, seed: int) -> tuple[float, float]:
        """As `Ours.train`."""
        import torch
        from torch import nn

        model = lenet(seed)
        criterion = nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(
            model.parameters(), lr=RATE, momentum=0.9, nesterov=True, weight_decay=DECAY
        )
        steps = EPOCHS * len(self.train_loader)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        seconds = []
        for _ in range(EPOCHS):
            started = time.perf_counter()
            model.train()
            for images, labels in self.train_loader:
                optimizer.zero_grad()
                loss = criterion(model(images), labels)
                loss.backward()
                optimizer.step()
                scheduler.step()
            seconds.append(time.perf_counter() - started)
        model.eval()
        with torch.no_grad():
            right = sum(
                (model(images).argmax(1) == labels).sum().item() for images, labels in self.test_loader
            )
        return min(seconds), right / len(self.test_loader.dataset)


def speed(train: int = 2_000, test: int = 2_000, seeds: int = 3) -> list[Goal]:
    """Ratios of seconds an epoch, and the difference in accuracy beside its standard error."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = written(folder, train, test)
        os.environ["CONVSTUDY_CACHE"] = str(folder / "cache")
        ours = Ours(folder, "auto")
        ways = {
            "ours": ours,
            "ours in float32": Ours(folder, "float32"),
            "tutorial": Tutorial(folder, ours, workers=0),
            "tutorial, 2 workers": Tutorial(folder, ours, workers=2),
        }
        runs: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for seed in range(seeds):
            for way, trainer in ways.items():
                runs[way].append(trainer.train(seed))
    best = {way: min(seconds for seconds, _ in done) for way, done in runs.items()}
    accuracies = {way: [accuracy for _, accuracy in done] for way, done in runs.items()}
    means = {way: statistics.mean(values) for way, values in accuracies.items()}
    plain = accuracies["tutorial"] + accuracies["tutorial, 2 workers"]  # they differ in their draws alone
    error = (statistics.variance(accuracies["ours"]) / seeds + statistics.variance(plain) / len(plain)) ** 0.5
    difference = abs(means["ours"] - statistics.mean(plain))
    return [
        *(Goal(f"{way}: s an epoch of {train:,} images, {data}", best[way]) for way in ways),
        Goal("tutorial ÷ ours", best["tutorial"] / best["ours"], at_least=3),
        Goal("tutorial ÷ ours in float32", best["tutorial"] / best["ours in float32"]),
        Goal("tutorial with 2 workers ÷ ours", best["tutorial, 2 workers"] / best["ours"]),
        Goal("our decoding of the files, once, s", ours.decoding),
        *(Goal(f"{way}: test accuracy after {EPOCHS} epochs, %", 100 * means[way]) for way in ways),
        Goal("difference in accuracy ÷ its standard error", difference / error, at_most=3),
    ]


def train_some() -> None:
    """Print the MiB by which the peak of this process grows."""
    import torch

    from analyses import experiments
    from benchmarks.counting import forget_peak, peak
    from lab.datasets import MissingData
    from lab.recipes import Recipe
    from lab.training import fit, predict

    class Enough(Exception):
        pass

    def stop(fraction: float, message: str) -> None:
        raise Enough  # after 20 steps

    torch.set_num_threads(1)
    forget_peak()
    before = peak()
    try:
        data, _ = experiments.load(experiments.DataChoice(), "cpu")
    except MissingData:
        data, _ = experiments.load(experiments.QUICK, "cpu")
    model = lenet(0)
    try:
        fit(model, data, Recipe(1, BATCH, learning_rate=RATE), report=stop)
    except Enough:
        predict(model, data.test.images, data, torch.bfloat16)
    print(len(data.train) + len(data.validation) + len(data.test), (peak() - before) / MIB)


def memory() -> list[Goal]:
    command = [sys.executable, "-c", "from benchmarks.training import train_some; train_some()"]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    return [Goal(f"growth in memory, {told[0]} images, MiB", float(told[1]), at_most=1_000)]


def quick() -> list[Goal]:
    """The whole command, from typing it to its end."""
    with tempfile.TemporaryDirectory() as results:
        taken = []
        for which in (["classification"], []):
            command = [sys.executable, "runner.py", "--results", results, "run", *which]
            started = time.perf_counter()
            subprocess.run([*command, "--profile", "quick"], cwd=ROOT, check=True, capture_output=True)
            taken.append(time.perf_counter() - started)
    cores = f"quick profile, {os.cpu_count()} cores, s"
    return [
        Goal(f"classification, {cores}", taken[0], at_most=240),
        Goal(f"everything, {cores}", sum(taken), at_most=600),
    ]


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("parts", nargs="*", choices=PARTS, metavar="PART")
    chosen = parser.parse_args()
    measured = {"speed": speed, "memory": memory, "quick": quick}
    report([goal for part in chosen.parts or PARTS for goal in measured[part]()], chosen.json)


if __name__ == "__main__":
    main()
