"""What a network looks at: attributions by captum, checked for what would make them silently wrong.

Guided backpropagation (Springenberg et al. 2015) hooks modules of `nn.ReLU`; a rectifier that is called as a
function it does not see, and it would give the plain gradient without a word. Such a model is refused here.
ReLU6 is taken apart into a ReLU and a ceiling, which changes no output.
"""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

REVISION = 1  # to be raised when the same network and image give another attribution

METHODS = {
    "gradient": "gradient",
    "guided": "guided backpropagation",
    "integrated": "integrated gradients",
}
STEPS = 32  # of integrated gradients, from a grey image
FROM_SCIKIT_IMAGE = {"cat": "chelsea", "astronaut": "astronaut"}  # name → function of skimage.data
FUNCTIONS = (F.relu, F.relu6, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.hardtanh)


class InterpretationError(ValueError):
    """An attribution that would not be what it is called, or an image that cannot be read."""


def photograph(name: str) -> Tensor:
    """uint8 (1, 3, H, W): "china" or "flower", which scikit-learn ships, "cat" or "astronaut" (a portrait),
    which scikit-image ships, all of which may be redistributed, or "file:PATH", as lab.datasets.viewing
    shows it. InterpretationError where it cannot be read.
    """
    kind, _, path = name.partition(":")
    if kind == "file" and path:
        from lab.datasets.decoding import plainly
        from lab.datasets.viewing import viewed

        try:
            with Path(path).expanduser().open("rb") as file:
                pixels = torch.from_numpy(_array(viewed(file).convert("RGB")))
        except Exception as error:  # Pillow raises nearly anything on damaged bytes
            raise InterpretationError(f"{path} cannot be read as an image ({plainly(error)})") from None
    elif name in ("china", "flower"):
        from sklearn.datasets import load_sample_image

        pixels = torch.from_numpy(load_sample_image(f"{name}.jpg").copy())
    elif name in FROM_SCIKIT_IMAGE:
        try:
            from skimage import data
        except ImportError:
            raise InterpretationError(
                f"the photograph {name!r} comes with scikit-image, which is not installed: "
                "pip install scikit-image, or take another image: china, flower or file:PATH"
            ) from None
        pixels = torch.from_numpy(_array(getattr(data, FROM_SCIKIT_IMAGE[name])()))
    else:
        raise InterpretationError(f"the image is china, flower, cat, astronaut or file:PATH, not {name!r}")
    return pixels.permute(2, 0, 1)[None].contiguous()


def _array(image: Any) -> Any:
    import numpy as np

    return np.array(image)


def attribute(model: nn.Module, images: Tensor, targets: Tensor, method: str) -> Tensor:
    """(N, 3, H, W): the share of each value of `images` (normalised, N, 3, H, W) in the logits of `targets`
    (N,), by one of METHODS. The model is not changed.

    InterpretationError where guided backpropagation is asked of a model that it does not hold for.
    """
    from captum.attr import GuidedBackprop, IntegratedGradients, Saliency

    if method not in METHODS:
        raise InterpretationError(f"a method is {', '.join(METHODS)}, not {method!r}")
    inputs = images.detach().clone().requires_grad_()
    own = copy.deepcopy(model).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of hooks that are set
        if method == "guided":
            found = GuidedBackprop(guidable(own, images[:1])).attribute(inputs, target=targets)
        elif method == "integrated":
            found = torch.cat(
                [
                    IntegratedGradients(own).attribute(
                        one[None], target=target, n_steps=STEPS, internal_batch_size=8
                    )
                    for one, target in zip(inputs, targets.tolist(), strict=True)
                ]
            )
        else:
            found = Saliency(own).attribute(inputs, target=targets, abs=False)
    return found.detach().float()


def guidable(model: nn.Module, example: Tensor) -> nn.Module:
    """The model, changed in place so that every rectifier is a module of `nn.ReLU` that overwrites nothing.

    InterpretationError where a rectifier is called as a function, or there is none, or another activation
    takes its place.
    """
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.ReLU):
            module.inplace = False
        elif isinstance(module, nn.ReLU6):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, nn.Sequential(nn.ReLU(), _Ceiling()))
    rectifiers = [module for module in model.modules() if isinstance(module, nn.ReLU)]
    others = {
        type(one).__name__ for one in model.modules() if isinstance(one, nn.SiLU | nn.GELU | nn.Hardswish)
    }
    if others:
        raise InterpretationError(
            f"guided backpropagation is defined for ReLU, and {type(model).__name__} has "
            f"{' and '.join(sorted(others))}; take gradient or integrated"
        )
    calls = 0

    def counted(module: nn.Module, inputs: Any) -> None:
        nonlocal calls
        calls += 1

    handles = [module.register_forward_pre_hook(counted) for module in rectifiers]
    with torch.no_grad(), _Rectified() as seen:
        model(example)
    for handle in handles:
        handle.remove()
    if seen.calls > calls or not rectifiers:
        where = (
            f"calls {seen.calls - calls} of its rectifiers as functions"
            if rectifiers or seen.calls
            else ("has no rectifier")
        )
        raise InterpretationError(
            f"{type(model).__name__} {where}, which guided backpropagation cannot hook: it would give the "
            "plain gradient; write them as modules of nn.ReLU, or take gradient or integrated"
        )
    return model


class _Ceiling(nn.Module):
    """What makes ReLU6 of ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(max=6)


class _Rectified(TorchFunctionMode):
    """Counts rectifiers, whether a module or the model's own code calls them."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += func in FUNCTIONS
        return func(*args, **(kwargs or {}))


def weighted_layers(model: nn.Module) -> list[str]:
    """Names of the convolutions and linear layers, from the input to the output."""
    return [name for name, one in model.named_modules() if isinstance(one, nn.Conv2d | nn.Linear)]


def randomised(model: nn.Module, layers: int, seed: int) -> nn.Module:
    """A copy whose last `layers` weighted layers, and the norms after the first of them, are drawn anew: the
    cascade of Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3.
    """
    own = copy.deepcopy(model)
    names = [
        name for name, one in own.named_modules() if isinstance(one, nn.Conv2d | nn.Linear | nn.BatchNorm2d)
    ]
    drawn = set(weighted_layers(own)[-layers:]) if layers else set()
    first = min((names.index(name) for name in drawn), default=len(names))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name in names[first:]:
            own.get_submodule(name).reset_parameters()  # type: ignore[operator]
    return own


@torch.no_grad()
def settle(model: nn.Module, images: Tensor) -> nn.Module:
    """The model, the statistics of whose norms are taken from `images` where they were forgotten.

    New weights behind the statistics of old ones let a signal die or explode, which would say nothing of an
    attribution.
    """
    norms = [one for one in model.modules() if isinstance(one, nn.BatchNorm2d)]
    fresh = [
        one for one in norms if one.num_batches_tracked is not None and int(one.num_batches_tracked) == 0
    ]
    for norm in fresh:
        norm.train()
        norm.momentum = None  # the mean over all batches
    model(images)
    for norm in fresh:
        norm.eval()
    return model


def likeness(first: Tensor, second: Tensor) -> float:
    """Spearman's rank correlation of two attributions (3, H, W), of their absolute sums over the channels."""
    from scipy.stats import spearmanr

    maps = [one.abs().sum(0).flatten().cpu().numpy() for one in (first, second)]
    if any(one.max() == one.min() for one in maps):
        return 0.0
    return float(spearmanr(*maps).statistic)
