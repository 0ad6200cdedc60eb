"""Random modules from a grammar of torch calls, and what they do to real numbers.

A program is a chain of steps on a map (1, C, H, W); each step draws how it is written: by module, function,
method or operator, by position or keyword, in place or not.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from lab import receptive_field as fields
from lab.counting import Walk, follow
from lab.movement import state_of

SHAPE = (4, 8, 6)
Step = Callable[[Tensor, Tensor], Tensor]


class Program(nn.Module):
    """`source` names the steps, so that a failing program can be read."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.drawn = random.Random(seed)
        self.parts = nn.ModuleList()
        self.steps: list[Step] = []
        self.source: list[str] = []
        self.outputs: list[Tensor] = []
        shape = (1, *SHAPE)
        x = torch.rand(shape)
        for _ in range(self.drawn.randint(1, 4)):
            for _ in range(20):
                name = self.drawn.choice(list(STEPS))
                known = len(self.parts)
                try:
                    step = STEPS[name](self, x.shape)
                    with torch.no_grad():
                        y = step(x.clone(), x.clone())
                except (Unfit, RuntimeError):
                    del self.parts[known:]
                    continue
                if y.dim() == 4 and min(y.shape) > 0 and y.numel() < 3000:
                    x = y
                    self.steps.append(step)
                    self.source.append(name)
                    break
        while not self.runs():
            self.steps.pop()
            self.source.pop()

    def runs(self) -> bool:
        """Whether torch takes the whole chain: it refuses to write into a tensor that was expanded."""
        try:
            with torch.no_grad():
                self(torch.rand((1, *SHAPE)))
        except RuntimeError:
            return False
        finally:
            self.outputs.clear()
        return True

    def part(self, module: nn.Module) -> nn.Module:
        self.parts.append(module)
        return module

    def weights(self, *shape: int) -> Tensor:
        holder = nn.Module()
        holder.register_parameter("weight", nn.Parameter(torch.rand(shape) + 0.1))
        self.parts.append(holder)
        return holder.weight

    def forward(self, x: Tensor) -> Tensor:
        for step in self.steps:
            x = step(x, x.clone())
        self.outputs.append(x)
        return x


class Unfit(Exception):
    """The step does not fit the shape."""


def _need(holds: bool) -> None:
    if not holds:
        raise Unfit


def _convolution(p: Program, shape: torch.Size) -> Step:
    """Windows without gaps between them, and none in the padding alone: what is between is not seen."""
    c, stride = shape[1], p.drawn.randint(1, 2)
    kernel = (p.drawn.randint(stride, 3), p.drawn.randint(stride, 3))
    dilation = p.drawn.randint(1, 3 - stride)
    padding = tuple(p.drawn.randint(0, 1) if k > 1 and dilation == 1 else 0 for k in kernel)
    groups = p.drawn.choice([g for g in (1, 2, c) if c % g == 0])
    filters = groups * p.drawn.randint(1, 2)
    bias = p.drawn.random() < 0.5
    mode = p.drawn.choice(["zeros", "zeros", "reflect", "replicate", "circular"])
    module = p.part(nn.Conv2d(c, filters, kernel, stride, padding, dilation, groups, bias, mode))
    how = p.drawn.randint(0, 2)
    if how == 0:
        return lambda x, _: module(x)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if how == 1:
        return lambda x, _: F.conv2d(input=x, weight=module.weight, bias=module.bias, **options)
    return lambda x, _: F.conv2d(x, module.weight, module.bias, stride, padding, dilation, groups)


def _transposed(p: Program, shape: torch.Size) -> Step:
    kernel, stride = p.drawn.choice([(2, 2), (3, 1), (3, 2), (1, 1)])
    module = p.part(nn.ConvTranspose2d(shape[1], 2, kernel, stride))
    return lambda x, _: module(x)


def _signal(p: Program, shape: torch.Size) -> Step:
    """A one-dimensional convolution over rows as tokens or channels."""
    _need(shape[3] > 1)
    if p.drawn.random() < 0.5:  # channels of every row's pixels: mixes all rows
        module = p.part(nn.Conv1d(shape[2], shape[2], 1))
        return lambda x, _: torch.stack([module(x[:, i]) for i in range(x.shape[1])], dim=1)
    module = p.part(nn.Conv1d(shape[1], 2, 3, padding=1))
    return lambda x, _: module(x.flatten(2)).unflatten(-1, x.shape[2:])


