"""Three independent counters agree with us to the last operation, once their conventions are stated."""

from __future__ import annotations

import sys
import warnings
from functools import cache

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from analyses.architecture.crosscheck import CrosscheckParameters
from lab import models
from lab.counters import ADAPTERS, UNEXPLAINED, CounterError, CounterReading, read, reconcile
from lab.counting import count
from lab.formulas import backward_macs

SHAPE = (3, 224, 224)
MACS_PER_UNIT = {"fvcore": 1.0, "torch": 0.5, "torchinfo": 1.0}
TEN = CrosscheckParameters().models


@cache
def ledger(name):
    return count(models.load(name), SHAPE, name=name)


@pytest.mark.parametrize("counter", ADAPTERS)
@pytest.mark.parametrize("name", TEN)
def test_every_difference_is_attributed(name, counter):
    reading = read(counter, models.load(name), SHAPE)
    *reasons, rest = reconcile(ledger(name), reading)
    assert (rest.reason, rest.amount) == (UNEXPLAINED, 0)
    explained = sum(found.amount for found in reasons)
    assert ledger(name).macs + explained == reading.total * reading.macs_per_unit
    assert all(found.amount for found in reasons)


@pytest.mark.parametrize("counter", ADAPTERS)
def test_reasons_are_computed_from_the_ledger_and_never_from_the_total(counter):
    invented = CounterReading(counter, "anything", "0", 123_456_789_000, {}, MACS_PER_UNIT[counter])
    true = read(counter, models.load("resnet18"), SHAPE)
    *reasons, rest = reconcile(ledger("resnet18"), invented)
    assert reasons == reconcile(ledger("resnet18"), true)[:-1]
    assert rest.amount != 0, "a wrong total must show as unexplained"


