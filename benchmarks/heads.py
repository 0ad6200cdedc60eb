"""How fast a sweep of learning rates over a last layer is, beside running the frozen network every epoch.

    python -m benchmarks.heads [--images 256] [--size 64] [--json FILE]

Four rates for 60 epochs on images of CIFAR-10, or embedded ones where there is none, with EfficientNet-Lite0,
in float32 on one thread. Ours: features once, then every head at once. The other way, which a loop of
`model(images)` with frozen layers is: each rate by itself, the network in every step. Of it `--measured`
epochs of every rate are timed and scaled to 60; the training of the head is in both. After the same number of
epochs the heads of both are compared.
"""

from __future__ import annotations

import time

from benchmarks.goals import Goal, options, report

RATES, EPOCHS, BATCH, CLASSES = (1.0, 0.1, 0.01, 0.001), 60, 64, 10


def measure(count: int, size: int, measured: int) -> list[Goal]:
    import numpy as np
    import torch
    from torch import nn
    from torch.nn import functional as F

    from lab import weights
    from lab.datasets import MissingData
    from lab.datasets import load as load_images
    from lab.heads import Heads, fit_heads
    from lab.recipes import Recipe

    torch.set_num_threads(1)
    try:
        images = load_images("cifar10", "train", size=(size, size), grey=False)
    except MissingData:
        images = load_images("shapes", "train", size=(size, size), grey=False)
    chosen = np.random.default_rng(0).permutation(len(images))[: 2 * count]
    pixels = torch.from_numpy(images.images[np.sort(chosen)])
    labels = torch.from_numpy(images.labels[np.sort(chosen)])
    train, test = slice(0, None, 2), slice(1, None, 2)
    network = weights.load("lite0", size=size)
    weights.features(network, pixels[:BATCH])  # warm

    def heads(inputs: torch.Tensor, epochs: int) -> Heads:
        recipe = Recipe(epochs=epochs, batch=BATCH, nesterov=False)
        return fit_heads(inputs, labels[train], CLASSES, recipe, RATES, (0,))

    started = time.perf_counter()
    inputs = weights.features(network, pixels[train])
    heads(inputs, EPOCHS)
    ours = time.perf_counter() - started

    fresh = weights.features(network, pixels[test])
    slow, found = 0.0, []
    for rate in RATES:
        torch.manual_seed(0)
        head = nn.Linear(inputs.shape[1], CLASSES)
        optimizer = torch.optim.SGD(head.parameters(), lr=rate, momentum=0.9)
        generator = torch.Generator().manual_seed(0)
        started = time.perf_counter()
        for _ in range(measured):
            order = torch.randperm(count, generator=generator)
            torch.randint(1, (count,), generator=generator)  # the view that fit_heads draws
            for at in order.split(BATCH):
                optimizer.zero_grad()
                seen = weights.features(network, pixels[train][at])
                F.cross_entropy(head(seen), labels[train][at]).backward()
                optimizer.step()
        slow += (time.perf_counter() - started) * EPOCHS / measured
        with torch.no_grad():
            found.append((head(fresh).argmax(1) == labels[test]).float().mean().item())
    same = heads(inputs, measured)
    told = [
        ((fresh @ weight.T + bias).argmax(1) == labels[test]).float().mean().item()
        for weight, bias in zip(same.weight[0], same.bias[0], strict=True)
    ]
    return [
        Goal(f"ours, {count} images of {size} pixels, s", ours),
        Goal(f"the network in every epoch, scaled from {measured} of {EPOCHS} epochs, s", slow),
        Goal("the network in every epoch ÷ ours", slow / ours, at_least=50),
        Goal(
            "largest difference in test accuracy after these epochs, points",
            100 * max(abs(a - b) for a, b in zip(found, told, strict=True)),
            at_most=1,
        ),
    ]


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--measured", type=int, default=2)
    chosen = parser.parse_args()
    report(measure(chosen.images, chosen.size, chosen.measured), chosen.json)


if __name__ == "__main__":
    main()
