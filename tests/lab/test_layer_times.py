"""Times by kind of layer: what is counted, and that the network is left as it was."""

from __future__ import annotations

from itertools import accumulate
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lab.counting import count
from lab.layer_times import by_kind
from lab.networks import base


@pytest.mark.parametrize("make", [base.convnet, base.mobilenet, base.resnet])
def test_multiplications_by_kind_are_those_of_the_counted_layers(make):
    model = make()
    kinds = by_kind(model, torch.randn(2, 3, 32, 32), repeats=1)
    layers = count(model, (3, 32, 32)).layers
    counted = sum(layer.macs for layer in layers if "convolution" in layer.macs_by_class)
    convolutions = {name: kind for name, kind in kinds.items() if "convolution" in name}
    assert sum(kind.multiplications for kind in convolutions.values()) == counted
    assert kinds["linear"].multiplications == 512 * 10
    assert all(kind.ms > 0 for kind in kinds.values())
    assert ("depthwise convolution" in kinds) == (make is base.mobilenet)


def test_the_network_is_left_as_it_was():
    model = base.mobilenet().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    by_kind(model, torch.randn(2, 3, 32, 32), repeats=2)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_of_several_passes_the_shortest_time_of_each_layer_counts(monkeypatch):
    """By a clock on which a layer takes three seconds in the first pass, then one, then two."""
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU())
    lengths = [length for length in (3.0, 1.0, 2.0) for _ in range(3)]  # three layers in each of three passes
    ticks = iter([0.0, *accumulate(step for length in lengths for step in (length, 0.0))])
    monkeypatch.setattr("lab.layer_times.time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    found = by_kind(model, torch.zeros(1, 3, 4, 4), repeats=3)
    assert {kind: one.ms for kind, one in found.items()} == dict.fromkeys(found, 1000.0)
