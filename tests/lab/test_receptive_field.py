"""Receptive fields by rule against the extent of gradients, which knows nothing of the rules."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from lab import formulas, models
from lab.counting import count
from lab.ledger import Ledger, ReceptiveField
from lab.probe import probe

#: Model → (module of the final map, receptive field, height and width of the input to probe with).
NETWORKS = {
    "alexnet": ("features", 195, (400, 63)),
    "vgg19": ("features", 268, (600, 32)),
    "googlenet": ("inception5b", 379, (800, 32)),
    "inception_v3": ("Mixed_7c", 1311, (2800, 75)),
    "resnet18": ("layer4", 435, (900, 32)),
    "resnet50": ("layer4", 427, (900, 32)),
    "mobilenet_v2": ("features", 491, (1000, 32)),
    "shufflenet_v2_x1_0": ("conv5", 527, (1100, 32)),
    "squeezenet1_0": ("features", 155, (400, 63)),
}


def last_row(ledger: Ledger, layer: str):
    return [row for row in ledger.layers if row.name.startswith(layer) and row.output_shape][-1]


def predicted(ledger: Ledger, layer: str) -> tuple[int, int]:
    """(first pixel, pixels) along the height that the middle unit of the layer's map sees."""
    row = last_row(ledger, layer)
    field = row.receptive_field
    assert isinstance(field, ReceptiveField)
    centre = field.offset[0] + (row.output_shape[1] // 2) * field.jump[0]
    return int(centre - field.size[0] / 2), field.size[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_sees_what_has_a_gradient(name):
    layer, size, space = NETWORKS[name]
    model = models.load(name)
    ledger = count(model, (3, *space))
    assert last_row(ledger, layer).receptive_field.size[0] == size
    assert probe(model, (3, *space), layer)[0] == predicted(ledger, layer)


@st.composite
def stacks(draw):
    layers: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 4))):
        options = {
            "kernel_size": draw(st.integers(1, 4)),
            "stride": draw(st.integers(1, 2)),
            "padding": 0,
            "dilation": draw(st.integers(1, 3)),
        }
        layers.append(nn.MaxPool2d(**options) if draw(st.booleans()) else nn.Conv2d(2, 2, **options))
    return nn.Sequential(nn.Sequential(*layers))


@settings(max_examples=60)
@given(stacks())
def test_a_random_stack_sees_what_has_a_gradient(model):
    shape = (2, 300, 140)
    ledger = count(model, shape)
    field = ledger.layers[-1].receptive_field
    assert probe(model, shape, "0")[0] == predicted(ledger, "0")
    layers = list(model[0])
    closed = formulas.stacked_receptive_field(
        *(
            [n[0] if isinstance(n, tuple) else n for n in (getattr(layer, key) for layer in layers)]
            for key in ("kernel_size", "stride", "dilation")
        )
    )
    assert field.size == (closed, closed)


class Branches(nn.Module):
    """Branches of unlike reach, an image turned on its side and back, padding, cropping and residuals."""

    def __init__(self, left: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.left = left
        self.wide = nn.Conv2d(2, 2, kernel, padding=dilation * (kernel - 1) // 2, dilation=dilation)
        self.pointwise = nn.Linear(2, 2)
        self.down = nn.Conv2d(4, 2, 2, stride=2)
        self.end = nn.Identity()

    def forward(self, x):
        y = F.pad(self.wide(x), (0, 0, self.left, 0))[:, :, : x.shape[2]]
        z = self.pointwise(x.flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, x.shape[2:])
        return self.end(self.down(torch.cat([y, z], 1))[..., ::2, :])


@settings(max_examples=30)
@given(st.integers(0, 5), st.sampled_from((1, 3, 5)), st.integers(1, 3))
def test_branches_see_their_union_wherever_axes_wander(left, kernel, dilation):
    model, shape = Branches(left, kernel, dilation), (2, 64, 16)
    ledger = count(model, shape)
    assert last_row(ledger, "end").receptive_field.jump == (4, 2)
    start, size = predicted(ledger, "end")
    with torch.no_grad():
        model.pointwise.weight.fill_(1)
    assert probe(model.double(), shape, "end")[0] == (start, size)


@pytest.mark.parametrize(
    "layer",
    [
        nn.AdaptiveAvgPool2d(1),
        nn.Sequential(nn.Flatten(), nn.Linear(2 * 8 * 8, 3)),
        nn.GroupNorm(1, 2),
        nn.Sequential(nn.Flatten(2), nn.Softmax(-1)),
        nn.LayerNorm((2, 8, 8)),
    ],
)
def test_what_mixes_all_positions_is_global(layer):
    ledger = count(nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), layer), (2, 8, 8))
    assert ledger.layers[-1].receptive_field == "global"
    assert ledger.layers[0].receptive_field.size == (3, 3)


def test_attention_is_global_and_a_pointwise_linear_layer_is_not():
    ledger = count(models.load("vit_b_16"), (3, 224, 224))
    assert ledger.layer("conv_proj").receptive_field == ReceptiveField((16, 16), (16, 16), (8.0, 8.0))
    assert ledger.layer("encoder.layers.encoder_layer_0.self_attention").receptive_field == "global"
    convnext = count(models.load("convnext_tiny"), (3, 224, 224))
    assert convnext.layer("features.1.0.block.3").kind == "Linear"
    assert convnext.layer("features.1.0.block.3").receptive_field.size == (28, 28)  # 4 + (7 − 1)·4


