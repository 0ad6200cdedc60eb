"""How autoencoders are trained and measured on noisy digits, and what simpler ways reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analyses import experiments
from analyses.concepts._autoencoders_settings import DIGITS
from analyses.pictures import png
from analyses.plugin import Cell, Context, Outcome

WIDTHS = tuple(round(0.3 + 0.1 * step, 1) for step in range(10))  # pixels, of the Gaussian filter
SHOWN = 3  # digits along each side of a picture
FEATURES = 6


def _images() -> tuple[Any, Any]:
    """Training and test digits, float (N, 1, 8, 8) in [0, 1]."""
    import torch

    from lab.datasets import load

    first, second = (torch.from_numpy(load(DIGITS, split).images) / 255 for split in ("train", "test"))
    return first, second


def _noisy_test(images: Any, settings: Mapping[str, Any]) -> Any:
    import torch

    from lab.reconstruction import noisy

    return noisy(images, settings["noise"], torch.Generator().manual_seed(settings["noise_seed"]))


def _measured(made: Any, images: Any) -> dict[str, float]:
    from lab.reconstruction import absolute_error, psnr

    return {"psnr": psnr(made, images), "absolute": absolute_error(made, images)}


def run_baselines(cell: Cell) -> Outcome:
    """The noisy digits as they are, filtered, and by their components. Training digits choose how much."""
    import torch

    from lab.reconstruction import Components, best_of, noisy, smoothed

    train, test = _images()
    seen = _noisy_test(test, cell.settings)
    generator = torch.Generator().manual_seed(cell.settings["noise_seed"] + 1)
    tried = noisy(train, cell.settings["noise"], generator)
    width = WIDTHS[best_of([smoothed(tried, one) for one in WIDTHS], train)]
    components = Components.of(train)
    counts = range(1, len(components.directions) + 1)
    count = 1 + best_of([components.projected(tried, one) for one in counts], train)
    made = {
        "noisy": seen,
        "gaussian": smoothed(seen, width),
        "components": components.projected(seen, count),
    }
    return {
        **{name: _measured(one, test) for name, one in made.items()},
        "width": width,
        "count": count,
        "train": len(train),
        "test": len(test),
        "pixels": test[0].numel(),
        "pictures": {name: _side_by_side(one) for name, one in {"original": test, **made}.items()},
    }


def train(cell: Cell, context: Context) -> Outcome:
    import torch

    from lab.datasets import load
    from lab.networks.autoencoder import Autoencoder
    from lab.reconstruction import Reconstruction
    from lab.training import Data, Images

    settings, seed = cell.settings, cell.seed or 0
    digits = load(DIGITS, "train")
    data = Data(Images.of(digits.images, digits.labels, context.device), (0.0,), (1.0,))
    torch.manual_seed(seed)
    model = Autoencoder(tuple(digits.images.shape[1:]), settings["units"])
    objective = Reconstruction(**settings["objective"])
    history = experiments.fit(model, data, settings["recipe"], cell, context, objective)
    model.eval()
    _, test = _images()
    seen = _noisy_test(test, settings)
    with torch.no_grad():
        made, copied = (model(images.to(context.device)).sigmoid().cpu() for images in (seen, test))
        code = model.encode(test.to(context.device)).cpu()
    active = (code > 0).float()
    outcome: Outcome = {
        **_measured(made, test),
        "clean_psnr": _measured(copied, test)["psnr"],
        "active": float(active.mean()),
        "loss": history.train_loss[-1],
        "diverged": history.outcome == "diverged",
    }
    if not seed:
        most = active.mean(0).argsort(descending=True)[: FEATURES**2]
        features = model.features().detach().cpu()[most]
        scale = features.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-9)
        outcome["picture"] = _side_by_side(made)
        outcome["features"] = _side_by_side(0.5 + features / scale / 2, FEATURES)
    return outcome


def _side_by_side(images: Any, side: int = SHOWN) -> str:
    """The first side² of the images (N, 1, H, W) in [0, 1], as one picture with lines between them."""
    import torch

    height, width = images.shape[-2:]
    sheet = torch.full((side * (height + 1) - 1, side * (width + 1) - 1), 128, dtype=torch.uint8)
    for number, image in enumerate(images[: side**2, 0]):
        row, column = divmod(number, side)
        top, left = row * (height + 1), column * (width + 1)
        sheet[top : top + height, left : left + width] = (255 * image.clamp(0, 1)).round().byte()
    return png(sheet)
