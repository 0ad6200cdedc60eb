"""The walk: totals, rows, invariances, and what it refuses to guess."""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from analyses.architecture._layers import output_text
from lab import models
from lab.counting import CountError, count
from lab.formulas import evaluate
from lab.inputs import Input
from lab.ledger import MAC_CLASSES
from lab.networks import base
from lab.networks.detector import Detector

IMAGE = (3, 224, 224)


def torch_macs(model: nn.Module, *inputs: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(*inputs)
    return counter.get_total_flops() // 2


def of_every_family(names: Sequence[str]) -> list[Any]:
    """One model of every family in each run; the others in a sweep (`pytest -m sweep`)."""
    families: set[str] = set()
    marked = []
    for name in names:
        family = re.sub(r"(?<!_v)\d.*", "", name).rstrip("_bltshx")
        marked.append(pytest.param(name, marks=() if family not in families else pytest.mark.sweep))
        families.add(family)
    return marked


@pytest.mark.parametrize("name", of_every_family(models.names()))
def test_macs_are_half_of_flop_counter_modes_flops(name):
    model = models.load(name)
    ledger = count(model, IMAGE)
    assert ledger.uncounted == ()
    assert ledger.parameters == sum(p.numel() for p in model.parameters())
    assert ledger.macs == torch_macs(model, torch.empty(1, *IMAGE, device="meta"))


@pytest.mark.parametrize(
    "name", ["vgg19", "googlenet", "mobilenet_v2", "vit_b_16", "swin_t", "maxvit_t", "densenet121"]
)
def test_every_expression_evaluates_to_its_integer(name):
    ledger = count(models.load(name), IMAGE)
    for row in ledger.layers:
        for column in ("weights", "biases", "activations", "macs"):
            value = getattr(row, column)
            assert evaluate(row.arithmetic.get(column, "0")) == value, (row.name, column)
        assert set(row.macs_by_class) <= set(MAC_CLASSES)


@pytest.mark.parametrize("name", ["vit_b_16", "swin_v2_t", "maxvit_t", "shufflenet_v2_x1_0", "convnext_tiny"])
def test_shapes_alone_give_the_rows_of_torchs_shape_inference(name):
    from lab.counting import walk_over
    from lab.counting.walk import Walk

    model = models.load(name)
    assert walk_over(Walk(model), model, IMAGE).rows == walk_over(Walk(model, exact=True), model, IMAGE).rows


def test_vgg19_row_by_row():
    ledger = count(models.load("vgg19"), IMAGE, name="vgg19")
    assert (ledger.weights, ledger.parameters, ledger.macs) == (143_652_544, 143_667_240, 19_632_062_464)
    first = ledger.layer("features.0")
    assert (first.kind, first.kernel, first.stride, first.padding, first.groups) == (
        "Conv2d",
        (3, 3),
        (1, 1),
        (1, 1),
        1,
    )
    assert first.arithmetic == {
        "weights": "(3·3·3)·64",
        "biases": "64",
        "activations": "224·224·64",
        "macs": "(3·3·3)·64·224·224",
    }
    assert ledger.layer("classifier.0").arithmetic["macs"] == "25088·4096"
    assert ledger.layer("features.4").elements == {"pooling": 64 * 224 * 224}
    assert ledger.layer("features.1").activations == 0  # in place


class Everything(nn.Module):
    """Every kind of layer and call that the walk has a rule for, on (3, 16, 16)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding="same", dilation=2)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.up = nn.ConvTranspose2d(8, 8, 2, stride=2)
        self.norms = nn.ModuleList([nn.BatchNorm2d(8), nn.GroupNorm(2, 8), nn.InstanceNorm2d(8, affine=True)])
        self.lrn = nn.LocalResponseNorm(3)
        self.prelu = nn.PReLU()
        self.pool = nn.MaxPool2d(2)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.lstm = nn.LSTM(8, 5, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(10, 4, batch_first=True)
        self.embedding = nn.Embedding(11, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, 4))
        self.classifier = nn.Linear(4, 4)
        self.head = nn.Linear(4, 10)

    def forward(self, x):
        x = self.depthwise(F.relu(self.conv(x)))
        for norm in self.norms:
            x = norm(x)
        x = self.prelu(self.lrn(self.pool(F.avg_pool2d(self.up(x), 2)))) * 2 + 1
        x = torch.cat([x, x], 1).chunk(2, 1)[0].flatten(2).transpose(1, 2)
        x = self.encoder(self.attention(x, x, x)[0] + x)
        q = x.unflatten(-1, (2, 4)).transpose(1, 2)
        x = x + F.scaled_dot_product_attention(q, q, q).transpose(1, 2).flatten(2)
        x = self.gru(self.lstm(x)[0])[0]
        x = torch.einsum("nld,nmd->nlm", x, x) @ x
        x = torch.bmm(x, torch.addmm(x[0, :4], x[0, :4], x[0, :4].t() @ x[0, :4])[None])
        x = x + self.token + self.embedding(torch.arange(x.shape[1], device=x.device) % 11)
        x = F.linear(x, self.classifier.weight, self.classifier.bias)
        return self.head(F.softmax(x.mean(1), dim=-1))


def test_everything_torch_counts_is_counted_and_nothing_is_left_out():
    model = Everything()
    ledger = count(model, (3, 16, 16))
    assert ledger.uncounted == ()
    assert ledger.parameters == sum(p.numel() for p in model.parameters())
    assert ledger.macs == torch_macs(model.to("meta"), torch.empty(1, 3, 16, 16, device="meta"))
    assert ledger.layer("attention").macs_by_class.keys() == {"linear", "matmul"}
    assert ledger.layer("encoder.self_attn").macs_by_class.keys() == {"linear", "attention"}  # fused
    assert ledger.layer("classifier").functional and not ledger.layer("head").functional
    assert ledger.layer("token").kind == "Parameter"
    assert ledger.layer("lstm").parameters == sum(p.numel() for p in model.lstm.parameters())


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("build", [Everything, torchvision.models.mobilenet_v3_small])
def test_totals_do_not_depend_on_gradients_device_or_training(mode, build):
    shape = (3, 16, 16) if build is Everything else (3, 32, 32)
    expected = count(build().to("meta").eval(), shape).layers
    with mode():
        for model in (build().train(), build().eval(), build().to("meta").train()):
            assert count(model, shape).layers == expected


def test_multi_head_attention_is_counted_without_gradients_too():
    """FlopCounterMode and fvcore miss the fused attention of inference (COUNTING, B1)."""
    with torch.device("meta"):
        model = torchvision.models.vit_b_16(image_size=32)
    with torch.no_grad():
        frozen = count(model.eval(), (3, 32, 32)).macs
    assert (
        frozen
        == count(model.train(), (3, 32, 32)).macs
        == torch_macs(model, torch.empty(1, 3, 32, 32, device="meta"))
    )


def test_a_pool_counts_the_same_by_int_and_tuple():
    """torchscan uses k for k·k with an int (COUNTING, B7)."""
    by_int, by_tuple = (count(nn.MaxPool2d(k, 2), (4, 9, 9)).layers for k in (3, (3, 3)))
    assert by_int == by_tuple


class Careless(nn.Module):
    """A model that changes itself while it runs."""

    def __init__(self, fails: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.register_buffer("seen", torch.zeros(()))
        self.calls = 0
        self.fails = fails

    def forward(self, x):
        self.calls += 1
        self.seen += 1
        self.conv.weight.data.mul_(2)
        self.norm(self.conv(x))
        self.seen = self.seen + 1
        self.extra = nn.ReLU()
        self.train(not self.training)
        if self.fails:
            raise RuntimeError("on purpose")
        return x


def global_hooks() -> tuple[dict, dict]:
    module = nn.modules.module
    return dict(module._global_forward_hooks), dict(module._global_forward_pre_hooks)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_the_model_is_as_it_was_afterwards(fails, training):
    """thop adds buffers, ptflops hooks and a mode, fvcore new batch-norm statistics (COUNTING, B5)."""
    model = Careless(fails).train(training)
    calls: list[int] = []
    model.conv.register_forward_hook(lambda *_: calls.append(1) and None)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    attributes = {name: set(module.__dict__) for name, module in model.named_modules()}
    hooks = [dict(module._forward_hooks) for module in model.modules()]
    everywhere = global_hooks()
    if fails:
        with pytest.raises(CountError, match="on purpose"):
            count(model, (3, 8, 8))
    else:
        count(model, (3, 8, 8))
    assert model.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert {name: set(module.__dict__) for name, module in model.named_modules()} == attributes
    assert all(module.training == training for module in model.modules())
    assert model.calls == 0
    assert [dict(module._forward_hooks) for module in model.modules()] == hooks
    assert global_hooks() == everywhere


def test_a_shared_module_has_a_row_a_call_and_its_parameters_once():
    shared = nn.Linear(6, 6)
    ledger = count(nn.Sequential(shared, nn.ReLU(), shared), (6,))
    assert [(row.name, row.parameters, row.macs, row.shared) for row in ledger.layers if row.macs] == [
        ("0", 42, 36, False),
        ("0#2", 0, 36, True),
    ]
    assert ledger.parameters == 42


def test_a_tied_weight_is_counted_once():
    model = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6))
    model[1].weight = model[0].weight
    assert count(model, (6,)).parameters == 36 + 6 + 6


def test_layers_that_are_never_called_keep_their_parameters_and_show_no_output():
    ledger = count(models.load("googlenet"), IMAGE)
    unused = [row for row in ledger.layers if row.output_shape is None]
    assert sum(row.parameters for row in unused) == 6_379_984
    assert all(row.name.startswith("aux") and row.macs == 0 for row in unused)


class Strange(nn.Module):
    def forward(self, x):
        return torch.fft.fft2(x).abs() + torch.cdist(x, x).mean()


def test_what_cannot_be_counted_is_named():
    ledger = count(Strange(), (3, 8, 8))
    assert any("fft" in name for name in ledger.uncounted)
    assert ledger.macs == 3 * 8 * 8 * 8  # the distances


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning", "ignore:`torch.jit:FutureWarning")
def test_a_scripted_part_is_counted_operator_by_operator():
    model = nn.Sequential(nn.Linear(4, 4), torch.jit.script(nn.Linear(4, 4)))
    ledger = count(model, (4,))
    assert (ledger.macs, ledger.parameters, ledger.uncounted) == (2 * 16, 2 * (16 + 4), ())


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning", "ignore:`torch.jit:FutureWarning")
@pytest.mark.parametrize("compiled", [torch.jit.script, lambda m: torch.jit.trace(m, torch.rand(1, 3, 8, 8))])
def test_scripted_and_traced_convolutions_with_weights_of_their_own_are_counted(compiled):
    part = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))
    macs, parameters = 27 * 4 * 36 + 8 * 36, sum(p.numel() for p in part.parameters())
    ledger = count(nn.Sequential(compiled(part)), (3, 8, 8))
    assert (ledger.macs, ledger.parameters, ledger.uncounted) == (macs, parameters, ())


@pytest.mark.filterwarnings("ignore")
def test_a_quantized_layer_is_refused_by_name_whose_parameters_torch_hides():
    model = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.ReLU(), nn.LSTM(6, 5)), {nn.LSTM})
    with pytest.raises(CountError, match=r"1 \(LSTM\) is quantized.*before it is quantized"):
        count(model, (4, 6))


@pytest.mark.parametrize(
    "layer",
    [nn.Conv1d(4, 4, 1), nn.Linear(6, 4), nn.LayerNorm(6), nn.GRU(6, 5), nn.MultiheadAttention(6, 2)],
    ids=lambda layer: type(layer).__name__,
)
def test_whole_numbers_are_refused_where_torch_refuses_them(layer):
    model = Made(lambda self, x: self.part(x, x, x) if self.part is attention else self.part(x), part=layer)
    attention = layer if isinstance(layer, nn.MultiheadAttention) else None
    with pytest.raises((RuntimeError, ValueError)):
        model(torch.zeros(1, 4, 6, dtype=torch.long))
    with pytest.raises(CountError, match=r"not the whole numbers of int64|does not match weight dtype"):
        count(model, (4, 6), inputs=[Input((4, 6), type="int64")])


def test_a_function_that_does_not_run_on_shapes_is_refused_for_that_reason():
    with pytest.raises(CountError, match="to_sparse does not run on shapes alone"):
        count(Made(lambda self, x: x.to_sparse()), (3, 8))


def test_weights_computed_from_parameters_are_counted_where_they_are_stored():
    model = nn.utils.parametrizations.weight_norm(nn.Linear(5, 7))
    ledger = count(model, (5,))
    assert ledger.parameters == sum(p.numel() for p in model.parameters()) == 5 * 7 + 7 + 7
    assert ledger.macs == 35


def test_a_model_of_several_inputs():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(9, 4)

        def forward(self, image, ids, *, scale=1):
            return image.mean() + self.words(ids)

    ledger = count(Two(), (3, 8, 8), inputs=(torch.zeros(1, 3, 8, 8), torch.zeros(1, 5, dtype=torch.long)))
    assert ledger.layer("words").output_shape == (5, 4)


def test_an_input_of_the_wrong_size_is_refused_with_the_layer():
    cases = {
        (
            "alexnet",
            (3, 20, 20),
        ): "3×20×20: features.5 (MaxPool2d), given 192×1×1, failed: its window of 3×3 does not fit into 1×1",
        (
            "vgg11",
            (4, 64, 64),
        ): "4×64×64: features.0 (Conv2d), given 4×64×64, failed: it takes 3 channels, not 4",
        (
            "vit_b_16",
            (3, 32, 32),
        ): "3×32×32: VisionTransformer failed: Wrong image height! Expected 224 but got 32!",
    }
    cases["fasterrcnn_resnet50_fpn", (3, 64, 64)] = (
        "3×64×64: rpn (RegionProposalNetwork) failed: where gives a shape that depends on the values"
    )
    for (name, shape), message in cases.items():
        with pytest.raises(CountError, match=re.escape(f"does not accept an input of {message}")):
            count(models.load(name), shape)
    with pytest.raises(CountError, match="forward"):
        count(nn.Bilinear(3, 3, 3), (3,))


def test_counting_a_real_model_copies_no_weights():
    model = nn.Linear(4096, 4096)
    before = copy.deepcopy(model.weight)
    count(model, (4096,))
    assert torch.equal(model.weight, before)
    assert model.weight.device.type == "cpu"


class Made(nn.Module):
    """Parts, and a forward that is told them and the input."""

    def __init__(self, forward, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.called = forward

    def forward(self, x):
        return self.called(self, x)


def test_values_of_constants_and_shapes_are_known():
    """Masks, lengths and sizes made of shapes alone; torch's own code asks for them too."""

    def forward(self, x):
        lengths = torch.full((1,), x.shape[1])
        mask = torch.ones(x.shape[1], x.shape[1]).tril()
        mask[0] = 1
        if mask.sum().item() != 5 + 15 - 1 or not bool(torch.equal(lengths, lengths.clone())):
            raise RuntimeError("other values than torch computes")
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        y, left = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.head(y[:, : left[0]])

    ledger = count(Made(forward, lstm=nn.LSTM(6, 8, bidirectional=True), head=nn.Linear(16, 2)), (5, 6))
    assert ledger.macs == 5 * 2 * (4 * 8 * (6 + 8)) + 5 * 16 * 2
    assert ledger.layers[-1].output_shape == (5, 2)


def _after(change: Any, number: torch.Tensor) -> float:
    """What the number says once the change has been made, which Python made before this call."""
    return number.item()


@pytest.mark.parametrize(
    "number",
    [
        lambda n: _after((m := n + 1, n.add_(5)), m),
        lambda n: _after(n.add_(1), n),
        lambda n: _after(n.add_(1), n * 2 - 1),
        lambda n: _after((a := torch.arange(6.0), a.clamp_(max=2)), a.max()),
        lambda n: _after((a := torch.tensor([-3.0, 1]), F.relu(a, inplace=True)), a.sum()),
        lambda n: _after((a := torch.zeros(1), torch.add(n, 1, out=a)), a),
        lambda n: _after(setattr(n, "data", torch.full((1,), 3.0)), n),
        lambda n: functools.reduce(lambda a, _: a + a - a + 0.001, range(2000), n).item(),
    ],
)
def test_constants_have_the_values_that_they_have_at_the_time(number):
    def forward(self, x):
        for _ in range(round(number(self.steps.clone()))):
            x = self.part(x)
        return x

    model = Made(forward, part=nn.Linear(4, 4))
    model.register_buffer("steps", torch.ones(1))
    assert count(model, (4,)).macs == torch_macs(model, torch.zeros(1, 4)) > 0


def test_a_write_into_a_buffer_is_seen_and_leaves_the_model_as_it_was():
    model = Made(lambda self, x: self.part(x) if self.calls.add_(1) == 1 else x, part=nn.Linear(4, 4))
    model.register_buffer("calls", torch.zeros(()))
    assert [count(model, (4,)).macs for _ in range(2)] == [16, 16]


def _caught(self, x):
    try:
        return x if x.sum() > 0 else self.part(x)
    except Exception:
        return x


def _threaded(self, x):
    with ThreadPoolExecutor(1) as pool:
        return next(pool.map(self.part, [x]))


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (lambda self, x: x if x.sum() > 0 else -x, "asks for the value of a tensor (if or bool())"),
        (lambda self, x: x[: int(x.max())], "asks for the value of a tensor (int())"),
        (lambda self, x: torch.nonzero(x), "gives a shape that depends on the values"),
        (lambda self, x: x.numpy(), "asks for the value of a tensor (numpy)"),
        (lambda self, x: x[: int(torch.zeros(1).uniform_(1, 2))], "on weights or on chance"),
        (lambda self, x: torch.eye(4).to_sparse() @ x[0], "matmul works on a sparse tensor"),
        (lambda self, x: _after(self.part.bias.data.zero_(), self.part.bias[0]), "(item)"),
        (_caught, "asks for the value of a tensor (if or bool())"),
        (_threaded, "Linear is called in a thread of its own"),
    ],
)
def test_a_refusal_says_which_value_is_asked_for_and_what_to_do(forward, reason):
    with pytest.raises(CountError, match=re.escape(reason)) as refused:
        count(Made(forward, part=nn.Linear(4, 4)), (4,))
    assert re.search("count the part of the model|call the parts one after another", str(refused.value))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_a_model_of_other_precision_is_given_numbers_of_its_own(dtype):
    assert count(nn.Conv2d(3, 4, 3).to(dtype), (3, 8, 8)).macs == 27 * 4 * 36


