"""Models by name, built on the meta device: of torchvision, of timm, or the caller's own callable."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
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
    """The model `vgg19` (torchvision), `timm:resnet26d`, `package.module:callable` or `file.py:Net`, on the
    meta device; any with arguments that are plain values: `vgg19(num_classes=10)`, `file.py:Net(width=64)`.

    The callable returns a module; a module itself will do. Raises ModelError.
    """
    plain, options = _arguments(name)
    if plain.startswith("timm:"):
        build = _timm_builder(plain.removeprefix("timm:"), options)
    elif ":" in plain:
        build = _own_builder(plain, options)
    else:
        build = _torchvision_builder(plain, options)
    model = _built(build)
    if not isinstance(model, nn.Module):
        raise ModelError(f"{name} gives a {type(model).__name__}, not a torch.nn.Module")
    return model if ":" in plain and not plain.startswith("timm:") and _is_real(model) else model.to("meta")


def _arguments(name: str) -> tuple[str, dict[str, Any]]:
    """`Net(width=64)` as ("Net", {"width": 64}); ModelError where the arguments are no plain values."""
    if "(" in name and not name.endswith(")"):
        raise ModelError(f"{name}: the parenthesis is not closed; quote the whole name: '{name})'")
    if "(" not in name:
        return name, {}
    plain, _, text = name.partition("(")
    try:
        call = ast.parse(f"f({text}", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or any(k.arg is None for k in call.keywords):
            raise ValueError
        return plain, {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (SyntaxError, ValueError):
        raise ModelError(
            f"{name}: arguments must be named and plain values, such as {plain}(width=64, name='small')"
        ) from None


def load_weights(model: nn.Module, path: Path) -> nn.Module:
    """The model with the weights of a checkpoint, which must fit every tensor of it.

    A checkpoint is a file of `torch.save` with tensors alone (code in it is not run), as a state dict or
    under "state_dict", "model" or "model_state_dict". Raises ModelError.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read: {error.strerror or error}; name a file of torch.save"
        ) from None
    except Exception:
        raise ModelError(
            f"{path} is no checkpoint that can be read safely: it holds more than tensors, or is "
            f"damaged; save "
            "model.state_dict() with torch.save"
        ) from None
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(t, torch.Tensor) for t in state.values()):
        raise ModelError(f"{path} holds no state dict; save model.state_dict() with torch.save")
    state = {key.removeprefix("module."): tensor for key, tensor in state.items()}
    own = model.state_dict()
    for what, names in (("lacks", own.keys() - state.keys()), ("has besides", state.keys() - own.keys())):
        if names:
            first, more = min(names), len(names) - 1
            raise ModelError(
                f"{path} belongs to another model: it {what} {first}{f' and {more} more' if more else ''}"
            )
    for key, tensor in own.items():
        if tensor.shape != state[key].shape:
            theirs, ours = ("×".join(map(str, t.shape)) or "a number" for t in (state[key], tensor))
            raise ModelError(f"{path} belongs to another model: its {key} is {theirs}, the model's {ours}")
    model.load_state_dict(state, assign=True)
    return model


def _built(build: Callable[[], Any]) -> Any:
    """The model, with as little of it on real memory as its constructor permits."""
    for placement in (_EmptyOnMeta(), torch.device("meta")):
        try:
            with placement:
                return build()
        except (Exception, SystemExit):  # it runs itself while it is built, or reads numbers: try the next
            continue
    return build()


def default_input(name: str, model: nn.Module) -> Shape | None:
    """(C, H, W) that the model is made for, where it says so."""
    own = getattr(model, "input_shape", None)
    if own is not None:
        if not isinstance(own, list | tuple) or not all(type(n) is int and n > 0 for n in own):
            raise ModelError(f"{name} has the input_shape {own!r}; it must be sizes such as (3, 224, 224)")
        return tuple(own)
    side = getattr(model, "image_size", None)
    if isinstance(side, int):  # a vision transformer takes no other
        return (3, side, side)
    if name.startswith("timm:"):
        return tuple(model.pretrained_cfg["input_size"])  # type: ignore[index]
    if ":" in name:
        return None
    weights = next(iter(torchvision.models.get_model_weights(name.partition("(")[0])), None)
    if weights is None:
        return (3, 224, 224)
    made = weights.transforms()
    size = getattr(made, "crop_size", None) or getattr(made, "resize_size", None) or (224,)
    size = tuple(size) if isinstance(size, Sequence) else (size,)
    height, width = size[0], size[-1]
    if "Video" in type(made).__name__:
        return (3, weights.meta.get("min_temporal_size", 16), height, width)
    return (3, height, width)


def names() -> list[str]:
    """torchvision's classification models."""
    return torchvision.models.list_models(module=torchvision.models)


