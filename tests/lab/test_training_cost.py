"""Training cost against autograd itself."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lab import models
from lab.counting import count
from lab.training_cost import training_cost

#: Small inputs where the network takes them: the ratio does not depend on the size.
NETWORKS = {
    "alexnet": 224,
    "vgg19": 64,
    "googlenet": 96,
    "inception_v3": 299,
    "resnet18": 64,
    "resnet50": 64,
    "mobilenet_v2": 64,
    "densenet121": 64,
}


def kept_by_autograd(model: nn.Module, x: torch.Tensor) -> int:
    """Bytes of distinct storages, other than parameters and buffers, that a forward pass keeps."""
    own = {t.untyped_storage()._cdata for t in (*model.parameters(), *model.buffers())}
    kept: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept.setdefault(tensor.untyped_storage()._cdata, tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = model.train()(x)
    assert output is not None
    return sum(t.untyped_storage().nbytes() for key, t in kept.items() if key not in own)


@pytest.mark.parametrize("name", NETWORKS)
def test_bytes_kept_for_backward_are_those_of_autograd(name):
    """torchinfo's estimate is 1.06 to 2.07 times as much (COUNTING, B6)."""
    shape = (3, NETWORKS[name], NETWORKS[name])
    model = models.load(name)
    cost = training_cost(model, shape, batch=2)
    assert cost.unknown == ()
    assert cost.kept_bytes == pytest.approx(
        kept_by_autograd(model, torch.empty(2, *shape, device="meta")), rel=0.02
    )


def test_bytes_kept_on_real_numbers_are_the_same():
    model = models.load("mobilenet_v2").to_empty(device="cpu")
    cost = training_cost(model, (3, 64, 64), batch=2)
    assert cost.kept_bytes == pytest.approx(kept_by_autograd(model, torch.randn(2, 3, 64, 64)), rel=0.02)


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "resnet18"])
def test_backward_macs_are_those_of_flop_counter_mode_without_groups(name):
    model, shape = models.load(name), (3, 64, 64)
    with FlopCounterMode(display=False) as counter:
        output = model.train()(torch.empty(2, *shape, device="meta"))
        forward = counter.get_total_flops() // 2
        output.sum().backward()
    cost = training_cost(model, shape, batch=2)
    assert cost.forward_macs == forward == 2 * count(model, shape).macs
    assert cost.backward_macs == counter.get_total_flops() // 2 - forward


def test_a_depthwise_convolutions_backward_is_twice_its_forward():
    """FlopCounterMode 2.15 says 33 times (COUNTING, B2)."""
    first, depthwise = nn.Conv2d(3, 32, 1), nn.Conv2d(32, 32, 3, padding=1, groups=32)
    alone = training_cost(first, (3, 16, 16))
    both = training_cost(nn.Sequential(first, depthwise), (3, 16, 16))
    assert both.backward_macs - alone.backward_macs == 2 * (both.forward_macs - alone.forward_macs)
    assert alone.backward_macs == alone.forward_macs  # the image needs no gradient


def test_frozen_layers_need_and_keep_less():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 6 * 6, 2))
    whole = training_cost(model, (3, 8, 8))
    model[0].requires_grad_(False)
    head = training_cost(model, (3, 8, 8))
    assert head.backward_macs == 8 * 6 * 6 * 2
    assert head.kept_bytes == 4 * 8 * 6 * 6 == kept_by_autograd(model, torch.zeros(1, 3, 8, 8))
    assert whole.kept_bytes == kept_by_autograd(model.requires_grad_(True), torch.zeros(1, 3, 8, 8))


def test_a_function_whose_memory_is_not_known_is_named():
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            return torch.cumsum(self.layer(x).exp(), 0)

    assert training_cost(Odd(), (4,)).unknown == ("exp",)
