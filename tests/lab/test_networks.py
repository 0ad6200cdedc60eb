"""The networks for CIFAR-10: parameters against the counter and their docstrings; what they begin as."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from lab import models
from lab.counting import count
from lab.datasets import load
from lab.networks import base
from lab.networks.cifar import NormalisedLeNet, WhitenedNetwork
from lab.networks.lenet import LeNet
from lab.training import Data, Images, channel_statistics

NETWORKS = {
    "LeNet": LeNet,
    "design A": NormalisedLeNet,
    "design A, 3×3": lambda: NormalisedLeNet(kernel=3),
    "design A, 7×7, strided": lambda: NormalisedLeNet(kernel=7, strided=True),
    "design A, not normalised": lambda: NormalisedLeNet(normalised=False, activation=nn.ReLU),
    "design B": WhitenedNetwork,
    "design B, small": lambda: WhitenedNetwork(widths=(16, 32, 32)),
    "ConvNet": base.convnet,
    "MobileNet-like": base.mobilenet,
    "ResNet-like": base.resnet,
}


def numbers(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_the_counter_counts_the_parameters_that_there_are(name):
    model = NETWORKS[name]()
    assert count(model, (3, 32, 32)).parameters == numbers(model)


@pytest.mark.parametrize("network", [LeNet, NormalisedLeNet])
def test_a_docstring_tells_the_true_number_of_parameters(network):
    told = re.search(r"([\d,]+) parameters", network.__doc__)
    assert int(told[1].replace(",", "")) == numbers(network())


def test_design_b_has_the_parameters_of_the_sum_by_hand():
    whitening = 24 * 3 * 2 * 2 + 24
    blocks = [(24, 64), (64, 256), (256, 256)]
    convolutions = sum(9 * width * (inputs + width) for inputs, width in blocks)
    norms = sum(2 * 2 * width for _, width in blocks)
    model = WhitenedNetwork()
    assert numbers(model) == whitening + convolutions + norms + 256 * 10
    fixed = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    assert len(fixed) == 1 + 6, "the whitening and the scales of batch norm are not learnt"


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_give_ten_logits_an_image_and_a_gradient_everywhere(name):
    torch.manual_seed(0)
    model = NETWORKS[name]()
    logits = model(torch.randn(4, 3, 32, 32))
    assert logits.shape == (4, 10)
    logits.square().sum().backward()
    for parameter in model.parameters():
        assert not parameter.requires_grad or parameter.grad.abs().sum() > 0


def test_a_lenet_that_is_not_normalised_with_relu_is_the_baseline():
    ours, baseline = NormalisedLeNet(normalised=False, activation=nn.ReLU), LeNet()
    baseline.load_state_dict(dict(zip(baseline.state_dict(), ours.state_dict().values(), strict=True)))
    images = torch.randn(3, 3, 32, 32)
    assert torch.equal(ours(images), baseline(images))


@pytest.fixture(scope="module")
def normalised() -> torch.Tensor:
    images = load("shapes", "train").images[:500]
    data = Data(Images.of(images, torch.zeros(500).long().numpy(), "cpu"), *channel_statistics(images))
    return data.normalised(data.train.images)


def test_whitened_patches_have_unit_covariance(normalised):
    model = WhitenedNetwork()
    model.whiten(normalised, eps=0.0)
    outputs = model.whitening(normalised).double()
    assert torch.equal(model.whitening.bias, torch.zeros(24))
    flat = outputs[:, :12].permute(0, 2, 3, 1).reshape(-1, 12)
    second_moment = flat.T @ flat / len(flat)
    torch.testing.assert_close(second_moment, torch.eye(12).double(), atol=5e-3, rtol=0)
    assert torch.equal(outputs[:, 12:], -outputs[:, :12]), "the other twelve are their negatives"


def test_eps_damps_directions_that_hardly_vary(normalised):
    model = WhitenedNetwork()
    model.whiten(normalised, eps=0.5)
    outputs = model.whitening(normalised)[:, :12]
    patches = torch.nn.functional.unfold(normalised, 2).transpose(1, 2).reshape(-1, 12).double()
    values = torch.linalg.eigvalsh(patches.T @ patches / len(patches))
    torch.testing.assert_close(
        outputs.square().mean((0, 2, 3)).double(), values / (values + 0.5), atol=1e-3, rtol=1e-3
    )


def test_whitening_is_not_trained(normalised):
    model = WhitenedNetwork(widths=(16, 32, 32))
    model.whiten(normalised)
    before = model.whitening.weight.clone()
    model(normalised[:8]).sum().backward()
    assert model.whitening.weight.grad is None
    assert torch.equal(model.whitening.weight, before)


@pytest.mark.parametrize("widths", [(64, 256, 256), (16, 32, 32)])
def test_convolutions_begin_as_the_identity_on_their_first_channels(widths):
    """In a first block that is narrower than its input, on as many channels as there are."""
    model = WhitenedNetwork(widths=widths)
    for block in model.blocks:
        for conv in (block.conv1, block.conv2):
            images = torch.randn(2, conv.in_channels, 7, 7)
            kept = min(conv.in_channels, conv.out_channels)
            torch.testing.assert_close(conv(images)[:, :kept], images[:, :kept])


def test_logits_are_a_ninth_of_the_dense_layers_outputs():
    model = WhitenedNetwork(widths=(16, 32, 32)).eval()
    seen = []
    model.linear.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs))
    logits = model(torch.randn(2, 3, 32, 32))
    torch.testing.assert_close(9 * logits, seen[0])


def test_the_resnet_of_the_paper_halves_maps_in_the_first_convolution_of_a_block():
    ours, torchvisions = (
        count(models.load(name), (3, 224, 224)) for name in ("lab.networks.resnet:resnet50", "resnet50")
    )
    assert (ours.macs, torchvisions.macs) == (3_857_973_248, 4_089_184_256)
    assert ours.parameters == torchvisions.parameters
