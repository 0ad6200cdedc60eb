"""Formulas against torch's own arithmetic and against published numbers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lab import formulas
from lab.counting import count

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}


def torch_macs(module: nn.Module, shape: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """Half the FLOPs by FlopCounterMode on the meta device, and the output's shape without batch."""
    with FlopCounterMode(display=False) as counter:
        output = module.to("meta")(torch.empty(1, *shape, device="meta"))
    assert counter.get_total_flops() % 2 == 0
    return counter.get_total_flops() // 2, tuple(output.shape[1:])


@st.composite
def convolutions(draw):
    space = draw(st.integers(1, 3))
    groups = draw(st.integers(1, 3))
    options = {
        "kernel_size": tuple(draw(st.integers(1, 4)) for _ in range(space)),
        "stride": tuple(draw(st.integers(1, 3)) for _ in range(space)),
        "padding": tuple(draw(st.integers(0, 2)) for _ in range(space)),
        "dilation": tuple(draw(st.integers(1, 3)) for _ in range(space)),
        "groups": groups,
        "bias": draw(st.booleans()),
    }
    channels = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    return space, channels, options, (channels[0], *(draw(st.integers(10, 14)) for _ in range(space)))


@settings(max_examples=60)
@given(convolutions())
def test_a_convolution_of_any_dimension_agrees_with_flop_counter_mode(case):
    space, channels, options, shape = case
    module = CONVOLUTIONS[space](*channels, **options)
    (row,) = count(module, shape).layers
    assert (row.macs, row.output_shape) == torch_macs(module, shape)
    assert row.weights == module.weight.numel()
    assert row.biases == (channels[1] if options["bias"] else 0)
    for column, text in row.arithmetic.items():
        assert formulas.evaluate(text) == getattr(row, column)


@settings(max_examples=40)
@given(convolutions())
def test_a_transposed_convolution_agrees_with_flop_counter_mode(case):
    space, channels, options, shape = case
    module = TRANSPOSED[space](*channels, **options)
    (row,) = count(module, shape).layers
    assert (row.macs, row.output_shape) == torch_macs(module, shape)
    assert row.weights == module.weight.numel()


@settings(max_examples=60)
@given(
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(0, 2),
    st.integers(1, 2),
    st.booleans(),
    st.integers(9, 20),
)
def test_pooling_has_torchs_output_size(space, kernel, stride, padding, dilation, rounded_up, size):
    padding = min(padding, kernel // 2)
    pool = POOLS[space](kernel, stride, padding, dilation, ceil_mode=rounded_up)
    (row,) = count(pool, (2,) + (size,) * space).layers
    assert row.output_shape == tuple(pool(torch.zeros(1, 2, *(size,) * space)).shape[1:])
    assert row.macs == 0


def test_rounding_down_leaves_pixels_unseen():
    assert formulas.output_size(32, 4, stride=2, padding=2) == 17
    assert formulas.unused_pixels(32, 4, stride=2, padding=2) == 0
    assert formulas.output_size(32, 5, stride=2, padding=2) == 16  # 16.5 rounded down
    assert formulas.unused_pixels(32, 5, stride=2, padding=2) == 1


def test_the_first_layer_of_vgg_reads_as_in_the_paper():
    weights = formulas.convolution_weights(3, 64, (3, 3))
    assert (weights.value, weights.expression) == (1728, "(3·3·3)·64")
    assert formulas.convolution_macs(weights, (224, 224)).expression == "(3·3·3)·64·224·224"
    assert formulas.activations((64, 224, 224)) == formulas.Count(3_211_264, "224·224·64")


def test_a_separable_convolution_costs_depthwise_plus_pointwise():
    assert formulas.separable_macs(5, 32, 64, 16).value == 25 * 32 * 256 + 32 * 64 * 256


@given(st.lists(st.tuples(st.integers(1, 7), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=6))
def test_the_closed_form_equals_stacking_one_layer_at_a_time(layers):
    kernels, strides, dilations = zip(*layers, strict=True)
    size = 1  # backwards: how many units of the layer below does one unit see
    for kernel, stride, dilation in reversed(layers):
        size = (size - 1) * stride + dilation * (kernel - 1) + 1
    assert formulas.stacked_receptive_field(kernels, strides, dilations) == size


@pytest.mark.parametrize(("kernels", "size"), [((5, 5, 5), 13), ((5, 3), 7), ((3,) * 8, 17)])
def test_stacked_filters_see_nf_minus_n_plus_1(kernels, size):
    assert formulas.stacked_receptive_field(kernels) == size


@pytest.mark.parametrize("text", ["__import__('os')", "3*4", "3·x", "2**9"])
def test_an_expression_holds_nothing_but_arithmetic(text):
    with pytest.raises(ValueError, match="not an arithmetic expression"):
        formulas.evaluate(text)


def test_the_formulas_need_no_torch():
    import subprocess
    import sys

    program = "import sys, lab.formulas, lab.ledger, lab.receptive_field; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def backward_macs_of_torch(module: nn.Module, shape: tuple[int, ...]) -> int:
    with FlopCounterMode(display=False) as counter:
        x = torch.empty(1, *shape, device="meta", requires_grad=True)
        output = module.to("meta")(x)
        forward = counter.get_total_flops()
        output.sum().backward()
    return (counter.get_total_flops() - forward) // 2


def test_backward_is_twice_forward_as_torch_says_where_there_are_no_groups():
    module, shape = nn.Conv2d(6, 9, 3, padding=1), (6, 8, 8)
    forward = count(module, shape).macs
    assert formulas.backward_macs(forward) == backward_macs_of_torch(module, shape) == 2 * forward
    assert formulas.backward_macs(forward, input_gradient=False) == forward