@pytest.mark.parametrize(
    ("forward", "macs"),
    [
        (lambda self, x: F.linear(weight=self.part.weight, input=x), 9 * 8 * 6),
        (lambda self, x: F.layer_norm(input=self.part(x), normalized_shape=(6,)), 9 * 8 * 6),
        (lambda self, x: torch.matmul(other=self.part.weight.t(), input=x), 9 * 8 * 6),
        (lambda self, x: torch.vmap(self.part, in_dims=1)(x), 9 * 8 * 6),
        (lambda self, x: torch.func.vmap(lambda row: row @ self.part.weight.T)(x[0]), 9 * 8 * 6),
        (lambda self, x: F.scaled_dot_product_attention(x, x.expand(3, 9, 8), x), 3 * 2 * 9 * 9 * 8),
        (lambda self, x: x.cpu().to("cuda:0").type(torch.FloatTensor) @ self.part.weight.T, 9 * 8 * 6),
        (lambda self, x: torch.mv(self.part.weight, x[0, 0]), 8 * 6),
        (lambda self, x: torch.zeros(9, 6).to(x).addmm_(x[0], self.part.weight.T), 9 * 8 * 6),
        (lambda self, x: torch.linalg.matmul(x, self.part.weight.T), 9 * 8 * 6),
        (lambda self, x: torch.linalg.vecdot(x[:, :, None], self.part.weight), 9 * 8 * 6),
        (lambda self, x: (x * 1j).imag @ self.part.weight.T if (1j * x).is_complex() else x, 9 * 8 * 6),
        (lambda self, x: self.part(torch.where(condition=x > 0, input=x, other=-x)), 9 * 8 * 6),
        (lambda self, x: self.part(torch.where(x > 0, input=x, other=-x)), 9 * 8 * 6),
        (lambda self, x: self.part(x) if x.data_ptr() != self.part.weight.data_ptr() else x, 9 * 8 * 6),
        (lambda self, x: self.part(torch.rsub(torch.randn_like(x), x)).cumsum_(1).lt_(0), 9 * 8 * 6),
        (
            lambda self, x: torch.vmap(F.max_pool2d)(x[:, None], kernel_size=1)[0] @ self.part.weight.T,
            9 * 8 * 6,
        ),
        (lambda self, x: self.part(torch.slice_scatter(x, x[:, :2], 1, 3, 5).transpose_(1, 2).mT), 9 * 8 * 6),
        (lambda self, x: x[:, torch.arange(9) % 2 == 0] @ self.part.weight.T, 5 * 8 * 6),
        (lambda self, x: F.glu(self.part(torch._foreach_add([x], [x])[0])).rot90(1, (1, 2)), 9 * 8 * 6),
    ],
)
def test_arguments_by_keyword_broadcasting_maps_and_moves_count(forward, macs):
    ledger = count(Made(forward, part=nn.Linear(8, 6, bias=False)), (9, 8))
    assert (ledger.macs, ledger.uncounted) == (macs, ())


