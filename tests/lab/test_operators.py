"""Operators that torch's counter passes over, or that run on numbers alone: what each counts.

The right numbers are closed forms; where torch's counter knows the operator, it is asked too.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from torchvision import ops

from lab.counters import read, reconcile
from lab.counting import CountError, count
from lab.inputs import Input

SHAPE = (4, 8, 6)


class Function(nn.Module):
    """A function of an image, which may use the parameter `weight`."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], *shape: int) -> None:
        super().__init__()
        self.function, self.weight = function, nn.Parameter(torch.rand(shape or (1,)))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.weight)


def _grid(x: Tensor, points: int) -> Tensor:
    return torch.zeros(1, points, points, 2)


UNLISTED = {  # by FlopCounterMode: function, shape of its weight, MACs
    "bilinear": (lambda x, w: F.bilinear(x, x, w), (5, 6, 6), 5 * 6 * 6 * 4 * 8),
    "cdist": (lambda x, w: torch.cdist(x[0], x[0]), (), 4 * 8 * 8 * 6),
    "cdist of many": (lambda x, w: torch.cdist(x.reshape(1, 32, 6), w), (40, 6), 32 * 40 * 6),
    "pdist": (lambda x, w: F.pdist(x[0, 0]), (), 8 * 7 // 2 * 6),
    "mv": (lambda x, w: torch.mv(x[0, 0], w), (6,), 8 * 6),
    "dot": (lambda x, w: torch.dot(x[0, 0, 0], w), (6,), 6),
    "addmv": (lambda x, w: torch.addmv(x[0, 0, :, 0], x[0, 0], w), (6,), 8 * 6),
    "addbmm": (lambda x, w: torch.addbmm(w[0, :1], x[0], w), (4, 6, 5), 4 * 8 * 6 * 5),
    "affine_grid": (
        lambda x, w: F.affine_grid(x[:, 0, :2, :3], (1, 1, 5, 4), align_corners=False),
        (),
        5 * 4 * 3 * 2,
    ),
    "conv_tbc": (lambda x, w: torch.conv_tbc(x[0], w, w[0, 0]), (3, 6, 5), 3 * 6 * 5 * 2 * 8),
    "embedding_bag": (
        lambda x, w: F.embedding_bag(
            torch.zeros(1, 6, dtype=torch.long), w, mode="sum", per_sample_weights=x[0, 0, :1]
        ),
        (3, 5),
        6 * 5,
    ),
    "deform_conv2d": (
        lambda x, w: ops.deform_conv2d(x, x.new_zeros(1, 18, 8, 6), w, padding=1),
        (5, 4, 3, 3),
        5 * 4 * 9 * 8 * 6,
    ),
    "integers": (
        lambda x, w: torch._int_mm((x[0, 0] * 9).to(torch.int8), torch.ones(6, 8, dtype=torch.int8)),
        (),
        8 * 6 * 8,
    ),
}


@pytest.mark.parametrize("name", UNLISTED)
def test_products_that_torchs_counter_passes_over_are_counted(name):
    function, weight, macs = UNLISTED[name]
    model = Function(function, *weight)
    ledger = count(model, SHAPE)
    assert (ledger.macs, ledger.uncounted) == (macs, ())
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.rand(1, *SHAPE))
    assert counter.get_total_flops() == 0  # once torch lists it, it belongs elsewhere


@pytest.mark.parametrize("name", ["bilinear", "cdist", "mv", "affine_grid", "deform_conv2d"])
def test_the_cross_check_says_that_torch_passes_over_them(name):
    function, weight, macs = UNLISTED[name]
    model = Function(function, *weight)
    differences = reconcile(count(model, SHAPE), read("torch", model, SHAPE))
    assert [(d.reason, d.amount) for d in differences] == [
        ("misses this kind of product", -macs),
        ("unexplained", 0),
    ]


ELEMENTS = {  # no MACs, and nothing left out
    "grid_sample": lambda x, w: F.grid_sample(x, _grid(x, 3), align_corners=False),
    "antialiased": lambda x, w: F.interpolate(x, size=(4, 3), mode="bilinear", antialias=True),
    "roi_align": lambda x, w: ops.roi_align(x, [torch.zeros(1, 4)], 3),
    "distances of another norm": lambda x, w: torch.cdist(x[0], x[0], p=1),
    "log_sigmoid": lambda x, w: F.logsigmoid(x),
    "loss": lambda x, w: F.mse_loss(x, x * 2),
    "cross product": lambda x, w: torch.linalg.cross(x[..., :3], x[..., 3:]),
    "fake quantisation": lambda x, w: torch.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 255),
}


@pytest.mark.parametrize("name", ELEMENTS)
def test_arithmetic_of_elements_is_no_macs_and_is_not_left_out(name):
    ledger = count(Function(ELEMENTS[name]), SHAPE)
    assert (ledger.macs, ledger.uncounted) == (0, ())
    assert sum(sum(layer.elements.values()) for layer in ledger.layers) > 0


@pytest.mark.parametrize("name", ["fft.rfft2", "linalg.svdvals", "linalg.qr", "linalg.matrix_exp"])
def test_what_depends_on_an_algorithm_is_named(name):
    module, _, function = name.partition(".")
    call = getattr(getattr(torch, module), function)
    ledger = count(Function(lambda x, w: call(x[:, :, :6])), SHAPE)
    assert ledger.macs == 0 and ledger.uncounted


def test_functions_that_run_on_numbers_alone_are_counted_on_ones():
    model = Function(lambda x, w: torch.cov(x[0, 0]))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.rand(1, *SHAPE))
    assert count(model, SHAPE).macs == counter.get_total_flops() // 2 == 8 * 6 * 8


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x, w: ops.nms(x[0, 0, :, :4], x[0, 0, :, 4], 0.5), "nms gives a shape that depends on"),
        (lambda x, w: torch.nested.nested_tensor([x[0], x[0]]).to_padded_tensor(0.0), "on a padded tensor"),
        (lambda x, w: {}["cls_token"], "KeyError: 'cls_token'"),
    ],
)
def test_a_refusal_names_its_true_reason(function, reason):
    with pytest.raises(CountError, match=reason):
        count(Function(function), SHAPE)


def test_a_forward_is_told_which_inputs_it_takes():
    class Pair(nn.Module):
        def forward(self, image: Tensor, text: Tensor) -> Tensor:
            return image + text

    with pytest.raises(CountError, match=r"missing a required argument: 'text'; its forward takes \(image"):
        count(Pair(), (4,))
    with pytest.raises(CountError, match=r"its forward takes \(image"):
        count(Pair(), (4,), inputs=[Input((4,), "image"), Input((4,), "words")])
    assert count(Pair(), (4,), inputs=[Input((4,)), Input((4,), "text")]).macs == 0


def test_an_input_of_the_wrong_rank_is_said_to_be():
    with pytest.raises(CountError, match=r"it takes 3 channels and 2 spatial dimensions, not .*\(1, 3, 24\)"):
        count(nn.Conv2d(3, 4, 3), (3, 24))


def test_a_model_that_leaves_python_is_refused():
    def leave(x: Tensor, w: Tensor) -> Tensor:
        raise SystemExit(3)

    with pytest.raises(CountError, match="SystemExit: 3"):
        count(Function(leave), SHAPE)
