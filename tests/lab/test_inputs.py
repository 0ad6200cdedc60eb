"""Inputs as a person writes them, and models of several inputs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lab import models
from lab.counting import count
from lab.inputs import Input, InputError, parse, parse_all


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3x224x224", Input((3, 224, 224))),
        ("3×8×8", Input((3, 8, 8))),
        ("ids=16:long", Input((16,), "ids", "int64")),
        ("image=3x32x32", Input((3, 32, 32), "image")),
        ("10:half", Input((10,), "", "float16")),
    ],
)
def test_an_input_is_read(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["3x0x3", "x", "a b=3", "3:longer", "-3", "٣x٣", "image="])
def test_what_is_no_input_is_refused(text):
    with pytest.raises(InputError, match="--input"):
        parse(text)


def test_inputs_by_position_stand_before_those_with_a_name():
    with pytest.raises(InputError, match="stands behind"):
        parse_all(["a=3", "4"])
    with pytest.raises(InputError, match="twice"):
        parse_all(["a=3", "a=4"])


class Pair(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv, self.words = nn.Conv2d(3, width, 3), nn.Embedding(9, width)

    def forward(self, image, *, ids):
        return self.conv(image).mean((2, 3)) + self.words(ids).mean(1)


def test_a_model_of_a_picture_and_words_is_counted():
    ledger = count(Pair(4), (3, 8, 8), inputs=parse_all(["3x8x8", "ids=5:long"]))
    assert (ledger.macs, ledger.layer("words").output_shape) == (27 * 4 * 36, (5, 4))


SOURCE = """
from torch import nn
class Net(nn.Sequential):
    def __init__(self, width, bias=True):
        super().__init__(nn.Linear(3, width, bias))
"""


def test_a_class_of_a_file_is_built_with_plain_arguments(tmp_path):
    (tmp_path / "net.py").write_text(SOURCE)
    model = models.load(f"{tmp_path / 'net.py'}:Net(width=64, bias=False)")
    assert sum(p.numel() for p in model.parameters()) == 3 * 64
    for name, message in (
        ("Net", "needs the argument width"),
        ("Net(width=w)", "plain values"),
        ("Net(64)", "plain values"),
        ("Net(wide=3)", "needs the argument width"),
        ("Nut(width=3)", "has no 'Nut'"),
    ):
        with pytest.raises(models.ModelError, match=message):
            models.load(f"{tmp_path / 'net.py'}:{name}")
    with pytest.raises(models.ModelError, match="there is no file"):
        models.load(f"{tmp_path / 'nut.py'}:Net")


def test_a_torchvision_name_takes_arguments_too():
    assert models.load("resnet18(num_classes=7)").fc.out_features == 7


def test_a_checkpoint_must_be_of_the_model(tmp_path):
    model, path = nn.Linear(3, 2), tmp_path / "weights.pt"
    torch.save({"state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}, path)
    other = models.load_weights(nn.Linear(3, 2), path)
    assert torch.equal(other.weight, model.weight)
    for wrong, message in (
        (nn.Linear(4, 2), r"its weight is 2×3, the model's 2×4"),
        (nn.Sequential(nn.Linear(3, 2)), r"it lacks 0.bias and 1 more"),
        (nn.Linear(3, 2, bias=False), r"it has besides bias"),
    ):
        with pytest.raises(models.ModelError, match=message):
            models.load_weights(wrong, path)
    torch.save(model, path)  # a pickled module would run code
    with pytest.raises(models.ModelError, match="safely"):
        models.load_weights(nn.Linear(3, 2), path)
    with pytest.raises(models.ModelError, match="cannot be read"):
        models.load_weights(nn.Linear(3, 2), tmp_path / "none.pt")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("fcn_resnet50", (3, 520, 520)),
        ("r3d_18", (3, 16, 112, 112)),
        ("inception_v3", (3, 299, 299)),
        ("vit_b_16", (3, 224, 224)),
    ],
)
def test_the_default_input_is_that_of_the_published_weights(name, shape):
    assert models.default_input(name, models.load(name)) == shape