def test_a_compiled_part_and_autocast_are_counted_as_what_they_run():
    def forward(self, x):
        with torch.autocast(x.device.type, enabled=False):
            return self.head(self.body(x))

    model = Made(forward, body=torch.compile(nn.Conv2d(3, 4, 3)), head=nn.Conv2d(4, 2, 1))
    assert count(model, (3, 8, 8)).macs == 27 * 4 * 36 + 8 * 36


def test_lazy_modules_are_given_their_sizes_in_a_copy():
    model = nn.Sequential(nn.LazyConv2d(8, 3), nn.Flatten(), nn.LazyLinear(10))
    assert count(model, (3, 8, 8)).macs == 27 * 8 * 36 + 288 * 10
    assert isinstance(model[0], nn.LazyConv2d)


def test_attention_whose_sequence_leads_prints_as_tokens():
    ledger = count(models.load("vit_b_16"), IMAGE)
    assert ledger.layer("encoder.layers.encoder_layer_0.self_attention").output_shape == (197, 768)


def test_our_own_detector_is_counted():
    """Its proposals run under autocast, and half of its head through a grid."""
    model = Detector(base.plain)
    ledger = count(model, (3, 48, 48))
    assert ledger.parameters == sum(p.numel() for p in model.parameters())
    grids = sum(row.macs for row in ledger.layers if row.kind == "affine_grid")  # torch's counter misses them
    assert ledger.macs - grids == torch_macs(model, torch.rand(1, 3, 48, 48)) and grids == 4 * 4 * 3 * 2