def all_names() -> list[str]:
    """All of torchvision's models, detectors and those of segmentation and video too."""
    return torchvision.models.list_models()


#: What draws weights, and what else fills them: functions of torch.nn.init, and what these and timm's call.
_DRAWING = {
    f"{name}_"
    for name in (
        *("uniform", "normal", "trunc_normal", "erfinv"),
        *("xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal"),
    )
}
_FILLING = _DRAWING | {
    f"{name}_"
    for name in ("constant", "ones", "zeros", "eye", "dirac", "mul", "add", "clamp", "fill", "zero")
}


class _EmptyOnMeta(TorchFunctionMode):
    """Weights, which layers make by torch.empty, are never allocated, nor filled, which is slow on the meta
    device; small constants are, so that constructors may compute with them (RegNet reads its widths from a
    tensor)."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.empty and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        if func.__name__ in _FILLING:
            filled = args[0] if args else kwargs.get("tensor")
            if isinstance(filled, torch.Tensor) and filled.is_meta:
                return filled
        return func(*args, **kwargs)


class uninitialised(TorchFunctionMode):
    """Weights are left as the memory happens to be: to draw them takes most of the time of a large model."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.__name__ in _DRAWING:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _torchvision_builder(name: str, given: dict[str, Any]) -> Callable[[], Any]:
    known = torchvision.models.list_models()
    if name.endswith(".py"):
        raise ModelError(f"{name} is a file: say which class or function of it, such as {name}:Net")
    if not name:
        raise ModelError("the name of the model is empty; give one of torchvision, such as resnet18")
    if name not in known:
        raise ModelError(f"torchvision has no model {name!r}{_nearest(name, known)}")
    builder = torchvision.models.get_model_builder(name)
    accepted = inspect.signature(builder).parameters
    options: dict[str, Any] = {"weights": None}
    if "weights_backbone" in accepted:
        options["weights_backbone"] = None
    if name in ("googlenet", "inception_v3"):
        options["init_weights"] = False
    return _checked(name, lambda: builder(**options, **given), given)


def _checked(name: str, build: Callable[[], Any], given: dict[str, Any]) -> Callable[[], Any]:
    """The builder; where a person gave it arguments, its errors are theirs to read."""
    return (lambda: _called(name, build)) if given else build


def _timm_builder(name: str, given: dict[str, Any]) -> Callable[[], Any]:
    import timm

    known = timm.list_models()
    if name.split(".")[0] not in known:
        raise ModelError(f"timm has no model {name!r}{_nearest(name, known)}")
    return _checked(name, lambda: timm.create_model(name, pretrained=False, **given), given)


def _own_builder(name: str, given: dict[str, Any]) -> Callable[[], Any]:
    path, _, attribute = name.rpartition(":")
    if not path or not attribute:
        raise ModelError(f"{name} names no model; write package.module:callable or file.py:Net")
    if path.endswith(".py"):
        found = _file(name, Path(path))
    else:
        try:
            with _first_on_path(Path.cwd()):
                found = importlib.import_module(path)
        except ModuleNotFoundError as error:
            raise ModelError(
                f"{name}: no module {error.name!r} here or among the installed packages"
            ) from None
        except (Exception, SystemExit) as error:
            raise ModelError(f"{name}: importing {path} failed: {type(error).__name__}: {error}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ModelError(f"{name}: {path} has no {attribute!r}{_nearest(part, dir(found))}")
        found = getattr(found, part)
    if isinstance(found, nn.Module):
        return lambda: found
    if not callable(found):
        raise ModelError(f"{name} is a {type(found).__name__}, not a function or class that gives a model")
    missing = [key for key in _required(found) if key not in given]
    if missing:
        raise ModelError(
            f"{name} needs the argument{'s' * (len(missing) > 1)} {', '.join(missing)}: write "
            f"{name}({missing[0]}=…) with plain values, or name a function that takes none and passes them"
        )
    return lambda: _called(name, lambda: found(**given))


@contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    """The modules beside a reader's own are found first while it is imported, and hide none later."""
    before = sys.path[:]
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = [*before, *([str(folder)] if str(folder) not in before else [])]


def _file(name: str, path: Path) -> Any:
    """The module of a file, with the file's folder on the path as when it is run."""
    if not path.is_file():
        raise ModelError(f"{name}: there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(path.stem)
    sys.modules[path.stem] = module
    try:
        with _first_on_path(path.resolve().parent):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ModelError(f"{name}: running {path} failed: {type(error).__name__}: {error}") from error
    finally:
        if before is not None:
            sys.modules[path.stem] = before
    return module


def _called(name: str, build: Callable[[], Any]) -> Any:
    try:
        return build()
    except (Exception, SystemExit) as error:
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
