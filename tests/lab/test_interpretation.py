"""Attributions against slow plain versions, and what must be refused lest it be silently wrong."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from lab import weights
from lab.interpretation import (
    InterpretationError,
    attribute,
    guidable,
    likeness,
    photograph,
    randomised,
    settle,
    weighted_layers,
)


class Modules(nn.Module):
    def __init__(self, activation=nn.ReLU):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 3)
        self.first = activation()
        self.conv2 = nn.Conv2d(6, 6, 3)
        self.second = activation()
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        x = self.second(self.conv2(self.first(self.conv(x))))
        return self.head(x.mean((2, 3)))


class Functional(Modules):
    def forward(self, x):
        return self.head(F.relu(self.conv2(self.first(self.conv(x)))).mean((2, 3)))


class Guided(torch.autograd.Function):
    """A rectifier that lets back only what is positive, at places that were positive."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient.clamp(min=0) * (x > 0)


IMAGES = torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(1))
TARGETS = torch.tensor([1, 3])


def by_hand(model):
    x = IMAGES.clone().requires_grad_()
    y = Guided.apply(model.conv2(Guided.apply(model.conv(x)))).mean((2, 3))
    model.head(y).gather(1, TARGETS[:, None]).sum().backward()
    return x.grad


@pytest.mark.parametrize("activation", [nn.ReLU, lambda: nn.ReLU(inplace=True), nn.ReLU6])
def test_guided_backpropagation_is_that_of_a_plain_rectifier(activation):
    model = Modules(activation)
    assert torch.allclose(attribute(model, IMAGES, TARGETS, "guided"), by_hand(model), atol=1e-6)
    assert not torch.allclose(attribute(model, IMAGES, TARGETS, "gradient"), by_hand(model), atol=1e-4)


def test_the_gradient_is_torchs():
    x = IMAGES.clone().requires_grad_()
    Modules()(x).gather(1, TARGETS[:, None]).sum().backward()
    assert torch.allclose(attribute(Modules(), IMAGES, TARGETS, "gradient"), x.grad, atol=1e-6)


def test_integrated_gradients_add_up_to_what_the_image_brings():
    model = Modules()
    found = attribute(model, IMAGES, TARGETS, "integrated")
    with torch.no_grad():
        brought = (model(IMAGES) - model(torch.zeros_like(IMAGES))).gather(1, TARGETS[:, None])[:, 0]
    assert torch.allclose(found.sum((1, 2, 3)), brought, atol=2e-2)


def test_rectifiers_that_captum_cannot_see_are_refused():
    with pytest.raises(InterpretationError, match="Functional calls 1 of its rectifiers as functions"):
        attribute(Functional(), IMAGES, TARGETS, "guided")
    with pytest.raises(InterpretationError, match="has SiLU; take gradient or integrated"):
        attribute(Modules(nn.SiLU), IMAGES, TARGETS, "guided")
    with pytest.raises(InterpretationError, match="has no rectifier"):
        attribute(nn.Sequential(nn.Flatten(), nn.Linear(243, 4)), IMAGES, TARGETS, "guided")
    with pytest.raises(InterpretationError, match="a method is gradient, guided, integrated"):
        attribute(Modules(), IMAGES, TARGETS, "occlusion")


def test_the_packaged_network_can_be_guided_and_gives_what_it_gave():
    network = weights.load("lite0", size=64)
    image = network.prepared(photograph("flower"))
    with torch.no_grad():
        before = network.model(image)
        after = guidable(network.model, image)(image)
    assert torch.equal(before, after)


def test_a_cascade_draws_the_last_layers_anew_and_leaves_the_others():
    model = weights.load("none", "resnet18").model
    names = weighted_layers(model)
    changed = randomised(model, 3, seed=1)
    same = [
        torch.equal(model.get_submodule(name).weight, changed.get_submodule(name).weight) for name in names
    ]
    assert same == [True] * (len(names) - 3) + [False] * 3
    assert torch.equal(randomised(model, 3, seed=1).fc.weight, changed.fc.weight)  # the seed decides
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            model.state_dict().values(), randomised(model, 0, 1).state_dict().values(), strict=True
        )
    )


def test_norms_that_forgot_are_settled_and_the_others_are_left():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)
    ).train()
    model(IMAGES)
    model.eval()
    kept = model[1].running_mean.clone()
    changed = settle(randomised(model, 1, seed=0), IMAGES)
    assert torch.equal(changed[1].running_mean, kept)
    with torch.no_grad():
        out = changed(IMAGES)
    assert out.mean().abs() < 0.1 and not changed[3].training


def test_likeness_is_one_for_the_same_and_none_for_what_says_nothing():
    one = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
    other = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(1))
    assert likeness(one, -2 * one) == pytest.approx(1)
    assert abs(likeness(one, other)) < 0.4
    assert likeness(one, torch.zeros(3, 8, 8)) == 0


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "RGB", "1"])
def test_an_image_of_any_mode_and_size_is_read_as_rgb(mode, tmp_path):
    Image.new("RGB", (3, 2), (200, 10, 10)).convert(mode).save(tmp_path / "own.png")
    assert photograph(f"file:{tmp_path / 'own.png'}").shape == (1, 3, 2, 3)


def test_what_is_transparent_is_white(tmp_path):
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "own.png")
    assert (photograph(f"file:{tmp_path / 'own.png'}") == 255).all()


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "own.png").write_text("no image")
    with pytest.raises(InterpretationError, match=r"own\.png cannot be read as an image"):
        photograph(f"file:{tmp_path / 'own.png'}")
    with pytest.raises(InterpretationError, match="china, flower, cat, astronaut or file:PATH, not 'dog'"):
        photograph("dog")