class TokensAndMaps(nn.Module):
    """Channels last between two permutations, windows of tokens, and channels that are shuffled."""

    def __init__(self):
        super().__init__()
        self.conv, self.dense, self.scale = (
            nn.Conv2d(3, 8, 1),
            nn.Linear(8, 24),
            nn.Parameter(torch.ones(8, 1, 1)),
        )

    def forward(self, x):
        x = self.conv(x)
        tokens = F.gelu(self.dense(x.permute(0, 2, 3, 1)))
        q, k, _ = tokens.flatten(1, 2).unflatten(-1, (3, 8)).unbind(2)
        scores = (q @ k.transpose(-2, -1)).softmax(-1)
        back = (scores @ q).transpose(1, 2).reshape(x.shape) * self.scale
        shuffled = torch.cat([back.view(1, 2, 4, 6, 5).transpose(1, 2).reshape(x.shape), x], 1)
        return F.relu(shuffled)


def test_it_is_known_where_channels_stand():
    layers = count(TokensAndMaps(), (3, 6, 5)).layers
    found = {
        layer.name: (layer.output_shape, layer.channels) for layer in layers if layer.kind != "Parameter"
    }
    assert found == {
        "conv": ((8, 6, 5), 0),
        "dense": ((6, 5, 24), 2),
        "gelu": ((6, 5, 24), 2),
        "matmul": ((30, 30), 1),
        "softmax": ((30, 30), 1),
        "matmul#2": ((30, 8), 1),
        "mul": ((8, 6, 5), 0),
        "cat": ((16, 6, 5), 0),
        "relu": ((16, 6, 5), 0),
    }


def test_tables_print_channels_last_where_they_stand_last_and_where_they_stand_first():
    layers = count(models.load("swin_t"), (3, 224, 224))
    printed = {
        name: output_text(layers.layer(name)) for name in ("features.0.0", "features.0.1", "features.1.0:add")
    }
    assert printed == dict.fromkeys(printed, "56×56×96")
    assert output_text(layers.layer("features.1.0.attn:softmax")) == "64×3×49×49"