class Normalised(nn.Module):
    """Convolution, group norm, a transposed convolution, a shared linear layer, attention."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.GroupNorm(2, 8)
        self.up = nn.ConvTranspose2d(8, 6, 2, stride=2)
        self.shared = nn.Linear(6, 6)
        self.layer_norm = nn.LayerNorm(6, elementwise_affine=False)
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        x = self.up(self.norm(self.conv(x)))
        tokens = self.layer_norm(self.shared(self.shared(x.flatten(2).transpose(1, 2))))
        tokens = nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
        return self.head(tokens.mean(1))


@pytest.mark.parametrize("counter", ADAPTERS)
def test_conventions_hold_on_layers_that_the_ten_networks_do_not_have(counter):
    model = Normalised()
    reading = read(counter, model, (3, 8, 8))
    assert reconcile(count(model, (3, 8, 8)), reading)[-1].amount == 0


class Calls(nn.Module):
    """A module that is no more than a function of its input and of the layer inside."""

    def __init__(self, function, layer=None) -> None:
        super().__init__()
        self.layer = layer
        self.function = function

    def forward(self, x):
        return self.function(x) if self.layer is None else self.function(self.layer, x)


def twice(layer, x):
    return layer(layer(x))


def first_output(layer, x):
    return layer(x)[0]


def weights_only(layer, x):
    """As Swin does: the layer itself is never called."""
    return F.linear(x, layer.weight, layer.bias)


def tied(features):
    one, two = nn.Linear(features, features), nn.Linear(features, features)
    two.weight = one.weight
    return nn.Sequential(one, two)


def grid(x):
    return F.grid_sample(x, torch.zeros(1, 6, 7, 2, device=x.device), align_corners=False)


def weighted(layer, x):
    return layer(x, x, x)[0]


def fused(layer, x):
    return layer(x, x, x, need_weights=False)[0]


LAYERS = {
    "a batch norm called twice": (Calls(twice, nn.BatchNorm2d(4)), (4, 9, 9)),
    "a layer norm called twice": (Calls(twice, nn.LayerNorm(8)), (6, 8)),
    "a convolution called twice": (Calls(twice, nn.Conv2d(4, 4, 3)), (4, 9, 9)),
    "an LSTM": (Calls(first_output, nn.LSTM(8, 5, batch_first=True)), (6, 8)),
    "an LSTM called twice": (
        Calls(lambda layer, x: layer(layer(x)[0])[0], nn.LSTM(8, 8, batch_first=True)),
        (6, 8),
    ),
    "a GRU of two layers and directions": (
        Calls(first_output, nn.GRU(8, 5, num_layers=2, bidirectional=True, batch_first=True)),
        (6, 8),
    ),
    "the weights of a layer in a function": (Calls(weights_only, nn.Linear(8, 5)), (6, 8)),
    "tied weights": (tied(8), (6, 8)),
    "attention whose weights are asked for": (
        Calls(weighted, nn.MultiheadAttention(8, 2, batch_first=True)),
        (6, 8),
    ),
    "fused attention": (Calls(fused, nn.MultiheadAttention(8, 2, batch_first=True)), (6, 8)),
    "nearest upsampling": (nn.Upsample(scale_factor=2), (4, 5, 6)),
    "nearest upsampling of one axis": (nn.Upsample(scale_factor=2), (4, 5)),
    "bilinear upsampling": (Calls(lambda x: F.interpolate(x, (9, 7), mode="bilinear")), (4, 5, 6)),
    "bicubic upsampling": (nn.Upsample(scale_factor=2, mode="bicubic"), (4, 5, 6)),
    "sampling on a grid": (Calls(grid), (4, 5, 6)),
    "einsum": (Calls(lambda x: torch.einsum("bghid,bghjd->bghij", x, x)), (7, 2, 133, 131)),
    "adaptive pooling of one axis": (nn.AdaptiveAvgPool1d(2), (4, 9)),
    "adaptive pooling of two axes": (nn.AdaptiveAvgPool2d(2), (4, 9, 9)),
    "adaptive pooling of three axes": (nn.AdaptiveAvgPool3d(2), (4, 9, 9, 9)),
    "group norm without weights": (nn.GroupNorm(2, 4, affine=False), (4, 9, 9)),
    "instance norm": (nn.InstanceNorm2d(4, affine=True), (4, 9, 9)),
    "instance norm without weights": (nn.InstanceNorm2d(4), (4, 9, 9)),
    "batch norm without weights": (nn.BatchNorm2d(4, affine=False), (4, 9, 9)),
    "learnt slopes": (nn.PReLU(4), (4, 9, 9)),
    "transposed convolution in groups": (nn.ConvTranspose2d(4, 8, 3, stride=2, groups=2), (4, 9, 9)),
}


@pytest.mark.parametrize("counter", ADAPTERS)
@pytest.mark.parametrize("what", LAYERS)
def test_conventions_hold_layer_by_layer(what, counter):
    layer, shape = LAYERS[what]
    model = nn.Sequential(layer)
    assert reconcile(count(model, shape), read(counter, model, shape))[-1].amount == 0


@pytest.mark.parametrize("name", ["convnext_tiny", "shufflenet_v2_x1_0", "regnet_y_400mf", "swin_v2_t"])
@pytest.mark.parametrize("counter", ADAPTERS)
def test_conventions_hold_on_other_families(name, counter):
    assert reconcile(ledger(name), read(counter, models.load(name), SHAPE))[-1].amount == 0


def test_rounding_by_fvcore_is_attributed_on_maxvit():
    reading = read("fvcore", models.load("maxvit_t"), SHAPE)
    *reasons, rest = reconcile(ledger("maxvit_t"), reading)
    assert rest.amount == 0
    assert 1072 in [found.amount for found in reasons]


class Own(nn.Module):
    """A convolution that is not named after one."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 4, 3, 3))

    def forward(self, x):
        return F.conv2d(x, self.weight)


def test_what_a_convention_does_not_cover_is_reported():
    """torchinfo goes by the name of the class and takes the convolution's weights at one position only."""
    model = Own()
    (rest,) = reconcile(count(model, (4, 9, 9)), read("torchinfo", model, (4, 9, 9)))
    assert (rest.reason, rest.amount) == (UNEXPLAINED, 4 * 4 * 9 * (1 - 7 * 7))


@pytest.mark.parametrize("counter", ADAPTERS)
def test_frozen_weights_do_not_change_a_reading(counter):
    """With none to train, torch takes the fused attention of inference also where gradients are enabled."""
    free, frozen = models.load("vit_b_16"), models.load("vit_b_16").requires_grad_(False)
    assert read(counter, frozen, SHAPE) == read(counter, free, SHAPE)
    assert not any(parameter.requires_grad for parameter in frozen.parameters())


@cache
def read_with_gradients() -> dict[str, float]:
    """A transformer by every counter, where gradients are enabled, as they are by themselves."""
    return {counter: read(counter, models.load("vit_b_16"), SHAPE).total for counter in ADAPTERS}


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_gradient_modes_change_neither_our_count_nor_a_reading(mode):
    expected = read_with_gradients()
    with mode():
        assert count(models.load("vit_b_16"), SHAPE).macs == 17_563_828_224
        assert {
            counter: read(counter, models.load("vit_b_16"), SHAPE).total for counter in ADAPTERS
        } == expected


