"""Which layer feeds which, against networks whose connections are known."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from lab.counting import count
from lab.graph import arrows, grouped, summary, trace
from lab.networks.base import Residual
from lab.networks.inception import GOOGLENET, Inception


def on_meta(make):
    with torch.device("meta"):
        return make().eval()


def test_a_residual_block_has_two_branches_that_meet_in_a_sum():
    graph = trace(on_meta(lambda: Residual(8, 16)), (8, 4, 4))
    groups = grouped(graph, ("conv", "merge"))
    pairs = set(arrows(graph, groups))
    merge = next(group.name for group in groups if graph.ledger.layers[group.rows[0]].kind == "add")
    assert pairs == {
        ("input", "conv1"),
        ("conv1", "conv2"),
        ("input", "shortcut"),
        ("conv2", merge),
        ("shortcut", merge),
    }


def test_an_inception_module_has_four_branches_that_meet_in_a_concatenation():
    width, channels, filters = GOOGLENET["3b"]
    shape = (channels, width, width)
    graph = trace(on_meta(lambda: Inception(shape, filters)), shape)
    pairs = arrows(graph, grouped(graph))
    last = pairs[-1][1]
    assert sum(source == "input" for source, _ in pairs) == 4
    assert sum(target == last for _, target in pairs) == 4


def test_a_layer_that_only_normalises_joins_the_one_that_feeds_it():
    make = lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 1))  # noqa: E731
    graph = trace(on_meta(make), (3, 8, 8))
    assert [group.rows for group in grouped(graph, ("conv",))] == [[0, 1, 2], [3]]


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "densenet121", "vit_b_16"])
def test_a_summary_holds_everything_that_was_counted(name):
    ledger = count(on_meta(getattr(torchvision.models, name)), (3, 224, 224))
    parts = summary(ledger)
    assert len(parts) <= 16
    assert sum(part.macs for part in parts) == ledger.macs
    assert sum(part.parameters for part in parts) == ledger.parameters
    assert graph_ledger(name) == ledger


def graph_ledger(name):
    graph = trace(on_meta(getattr(torchvision.models, name)), (3, 224, 224), type_name(name))
    assert all(giver < taker for giver, taker in graph.feeds)
    return graph.ledger


def type_name(name):
    return type(on_meta(getattr(torchvision.models, name))).__name__
