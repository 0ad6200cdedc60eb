"""Models by name, built on the meta device: of torchvision, of timm, or the caller's own callable."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn
from torch.overrides import TorchFunctionMode

from lab.ledger import Shape

REVISION = 1

#: What a torchvision builder must be told so that it neither initialises slowly nor warns nor downloads.
BUILD_OPTIONS = ("weights", "weights_backbone", "init_weights")


class ModelError(ValueError):
    """No such model, or it cannot be built from its name alone."""


def load(name: str) -> nn.Module:
    """The model `vgg19` (torchvision), `timm:resnet26d`, or `package.module:callable`, on the meta device.

    The callable takes no argument and returns a module; a module itself will do. Raises ModelError.
    """
    if name.startswith("timm:"):
        build = _timm_builder(name.removeprefix("timm:"))
    elif ":" in name:
        build = _own_builder(name)
    else:
        build = _torchvision_builder(name)
    model = _built(build)
    if not isinstance(model, nn.Module):
        raise ModelError(f"{name} gives a {type(model).__name__}, not a torch.nn.Module")
    return model if ":" in name and not name.startswith("timm:") and _is_real(model) else model.to("meta")


def _built(build: Callable[[], Any]) -> Any:
    """The model, with as little of it on real memory as its constructor permits."""
    for placement in (_EmptyOnMeta(), torch.device("meta")):
        try:
            with placement:
                return build()
        except Exception:  # it runs itself while it is built, or reads numbers: try the next
            continue
    return build()


def default_input(name: str, model: nn.Module) -> Shape | None:
    """(C, H, W) that the model is made for, where it says so."""
    own = getattr(model, "input_shape", None)
    if own is not None:
        return tuple(own)
    side = getattr(model, "image_size", None)
    if isinstance(side, int):  # a vision transformer takes no other
        return (3, side, side)
    if name.startswith("timm:"):
        return tuple(model.pretrained_cfg["input_size"])  # type: ignore[index]
    if ":" in name:
        return None
    weights = torchvision.models.get_model_weights(name)
    size = next((getattr(w.transforms(), "crop_size", None) for w in weights), None)
    return (3, size[0], size[0]) if size and len(size) == 1 else (3, 224, 224)


def names() -> list[str]:
    """torchvision's classification models."""
    return torchvision.models.list_models(module=torchvision.models)


class _EmptyOnMeta(TorchFunctionMode):
    """Weights, which layers make by torch.empty, are never allocated; small constants are, so that
    constructors may compute with them (RegNet reads its widths from a tensor)."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.empty and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def _torchvision_builder(name: str) -> Callable[[], Any]:
    known = torchvision.models.list_models()
    if name not in known:
        raise ModelError(f"torchvision has no model {name!r}{_nearest(name, known)}")
    builder = torchvision.models.get_model_builder(name)
    accepted = inspect.signature(builder).parameters
    options: dict[str, Any] = {"weights": None}
    if "weights_backbone" in accepted:
        options["weights_backbone"] = None
    if name in ("googlenet", "inception_v3"):
        options["init_weights"] = False
    return lambda: builder(**options)


def _timm_builder(name: str) -> Callable[[], Any]:
    import timm

    known = timm.list_models()
    if name.split(".")[0] not in known:
        raise ModelError(f"timm has no model {name!r}{_nearest(name, known)}")
    return lambda: timm.create_model(name, pretrained=False)


def _own_builder(name: str) -> Callable[[], Any]:
    path, _, attribute = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(path)
    except ModuleNotFoundError as error:
        raise ModelError(f"{name}: no module {error.name!r} here or among the installed packages") from None
    except Exception as error:
        raise ModelError(f"{name}: importing {path} failed: {type(error).__name__}: {error}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ModelError(f"{name}: {path} has no {attribute!r}{_nearest(part, dir(found))}")
        found = getattr(found, part)
    if isinstance(found, nn.Module):
        return lambda: found
    if not callable(found):
        raise ModelError(f"{name} is a {type(found).__name__}, not a function or class that gives a model")
    missing = _required(found)
    if missing:
        raise ModelError(
            f"{name} needs the argument{'s' * (len(missing) > 1)} {', '.join(missing)}: "
            "name a function that takes none and passes them"
        )
    return lambda: _called(name, found)


def _called(name: str, build: Callable[[], Any]) -> Any:
    try:
        return build()
    except Exception as error:
        raise ModelError(f"{name} failed to build: {type(error).__name__}: {error}") from error


def _required(build: Callable[..., Any]) -> list[str]:
    try:
        parameters: Iterable[inspect.Parameter] = inspect.signature(build).parameters.values()
    except ValueError:  # a builtin without signature
        return []
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in free]


def _is_real(model: nn.Module) -> bool:
    """Whether the caller's model holds numbers of its own; it is then left as it is."""
    return any(p.device.type != "meta" for p in model.parameters())


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; nearest: {', '.join(near)}" if near else ""
