"""Models by name."""

from __future__ import annotations

import importlib
import sys

import pytest
import torch
from torch import nn

from lab import models
from lab.models import ModelError, default_input, load


@pytest.mark.parametrize("name", ["vgg19", "inception_v3", "regnet_y_400mf", "ssdlite320_mobilenet_v3_large"])
def test_a_torchvision_model_is_built_without_memory(name):
    model = load(name)
    assert {p.device.type for p in (*model.parameters(), *model.buffers())} == {"meta"}


def test_a_timm_model():
    model = load("timm:mobilenetv3_small_050")
    assert default_input("timm:mobilenetv3_small_050", model) == (3, 224, 224)
    with pytest.raises(ModelError, match="timm has no model 'resnet5'; nearest: resnet5"):
        load("timm:resnet5")


def test_inputs_are_those_the_weights_were_made_for():
    assert default_input("vgg19", load("vgg19")) == (3, 224, 224)
    assert default_input("inception_v3", load("inception_v3")) == (3, 299, 299)
    name = "lab.networks.alexnet:two_gpus"
    assert default_input(name, load(name)) == (3, 227, 227)
    assert default_input("torch.nn:Identity", load("torch.nn:Identity")) is None


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
    (tmp_path / "own_networks.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self, width=4): super().__init__(nn.Linear(3, width))\n"
        "def wide(width): return Net(width)\n"
        "def number(): return 3\n"
        "def broken(): raise RuntimeError('no such disk')\n"
        "ready = Net()\n"
        "text = 'x'\n"
    )
    yield "own_networks"
    __import__("sys").modules.pop("own_networks", None)


def test_a_callable_of_the_users_own(own):
    assert load(f"{own}:Net")[0].weight.device.type == "meta"
    ready = load(f"{own}:ready")
    assert isinstance(ready, nn.Module)
    assert ready[0].weight.device.type == "cpu"  # the user's own object stays as it is


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wide", "needs the argument width"),
        ("number", "gives a int, not a torch.nn.Module"),
        ("broken", "failed to build: RuntimeError: no such disk"),
        ("text", "is a str, not a function or class"),
        ("Nett", "has no 'Nett'; nearest: Net"),
    ],
)
def test_a_callable_that_will_not_do(own, name, message):
    with pytest.raises(ModelError, match=message):
        load(f"{own}:{name}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vgg_19", "torchvision has no model 'vgg_19'; nearest: vgg19"),
        ("", "the name of the model is empty"),
        ("nowhere_at_all:Net", "no module 'nowhere_at_all'"),
    ],
)
def test_an_unknown_name_gives_the_nearest(name, message):
    with pytest.raises(ModelError, match=message):
        load(name)


def test_a_module_that_does_not_import(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faulty_networks.py").write_text("1 / 0\n")
    with pytest.raises(ModelError, match="importing faulty_networks failed: ZeroDivisionError"):
        load("faulty_networks:Net")


def test_weights_are_not_filled_and_what_a_constructor_computes_with_is(tmp_path):
    (tmp_path / "made.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Net(nn.Linear):\n"
        "    def reset_parameters(self):\n"
        "        nn.init.kaiming_uniform_(tensor=self.weight).clamp_(0)\n"
        "        self.writes = self.weight._version\n"
        "        self.widths = nn.init.constant_(torch.tensor([1.0, 2.0]), 3).mul_(2).tolist()\n"
    )
    made = load(f"{tmp_path}/made.py:Net(in_features=3, out_features=4)")
    assert (made.writes, made.widths, made.weight.shape) == (0, [6.0, 6.0], (4, 3))


def test_constructors_may_compute_with_small_tensors():
    assert torch.tensor([1.0]).device.type == "cpu"
    assert len(models.names()) > 70


def test_folders_beside_a_model_of_the_reader_hide_no_other_module(tmp_path, monkeypatch):
    """What is imported later, by us or by a library, is not looked for there first."""
    (tmp_path / "nets.py").write_text("from torch import nn\nimport parts\n\n\nNet = parts.Net\n", "utf-8")
    (tmp_path / "parts.py").write_text("from torch import nn\n\nNet = nn.Identity\n", "utf-8")
    (tmp_path / "colorsys.py").write_text("raise RuntimeError('hidden')\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    before = list(sys.path)
    for name in ("nets:Net", f"{tmp_path / 'nets.py'}:Net"):
        monkeypatch.delitem(sys.modules, "parts", raising=False)
        assert isinstance(models.load(name), torch.nn.Identity)
    assert importlib.import_module("colorsys").rgb_to_hsv
    monkeypatch.setattr(sys, "path", before)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet18(num_classes=10", "the parenthesis is not closed"),
        ("networks.py", "is a file: say which class"),
        (":", "names no model"),
        ("leaves.py:Net", "SystemExit: 4"),
    ],
)
def test_a_name_that_a_slip_of_the_pen_made_is_told_how_to_be_written(name, message, tmp_path, monkeypatch):
    (tmp_path / "leaves.py").write_text("raise SystemExit(4)\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(models.ModelError, match=message):
        models.load(name)


def test_an_input_shape_that_is_none_is_refused():
    model = torch.nn.Linear(2, 2)
    model.input_shape = "224"
    with pytest.raises(models.ModelError, match="it must be sizes such as"):
        models.default_input("mine.py:Net", model)