def test_flop_counter_mode_overcounts_the_backward_of_grouped_convolutions():
    """Why backward costs are computed by our own formula. When torch mends it, this test may go."""
    model = nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False)
    image = torch.zeros(1, 32, 8, 8, requires_grad=True)
    with FlopCounterMode(display=False) as forward:
        output = model(image)
    with FlopCounterMode(display=False) as backward:
        output.sum().backward()
    assert backward.get_total_flops() > 30 * forward.get_total_flops()
    assert backward_macs(forward.get_total_flops() // 2) == forward.get_total_flops()


def test_activations_and_poolings_are_counted_once():
    found = ledger("alexnet")
    relus = [layer for layer in found.layers if layer.kind == "ReLU"]
    assert found.elements_of("activation") == sum(torch.Size(layer.output_shape).numel() for layer in relus)
    assert found.elements_of("pooling") == sum(
        torch.Size(layer.input_shape).numel() for layer in found.layers if layer.kind == "MaxPool2d"
    )


@pytest.mark.parametrize("counter", ADAPTERS)
def test_a_reading_does_not_depend_on_weights(counter):
    def reading(seed):
        torch.manual_seed(seed)
        return read(counter, nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), (3, 8, 8))

    assert reading(0) == reading(1)


def state(model):
    return (
        {name: value.clone() for name, value in model.state_dict().items()},
        [module.training for module in model.modules()],
        [
            (len(module._forward_hooks), len(module._forward_pre_hooks), sorted(module.__dict__))
            for module in model.modules()
        ],
    )


@pytest.mark.parametrize("shape", [(3, 32, 32), (5, 32, 32)])
@pytest.mark.parametrize("counter", ADAPTERS)
def test_a_counter_leaves_the_model_as_it_was_also_when_it_fails(counter, shape):
    model = torchvision.models.resnet18(weights=None).train()
    weights, modes, hooks = state(model)
    if shape[0] == 3:
        read(counter, model, shape)
    else:
        with pytest.raises(CounterError, match=f"{counter} cannot count this model"):
            read(counter, model, shape)
    after, modes_after, hooks_after = state(model)
    assert (modes, hooks) == (modes_after, hooks_after)
    assert weights.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in weights.items())


@pytest.mark.parametrize("change", [torch.compile, nn.Module.half], ids=["compiled", "half precision"])
@pytest.mark.parametrize("counter", ADAPTERS)
def test_compiled_and_half_precision_models_read_as_the_plain_one(counter, change):
    def model():
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())

    assert read(counter, change(model()), (3, 8, 8)) == read(counter, model(), (3, 8, 8))


class Warns(nn.Module):
    def forward(self, x):
        warnings.warn("about the model itself", UserWarning, stacklevel=1)
        return nn.functional.relu(x)


@pytest.mark.parametrize("counter", ADAPTERS)
def test_a_models_own_warnings_pass(counter):
    with pytest.warns(UserWarning, match="about the model itself"):
        read(counter, nn.Sequential(nn.Conv2d(3, 4, 3), Warns()), (3, 8, 8))


def test_a_counter_that_is_not_installed_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "fvcore.nn", None)
    with pytest.raises(CounterError, match=r"fvcore is not installed .* pip install fvcore"):
        read("fvcore", nn.Conv2d(3, 4, 3), (3, 8, 8))


def published():
    """Every weights that torchvision publishes for classification, once a network and resolution."""
    for name in models.names():
        sizes = {}
        for weights in torchvision.models.get_model_weights(name):
            sizes.setdefault(weights.transforms().crop_size[0], weights)
        for size, weights in sizes.items():
            yield pytest.param(name, size, weights, id=f"{name}-{size}")


#: Parameters that we count and torchvision's documentation leaves out; of Inception v3 it has the same heads.
AUXILIARY_HEADS = {"googlenet": 6_379_984}


@pytest.mark.parametrize(("name", "size", "weights"), list(published()))
def test_torchvisions_published_figures_are_ours(name, size, weights):
    model = models.load(name)
    if getattr(model, "image_size", size) != size:  # a vision transformer is built for its resolution
        with torch.device("meta"):
            model = torchvision.models.get_model(name, weights=None, image_size=size)
    found = count(model, (3, size, size))
    assert round(found.macs / 1e9, 3) == weights.meta["_ops"]
    assert found.parameters - AUXILIARY_HEADS.get(name, 0) == weights.meta["num_params"]