def _pool(p: Program, shape: torch.Size) -> Step:
    k = p.drawn.randint(2, 3)
    kind = p.drawn.randint(0, 5)
    if kind == 0:
        return lambda x, _: F.max_pool2d(input=x, kernel_size=k, stride=1)
    if kind == 1:
        return lambda x, _: F.avg_pool2d(x, (k, 1), ceil_mode=True)
    size = p.drawn.choice([1, (1, None), (None, 1), (2, 2)])
    module = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)[p.drawn.randint(0, 1)](size)
    return lambda x, _: module(x)


def _activation(p: Program, shape: torch.Size) -> Step:
    return p.drawn.choice(
        [
            lambda x, _: F.relu(x, inplace=True),
            lambda x, _: x.relu_() + 1,
            lambda x, _: torch.sigmoid(input=x),
            lambda x, _: F.softmax(x, dim=1),
            lambda x, _: F.softmax(x, -1),
            lambda x, _: x.clamp(min=0.1),
            lambda x, _: torch.addcmul(x, x, x, value=2),
        ]
    )


def _norm(p: Program, shape: torch.Size) -> Step:
    c = shape[1]
    kind = p.drawn.randint(0, 4)
    if kind == 0:  # in training it takes no single value
        _need(shape[2] * shape[3] > 1)
        return p_call(p.part(nn.BatchNorm2d(c)))
    if kind == 1:
        _need(shape[2] * shape[3] > 1)
        return p_call(p.part(nn.GroupNorm(p.drawn.choice([g for g in (1, 2, c) if c % g == 0]), c)))
    if kind == 2:
        return p_call(p.part(nn.LayerNorm(shape[3])))
    if kind == 3:
        module = p.part(nn.LayerNorm(c))
        return lambda x, _: module(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return lambda x, _: F.normalize(x, dim=1)


def p_call(module: nn.Module) -> Step:
    return lambda x, _: module(x)


def _residual(p: Program, shape: torch.Size) -> Step:
    _need(min(shape[2:]) > 2)
    module = p.part(nn.Conv2d(shape[1], shape[1], 3, padding=1))
    how = p.drawn.randint(0, 5)

    def step(x: Tensor, y: Tensor) -> Tensor:
        z = module(y)
        if how == 0:
            return torch.add(x, other=z)
        if how == 1:
            x += z
            return x
        if how == 2:
            return x.add_(z, alpha=2)
        if how == 3:
            return torch.stack([x, z], dim=-1).sum(dim=-1)
        if how == 4:
            return torch.maximum(input=z, other=x[:, :1])
        return x * z.mean(axis=1, keepdims=True)

    return step


def _concatenation(p: Program, shape: torch.Size) -> Step:
    module = p.part(nn.Conv2d(shape[1], 3, (3, 5), padding=(1, 2)))
    how, after = p.drawn.randint(0, 3), p.drawn.randint(0, 3)

    def step(x: Tensor, y: Tensor) -> Tensor:
        z = module(y)
        if how == 0:
            joined = torch.cat([x, z], axis=1)
        elif how == 1:
            joined = torch.cat(tensors=(z, x), dim=1)
        elif how == 2:
            joined = torch.hstack((z, x))
        else:
            joined = torch.concat([x.flip(2), z], 1)
        if after == 1:
            return joined[:, 1 : x.shape[1]]
        if after == 2:
            return joined.chunk(2, dim=1)[-1]
        if after == 3:
            return joined.narrow(1, 2, 2)
        return joined

    return step


def _along_space(p: Program, shape: torch.Size) -> Step:
    module = p.part(nn.Conv2d(shape[1], shape[1], 3, padding=1))
    return p.drawn.choice(
        [
            lambda x, y: torch.cat([x, module(y)], dim=2),
            lambda x, y: torch.cat([x[..., :2], module(y)[..., 2:]], -1),
            lambda x, y: torch.cat([x.new_zeros(1, x.shape[1], 2, x.shape[3]), x], 2),
        ]
    )


def _turn(p: Program, shape: torch.Size) -> Step:
    return p.drawn.choice(
        [
            lambda x, _: x.swapdims(2, 3),
            lambda x, _: torch.transpose(x, dim0=-1, dim1=-2),
            lambda x, _: x.permute(dims=(0, 1, 3, 2)),
            lambda x, _: torch.movedim(x, 2, 3),
            lambda x, _: x.mT,
            lambda x, _: x.permute(0, 2, 1, 3),
            lambda x, _: torch.flip(x, (2,)),
            lambda x, _: x.roll(2, 3),
            lambda x, _: x.transpose(1, 3).contiguous(),
        ]
    )


def _pick(p: Program, shape: torch.Size) -> Step:
    _need(shape[2] > 3 and shape[3] > 2)
    return p.drawn.choice(
        [
            lambda x, _: x[:, :, 1:-1],
            lambda x, _: x[..., ::2],
            lambda x, _: x[:, :, 1::2, 1:],
            lambda x, _: x.narrow(2, 1, 2),
            lambda x, _: torch.chunk(input=x, chunks=2, dim=3)[1],
            lambda x, _: x.unbind(1)[0][:, None],
            lambda x, _: x.select(2, 1).unsqueeze(2),
            lambda x, _: torch.index_select(x, 1, torch.tensor([0, 0])),
            lambda x, _: x[:, :1].expand(-1, 3, -1, -1),
            lambda x, _: x[:, :1].repeat(1, 2, 1, 1),
            lambda x, _: x.unfold(2, 3, 1).sum(-1),
            lambda x, _: F.pad(x, (1, 0, 2, 1)),
            lambda x, _: F.pad(input=x, pad=(1, 1, 0, 0), mode="reflect"),
            lambda x, _: F.pad(x, (1, 0, 2, 1), "circular"),
            lambda x, _: F.pad(x, (0, 1, 1, 1), mode="replicate"),
        ]
    )


def _write(p: Program, shape: torch.Size) -> Step:
    module = p.part(nn.Conv2d(shape[1], shape[1], 3, padding=1))
    _need(shape[1] > 1 and shape[2] > 2)
    how = p.drawn.randint(0, 10)

    def step(x: Tensor, y: Tensor) -> Tensor:
        z = module(y)
        if how == 0:
            out = torch.zeros_like(x)
            out[:, :1] = z[:, :1]
            return out + x
        if how == 1:
            x[:, 1:] = z[:, 1:]
            return x
        if how == 2:
            _, second = x.split([1, x.shape[1] - 1], 1)
            second += z[:, 1:]
            return x * 2
        if how == 3:
            view = x.transpose(2, 3)
            view.add_(z.transpose(2, 3))
            return x
        if how == 4:
            x[:, :, 1:2] = 0
            return x
        if how == 5:
            x.copy_(z)
            return x
        if how == 7:
            x.data = z.data
            return x
        if how == 8:
            return x.lerp_(z, 0.3).addcmul_(z, z)
        if how == 9:
            torch._foreach_add_([x], [z])
            return x
        if how == 10:
            rows = torch.arange(x.shape[2]) > 1
            x[:, :, rows] = z[:, :, rows]
            return x
        rows = x.flatten(2)
        rows.mul_(z.flatten(2).mean(-1, keepdim=True))
        return x

    return step


def _tokens(p: Program, shape: torch.Size) -> Step:
    c, h, w = shape[1:]
    how = p.drawn.randint(0, 6)
    weight = p.weights(c, 3)
    if how == 0:
        return lambda x, _: (x.flatten(2).transpose(1, 2) @ weight).transpose(1, 2).unflatten(2, (h, w))
    if how == 1:
        return lambda x, _: torch.einsum("nchw,co->nohw", x, weight)
    if how == 2:
        mixing = p.weights(w, w)
        return lambda x, _: torch.matmul(input=x, other=mixing)
    if how == 3:
        mixing = p.weights(h, 2)
        return lambda x, _: torch.einsum("...hw,hk->...kw", x, mixing)
    if how == 4:
        module = p.part(nn.Linear(c, 2))
        return lambda x, _: module(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    if how == 5:
        mixer = p.part(nn.Conv1d(h * w, h * w, 1))
        return lambda x, _: mixer(x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(x.shape)
    _need(h > 2 and w > 2)
    unfolded = p.weights(2, c * 9)
    return lambda x, _: (unfolded @ F.unfold(x, 3, padding=1)).view(1, 2, h, w)


def _attention(p: Program, shape: torch.Size) -> Step:
    c, h, w = shape[1:]
    _need(c % 2 == 0)
    how = p.drawn.randint(0, 4)
    if how == 0:
        module = p.part(nn.MultiheadAttention(c, 2, batch_first=True))

        def step(x: Tensor, _: Tensor) -> Tensor:
            t = x.flatten(2).transpose(1, 2)
            return module(t, t, t, need_weights=False)[0].transpose(1, 2).reshape(x.shape)

        return step
    if how == 1:

        def step(x: Tensor, _: Tensor) -> Tensor:
            t = x.flatten(2).transpose(1, 2)
            return F.scaled_dot_product_attention(t, key=t, value=t).transpose(1, 2).reshape(x.shape)

        return step
    if how == 2:

        def step(x: Tensor, _: Tensor) -> Tensor:
            t = x.flatten(2)
            return (t @ (t.transpose(-2, -1) @ t).softmax(dim=-1)).view(x.shape)

        return step
    _need(h % 2 == 0 and w % 2 == 0)
    fused = how == 3

    def step(x: Tensor, _: Tensor) -> Tensor:
        t = x.view(1, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(-1, 4, c)
        apart = (t @ t.transpose(1, 2)).softmax(-1) @ t
        t = F.scaled_dot_product_attention(t, t, t) if fused else apart
        return t.view(1, h // 2, w // 2, 2, 2, c).permute(0, 5, 1, 3, 2, 4).reshape(1, c, h, w)

    return step


def _reduction(p: Program, shape: torch.Size) -> Step:
    return p.drawn.choice(
        [
            lambda x, y: x - y.mean(dim=(2, 3), keepdim=True),
            lambda x, y: F.batch_norm(y, None, None, training=True) if y[0, 0].numel() > 1 else y,
            lambda x, y: F.instance_norm(
                x, x.new_zeros(x.shape[1]), x.new_ones(x.shape[1]), use_input_stats=False
            ),
            lambda x, y: x * torch.sigmoid(y.amax(3, keepdim=True)),
            lambda x, y: torch.sum(input=y, dim=2, keepdim=True),
            lambda x, y: y.mean(axis=1, keepdims=True),
            lambda x, y: y.max(dim=2, keepdim=True)[0] + x,
            lambda x, y: torch.var(y, 1, correction=0, keepdim=True) + x,
            lambda x, y: y.std(dim=-1, keepdim=True, unbiased=False),
            lambda x, y: torch.cumsum(y, dim=3),
            lambda x, y: torch.logsumexp(y, dim=1, keepdim=True),
            lambda x, y: y.sum(1)[None],
        ]
    )


def _resize(p: Program, shape: torch.Size) -> Step:
    r = 2
    how = p.drawn.randint(0, 5)
    if how == 0:
        return lambda x, _: F.interpolate(x, scale_factor=r, mode="nearest")
    if how == 1:
        return lambda x, _: F.interpolate(x, scale_factor=r, mode="bilinear")
    if how == 2:
        _need(shape[2] % r == 0 == shape[3] % r)
        return lambda x, _: F.pixel_unshuffle(x, r)
    if how == 3:
        _need(shape[1] % 4 == 0)
        return lambda x, _: F.pixel_shuffle(x, r)
    if how == 4:
        _need(shape[1] % 2 == 0)
        return lambda x, _: x.view(1, 2, x.shape[1] // 2, *x.shape[2:]).transpose(1, 2).reshape(x.shape)
    return lambda x, _: x.repeat_interleave(2, dim=2)


STEPS: dict[str, Callable[[Program, torch.Size], Step]] = {
    "convolution": _convolution,
    "transposed": _transposed,
    "signal": _signal,
    "pool": _pool,
    "activation": _activation,
    "norm": _norm,
    "residual": _residual,
    "concatenation": _concatenation,
    "along space": _along_space,
    "turn": _turn,
    "pick": _pick,
    "write": _write,
    "tokens": _tokens,
    "attention": _attention,
    "reduction": _reduction,
    "resize": _resize,
}


def contradiction(seed: int) -> str | None:
    """What the walk says of a program that its run on real numbers contradicts; None if nothing."""
    program = Program(seed).double().eval()
    walk = follow(Walk(program), program, SHAPE)
    state = state_of(program.outputs.pop())
    exact = follow(Walk(program, exact=True), program, SHAPE)
    program.outputs.clear()
    image = torch.rand((1, *SHAPE), dtype=torch.float64)
    torch.backends.mha.set_fastpath_enabled(False)  # which hides the products of attention from torch
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        output = program(image.clone())
    torch.backends.mha.set_fastpath_enabled(True)
    where = f"program {seed}: {', '.join(program.source)}"
    macs = sum(row.macs for row in walk.rows)
    uncounted = [name for row in walk.rows for name in row.uncounted]
    if macs != counter.get_total_flops() // 2 or uncounted:
        return f"{where}: {macs} MACs, torch says {counter.get_total_flops() // 2}; uncounted {uncounted}"
    if [row.macs for row in exact.rows] != [row.macs for row in walk.rows]:
        return f"{where}: shapes alone and torch's shape inference count differently"
    if state is fields.UNKNOWN:
        return None
    seen = []  # for each axis, whether each output unit changes with each pixel along it
    for axis in (2, 3):
        rows = []
        for i in range(image.shape[axis]):
            changed = image.clone()
            changed.select(axis, i).fill_(float("nan"))
            with torch.no_grad():
                rows.append(program(changed).isnan())
        seen.append(torch.stack(rows))
    for axis in range(2):
        exact = said = False
        for checked, unit in enumerate(_units(output.shape, random.Random(seed))):
            pixels = seen[axis][(slice(None), *unit)].nonzero().flatten().tolist()
            found = _interval(state, unit, axis)
            low, high = found or (0, 0)
            if pixels and (min(pixels) < low or max(pixels) >= high):
                return f"{where}: unit {unit} sees {pixels} along axis {axis}, the walk says {found}"
            inside = max(low, 0), min(high, SHAPE[1 + axis])
            said = said or inside[0] < inside[1]
            exact = exact or (bool(pixels) and (min(pixels), max(pixels) + 1) == inside)
            if exact and checked > 12:
                break
        if said and not exact:
            return f"{where}: no unit sees along axis {axis} as much as the walk says, {state}"
    return None


def _units(shape: torch.Size, drawn: random.Random) -> list[tuple[int, ...]]:
    """Every unit, in any order: near a border of a map that was cut or padded, units see less."""
    units = [tuple(int(i) for i in unit) for unit in torch.ones(shape).nonzero()]
    drawn.shuffle(units)
    return units


def _interval(state: fields.State, unit: tuple[int, ...], axis: int) -> tuple[int, int] | None:
    """What the state says of one unit: the first pixel along an axis and the one behind the last."""
    if not isinstance(state, fields.Field | fields.Several):
        return None
    found = []
    for term in (state,) if isinstance(state, fields.Field) else state.terms:
        start = term.start[axis]
        for index, dimension in zip(unit, term.dims, strict=True):
            if dimension and dimension[0][0] == fields.INSET:
                offset, dimension = dimension[0][2]
                index -= offset
                if not 0 <= index < _product(dimension):
                    break
            outside = False
            for along, n, jump, low, high in reversed(dimension):
                index, place = divmod(index, n)
                outside = outside or not low <= place < high
                start += place * jump if along == axis else 0
            if outside:
                break
        else:
            low, high = term.seen[axis]
            found.append((max(start, low), min(start + term.size[axis], high)))
    found = [(low, high) for low, high in found if low < high]
    if not found:
        return None
    return min(low for low, _ in found), max(high for _, high in found)


def _product(dimension: fields.Dimension) -> int:
    units = 1
    for factor in dimension:
        units *= factor[1]
    return units