def replaced(x, other):
    """`x`, whose memory is now that of the other."""
    x.data = other
    return x


def test_what_the_rules_cannot_follow_is_left_open():
    class Shuffled(nn.Module):
        def forward(self, x):
            return F.relu(torch.roll(x, 3, dims=2))

    assert count(Shuffled(), (3, 8, 8)).layers[-1].receptive_field is None


@pytest.mark.parametrize(
    ("steps", "size"),
    [
        (lambda x: torch.cat([x, F.avg_pool2d(x, 3, 1, 1)], 1)[:, 2:], (5, 5)),
        (lambda x: torch.cat([x, F.avg_pool2d(x, 3, 1, 1)], 1)[:, :2], (3, 3)),
        (lambda x: x.mean(2, keepdim=True), (8, 3)),
        (lambda x: x.unfold(2, 3, 1).sum(-1), (5, 3)),
        (lambda x: F.pixel_unshuffle(x, 2).sum(1), (4, 4)),
        (lambda x: F.interpolate(x, scale_factor=2), (3, 3)),
        (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), None),
        (lambda x: x.flatten(2)[:, :, :, None] + x.flatten(2)[:, :, None], None),
        (lambda x: x.masked_fill(torch.ones(8, 8).tril() == 0, 0), None),
        (lambda x: x[torch.zeros(1, dtype=torch.long)], (3, 3)),
        (lambda x: F.conv2d(F.pad(x, (1, 1, 1, 1), "reflect"), torch.ones(2, 2, 3, 3)), (5, 5)),
        (lambda x: F.conv2d(F.pad(x, (1, 1, 1, 1), "circular"), torch.ones(2, 2, 3, 3)), None),
        (lambda x: F.pad(x, (1, 1, 1, 1), mode="replicate"), None),
        (lambda x: F.batch_norm(x, None, None, training=True), "global"),
        (lambda x: F.instance_norm(x, torch.zeros(2), torch.ones(2), use_input_stats=False), (3, 3)),
        (lambda x: torch.cat([x.mean((2, 3), keepdim=True).expand(-1, -1, 1, 8), x], 2), None),
        (lambda x: torch.cat([x.mean((2, 3), keepdim=True).expand(-1, -1, 8, 8), x], 1), "global"),
        (lambda x: replaced(x, F.avg_pool2d(x, 3, 1, 1)), (5, 5)),
        (lambda x: x.lerp_(F.avg_pool2d(x, 3, 1, 1), 0.5), (5, 5)),
    ],
)
def test_what_a_function_makes_of_a_field(steps, size):
    """After a 3×3 convolution; each was tried with NaNs."""

    class Made(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.end = nn.Conv2d(3, 2, 3, padding=1), nn.Sigmoid()

        def forward(self, x):
            return self.end(steps(self.conv(x)))

    field = count(Made(), (3, 8, 8)).layers[-1].receptive_field
    assert (field if isinstance(field, str) else getattr(field, "size", None)) == size


def test_the_weights_of_attention_see_every_token():
    class Weights(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention, self.end = nn.MultiheadAttention(4, 2, batch_first=True), nn.Sigmoid()

        def forward(self, x):
            tokens = x.flatten(2).transpose(1, 2)
            return self.end(self.attention(tokens, tokens, tokens)[1])

    assert count(Weights(), (4, 6, 5)).layers[-1].receptive_field == "global"


def test_window_attention_sees_its_window_and_shifted_windows_are_not_known():
    ledger = count(models.load("swin_t"), (3, 224, 224))
    first, second = (f"features.1.{i}.attn" for i in (0, 1))
    seen = {row.name: row.receptive_field for row in ledger.layers if ".attn" in row.name}
    assert {field.size for name, field in seen.items() if name.startswith(first) and field} == {
        (4, 4),
        (28, 28),
    }
    assert "global" not in [field for name, field in seen.items() if name.startswith((first, second))]


def test_a_recurrent_state_is_global_only_at_its_end():
    lstm = nn.LSTM(6, 4, batch_first=True)
    assert count(lstm, (5, 6)).layers[-1].receptive_field is None
    both = nn.LSTM(6, 4, batch_first=True, bidirectional=True)
    assert count(both, (5, 6)).layers[-1].receptive_field == "global"
    tokens = count(nn.Sequential(nn.Linear(6, 4), nn.LayerNorm(4)), (5, 6)).layers[-1].receptive_field
    assert tokens.size == (1,)  # a token sees itself


def test_a_convolution_over_tokens_mixes_them():
    mixer = nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.Flatten(2), nn.Conv1d(4, 4, 1))
    assert count(mixer, (3, 16, 16)).layers[-1].receptive_field.size == (4, 4)

    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.mix = nn.Conv2d(3, 4, 4, 4), nn.Conv1d(16, 8, 1)

        def forward(self, x):
            return self.mix(self.patches(x).flatten(2).transpose(1, 2))

    assert count(Turned(), (3, 16, 16)).layers[-1].receptive_field == "global"
