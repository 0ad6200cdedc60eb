"""What each torch function adds to a ledger: `RULES`, from the function's name to the rule that counts it.

A rule takes the walk, the function's name, the function and its arguments; it adds a row and returns the
output: an empty tensor of the right shape on the meta device. Shapes that do not fit raise ValueError.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lab import formulas
from lab import receptive_field as fields
from lab.formulas import Count

Arguments = tuple[Any, ...]
Keywords = Mapping[str, Any]
State = fields.State


class Walk(Protocol):
    """What rules may use of a walk."""

    exact: bool
    root: nn.Module
    owners: dict[int, tuple[nn.Module, str, Tensor]]

    def run(self, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any: ...
    def watch(self, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any: ...
    def meta(self, value: Any) -> Any: ...
    def parameters(self, args: Sequence[Any], kwargs: Keywords) -> None: ...
    def claim(self, tensor: Tensor | None, formula: Count | None = None) -> tuple[Count, bool]: ...
    def row(self, function: str, x: Any, output: Any, **columns: Any) -> None: ...


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


Rule = Callable[[Walk, str, Callable[..., Any], Arguments, Keywords], Any]


def state_of(tensor: Any) -> State:
    """The receptive field that the walk keeps with a tensor; None where it does not depend on the input."""
    return getattr(tensor, "field", None)


def take(args: Arguments, kwargs: Keywords, position: int, name: str, default: Any = None) -> Any:
    if position < len(args):
        return args[position]
    return kwargs.get(name, default)


def many(value: Any, length: int) -> tuple[int, ...]:
    """One number for every axis, or one an axis, as torch takes them."""
    if isinstance(value, int):
        return (value,) * length
    value = tuple(value)
    return value * length if len(value) == 1 else value


def empty(shape: Sequence[int], like: Tensor) -> Tensor:
    """An output on the meta device, channels last where the input of an image operator is."""
    output = torch.empty(shape, dtype=like.dtype, device="meta")
    image = len(shape) == 4 == like.dim() and not like.is_contiguous()
    if image and like.is_contiguous(memory_format=torch.channels_last):
        return output.contiguous(memory_format=torch.channels_last)
    return output


def same(x: Tensor) -> Tensor:
    return torch.empty_like(x, device="meta")


def check_window(size: Sequence[int], kernel: Sequence[int], output: Sequence[int]) -> None:
    if min(output) < 1:
        window, space = ("×".join(map(str, n)) for n in (kernel, size))
        raise ValueError(f"its window of {window} does not fit into {space}")


def check_rank(x: Tensor, space: int) -> None:
    if x.dim() not in (space + 1, space + 2):
        raise ValueError(f"it takes {space} spatial dimensions, not a tensor of shape {tuple(x.shape)}")


def check_width(expected: int, given: int, what: str = "channels") -> None:
    if expected != given:
        raise ValueError(f"it takes {expected} {what}, not {given}")


def owner(walk: Walk, tensor: Tensor | None) -> nn.Module | None:
    found = walk.owners.get(id(tensor))
    return found[0] if found else None


def claim_pair(
    walk: Walk, weight: Tensor | None, bias: Tensor | None, formula: Count | None = None
) -> dict[str, Any]:
    """The columns of a layer's own parameters; computed ones have been counted where they were stored."""
    weights, again = walk.claim(weight, formula)
    biases, _ = walk.claim(bias)
    return {"own": owner(walk, weight), "weights": weights, "biases": biases, "shared": again}


# Convolution


def convolution(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    x, weight, bias = args[0], take(args, kwargs, 1, "weight"), take(args, kwargs, 2, "bias")
    space, transposed = weight.dim() - 2, "transpose" in name
    check_rank(x, space)
    stride = many(take(args, kwargs, 3, "stride", 1), space)
    padding = take(args, kwargs, 4, "padding", 0)
    kernel = tuple(weight.shape[2:])
    if transposed:
        extra = many(take(args, kwargs, 5, "output_padding", 0), space)
        groups, dilation = (
            take(args, kwargs, 6, "groups", 1),
            many(take(args, kwargs, 7, "dilation", 1), space),
        )
    else:
        groups, dilation = (
            take(args, kwargs, 6, "groups", 1),
            many(take(args, kwargs, 5, "dilation", 1), space),
        )
    low, high = _edges(padding, kernel, dilation)
    size = tuple(x.shape[-space:])
    if transposed:
        filters, inputs = weight.shape[1] * groups, weight.shape[0]
        positions = tuple(map(formulas.transposed_output_size, size, kernel, stride, low, extra, dilation))
    else:
        filters, inputs = weight.shape[0], weight.shape[1] * groups
        positions = tuple(
            formulas.output_size(n + a + b, k, s, 0, d)
            for n, a, b, k, s, d in zip(size, low, high, kernel, stride, dilation, strict=True)
        )
    check_width(inputs, x.shape[-space - 1])
    check_window(size, kernel, positions)
    batch = x.shape[: -space - 1]
    output = walk.run(func, args, kwargs) if walk.exact else empty((*batch, filters, *positions), x)
    state = state_of(x)
    if transposed:
        output.field = fields.UNKNOWN if isinstance(state, fields.Field) else state
        formula = formulas.convolution_weights(filters, inputs, kernel, groups)
        macs = formulas.convolution_macs(formula, size, math.prod(batch))
    else:
        output.field = fields.window(state, output.shape, kernel, stride, low, dilation)
        formula = formulas.convolution_weights(inputs, filters, kernel, groups)
        macs = formulas.convolution_macs(formula, positions, math.prod(batch))
    walk.row(
        name,
        x,
        output,
        **claim_pair(walk, weight, bias, formula),
        macs={"convolution": macs},
        elements={"bias": output.numel()} if bias is not None else {},
        kernel=kernel,
        stride=stride,
        padding=padding if isinstance(padding, str) else low,
        dilation=dilation,
        groups=groups,
    )
    return output


def _edges(
    padding: Any, kernel: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Padding before and after, along each axis; "same" puts the odd pixel after."""
    if padding == "same":
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple(n // 2 for n in total), tuple(n - n // 2 for n in total)
    low = (0,) * len(kernel) if padding == "valid" else many(padding, len(kernel))
    return low, low


# Products


def linear(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    x, weight, bias = args[0], take(args, kwargs, 1, "weight"), take(args, kwargs, 2, "bias")
    outputs, inputs = weight.shape if weight.dim() == 2 else (1, weight.shape[0])
    check_width(inputs, x.shape[-1], "features")
    positions = x.shape[:-1]
    if walk.exact:
        output = walk.run(func, args, kwargs)
    else:
        output = torch.empty((*positions, *weight.shape[:-1]), dtype=x.dtype, device="meta")
    output.field = fields.merge([fields.contract(state_of(x), [-1]), state_of(weight)])
    walk.row(
        name,
        x,
        output,
        **claim_pair(walk, weight, bias, formulas.linear_weights(inputs, outputs)),
        macs={"linear": formulas.linear_macs(inputs, outputs, positions)},
        elements={"bias": output.numel()} if bias is not None else {},
    )
    return output


def scaled_dot_product(
    walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords
) -> Any:
    query, key, value = (take(args, kwargs, i, n) for i, n in enumerate(("query", "key", "value")))
    walk.parameters(args, kwargs)
    if walk.exact:
        output = walk.run(func, args, kwargs)
    else:
        output = torch.empty((*query.shape[:-1], value.shape[-1]), dtype=query.dtype, device="meta")
    output.field = _attended(query, key, value)
    macs = formulas.attention_macs(
        query.shape[:-2], query.shape[-2], key.shape[-2], query.shape[-1], value.shape[-1]
    )
    walk.row(name, query, output, macs={"attention": macs})
    return output


def _attended(*tensors: Tensor) -> State:
    state = fields.merge([state_of(t) for t in tensors])
    return "global" if isinstance(state, fields.Field) else state


def multi_head_attention(
    walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords
) -> Any:
    """Projections of query, key and value, the attention products, the projection of the result."""
    names = words(
        "query key value embed_dim_to_check num_heads in_proj_weight in_proj_bias bias_k bias_v "
        "add_zero_attn dropout_p out_proj_weight out_proj_bias"
    )
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    query, key, value = given["query"], given["key"], given["value"]
    heads, width = given["num_heads"], given["embed_dim_to_check"]
    batch = query.shape[1] if query.dim() == 3 else 1
    queries = query.shape[0]
    keys = key.shape[0] + (given["bias_k"] is not None) + bool(given["add_zero_attn"])
    projections = [given.get(f"{part}_proj_weight") for part in "qkv"]
    weights = [
        given["in_proj_weight"],
        *projections,
        given["bias_k"],
        given["bias_v"],
        given["out_proj_weight"],
    ]
    biases = [given["in_proj_bias"], given["out_proj_bias"]]
    own = owner(walk, given["in_proj_weight"]) or owner(walk, projections[0])
    claims = [walk.claim(t) for t in weights]
    columns = {
        "own": own,
        "weights": formulas.total(n for n, _ in claims),
        "biases": formulas.total(walk.claim(t)[0] for t in biases),
        "shared": any(again for _, again in claims),
    }
    products = (
        formulas.linear_macs(query.shape[-1], width, (queries, batch)),
        formulas.linear_macs(key.shape[-1], width, (key.shape[0], batch)),
        formulas.linear_macs(value.shape[-1], width, (value.shape[0], batch)),
        formulas.linear_macs(width, width, (queries, batch)),
    )
    if walk.exact:
        output, scores = walk.run(func, args, kwargs)
    else:
        output = torch.empty((*query.shape[:-1], width), dtype=query.dtype, device="meta")
        scores = None
        if given.get("need_weights", True):
            shape = (
                (batch, queries, keys)
                if given.get("average_attn_weights", True)
                else (batch, heads, queries, keys)
            )
            scores = torch.empty(shape if query.dim() == 3 else shape[1:], dtype=query.dtype, device="meta")
    output.field = _attended(query, key, value)
    # torch fuses the products unless the attention weights themselves are asked for
    products_class = "matmul" if given.get("need_weights", True) else "attention"
    walk.row(
        name,
        query,
        output,
        **columns,
        macs={
            "linear": formulas.total(products),
            products_class: formulas.attention_macs(
                (batch, heads), queries, keys, width // heads, width // heads
            ),
        },
        elements={"bias": sum(n * batch * width for n in (queries, key.shape[0], value.shape[0], queries))}
        if given["in_proj_bias"] is not None
        else {},
    )
    return output, scores


def recurrent(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    """LSTM, GRU and RNN over padded sequences; over packed ones the number of steps is data."""
    if not isinstance(args[3], bool):
        return walk.watch(name, func, args, kwargs)
    x, hidden, weights, _, layers, _, _, both, batch_first = args
    state = hidden[0] if isinstance(hidden, list | tuple) else hidden
    steps, batch = (x.shape[1], x.shape[0]) if batch_first else (x.shape[0], x.shape[1])
    gates = {"lstm": 4, "gru": 3}.get(name, 1)
    size = weights[0].shape[0] // gates
    projected = state.shape[-1] if state.shape[-1] != size else 0
    macs = formulas.recurrent_macs(steps, x.shape[-1], size, gates, layers, 2 if both else 1, projected)
    claims = {t: [walk.claim(p) for p in weights if (p.dim() == 1) == t] for t in (False, True)}
    shape = [*x.shape[:-1], (projected or size) * (2 if both else 1)]
    output = (
        torch.empty(shape, dtype=x.dtype, device="meta"),
        *([same(t) for t in hidden] if name == "lstm" else [same(hidden)]),
    )
    for tensor in output:
        tensor.field = _attended(x)
    walk.row(
        name,
        x,
        output[0],
        own=owner(walk, weights[0]),
        weights=formulas.total(n for n, _ in claims[False]),
        biases=formulas.total(n for n, _ in claims[True]),
        shared=any(again for _, again in claims[False]),
        macs={"linear": formulas.times(macs, (batch,)) if batch != 1 else macs},
    )
    return output


# Normalisation, activation, elementwise


def normalisation(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    x = args[0]
    at = {"layer_norm": 2, "rms_norm": 2, "group_norm": 2, "batch_norm": 3, "instance_norm": 3}.get(name, 99)
    weight, bias = take(args, kwargs, at, "weight"), take(args, kwargs, at + 1, "bias")
    if isinstance(weight, Tensor) and name in ("batch_norm", "instance_norm"):
        check_width(weight.numel(), x.shape[1])
    output = walk.run(func, args, kwargs) if walk.exact or name == "local_response_norm" else same(x)
    state = state_of(x)
    if name in ("layer_norm", "rms_norm"):
        shape = take(args, kwargs, 1, "normalized_shape")
        check_width(math.prod(shape), math.prod(x.shape[-len(shape) :]), "features")
        state = fields.contract(state, range(-len(shape), 0))
    elif name in ("group_norm", "instance_norm"):
        state = fields.contract(state, range(2, x.dim()))
    output.field = state
    kind = name if name in ("batch_norm", "layer_norm") else "other_norm"
    weight, bias = (t if isinstance(t, Tensor) else None for t in (weight, bias))
    walk.row(name, x, output, **claim_pair(walk, weight, bias), elements={kind: x.numel()})
    return output


def activation(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    x = args[0] if args else kwargs["input"]
    weight = take(args, kwargs, 1, "weight") if name == "prelu" else None
    base = name.rstrip("_")
    state = state_of(x)
    if base in ("softmax", "log_softmax", "softmin") and isinstance(state, fields.Field):
        dim = take(args, kwargs, 1, "dim")
        state = fields.contract(state, [dim]) if isinstance(dim, int) else fields.UNKNOWN
    in_place = name.endswith("_") or kwargs.get("inplace") is True
    if in_place:
        output = walk.meta(x)
    elif walk.exact or not x.is_floating_point() or take(args, kwargs, 9, "dtype") is not None:
        output = walk.run(func, args, kwargs)
    else:
        output = same(x)
    output.field = state
    columns = claim_pair(walk, weight, None) if weight is not None else {}
    walk.row(base, output if in_place else x, output, elements={"activation": x.numel()}, **columns)
    return output


def elementwise(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    walk.parameters(args, kwargs)
    tensors = [t for t in args if isinstance(t, Tensor)]
    first = tensors[0] if tensors else None
    if first is None or kwargs or not first.is_floating_point() or len(args) != 2:
        output = walk.run(func, args, kwargs)
    elif name in _IN_PLACE:
        output = walk.meta(args[0])
    elif walk.exact or any(t.dtype != first.dtype for t in tensors):
        output = walk.run(func, args, kwargs)
    elif len(tensors) == 1 or tensors[0].shape == tensors[1].shape:
        output = same(first)
    else:
        shape = torch.broadcast_shapes(*(t.shape for t in tensors))
        output = torch.empty(shape, dtype=first.dtype, device="meta")
    if not isinstance(output, Tensor):
        return output
    output.field = fields.merge([state_of(t) for t in tensors])
    walk.row(
        name.strip("_"),
        output if name in _IN_PLACE else first,
        output,
        elements={"elementwise": output.numel()},
    )
    return output


# Pooling, reductions, concatenation, padding


def pooling(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    x, space = args[0], int(name[8])
    check_rank(x, space)
    kernel = many(take(args, kwargs, 1, "kernel_size"), space)
    stride = many(take(args, kwargs, 2, "stride") or kernel, space)
    padding = many(take(args, kwargs, 3, "padding", 0), space)
    average = name.startswith("avg")
    dilation = (1,) * space if average else many(take(args, kwargs, 4, "dilation", 1), space)
    rounding = take(args, kwargs, 4 if average else 5, "ceil_mode", False)
    size = x.shape[-space:]
    positions = tuple(
        formulas.pooled_size(*axis, rounding)
        for axis in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    check_window(size, kernel, positions)
    indices = "with_indices" in name or kwargs.get("return_indices") is True
    if walk.exact or indices:
        result = walk.run(func, args, kwargs)
    else:
        result = empty((*x.shape[:-space], *positions), x)
    output = result[0] if isinstance(result, tuple) else result
    output.field = fields.window(state_of(x), output.shape, kernel, stride, padding, dilation)
    walk.row(
        name.removesuffix("_with_indices"),
        x,
        output,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=None if average else dilation,
        elements={"pooling": x.numel()},
    )
    return result


def adaptive_pooling(
    walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords
) -> Any:
    x = args[0]
    space = int(name.removesuffix("_with_indices")[-2])
    wanted = take(args, kwargs, 1, "output_size")
    wanted = (wanted,) * space if isinstance(wanted, int) or wanted is None else tuple(wanted)
    size = tuple(old if new is None else new for old, new in zip(x.shape[-space:], wanted, strict=True))
    indices = "with_indices" in name or kwargs.get("return_indices") is True
    result = walk.run(func, args, kwargs) if walk.exact or indices else empty((*x.shape[:-space], *size), x)
    output = result[0] if isinstance(result, tuple) else result
    output.field = fields.adaptive(state_of(x), x.shape, output.shape)
    walk.row(name.removesuffix("_with_indices"), x, output, elements={"adaptive_pooling": x.numel()})
    return result


def reduction(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    """Mean, sum or extremum over whole dimensions."""
    x = args[0]
    walk.parameters(args, kwargs)
    result = walk.run(func, args, kwargs)
    output = result if isinstance(result, Tensor) else result[0]
    dims = take(args, kwargs, 1, "dim")
    dims = (
        range(x.dim())
        if dims is None or isinstance(dims, Tensor)
        else (dims,)
        if isinstance(dims, int)
        else dims
    )
    output.field = fields.reduced(state_of(x), [d % max(x.dim(), 1) for d in dims], output.dim())
    walk.row(
        name,
        x,
        output,
        elements={"adaptive_pooling": x.numel()} if name == "mean" else {"elementwise": x.numel()},
    )
    return result


def concatenation(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    tensors, dim = take(args, kwargs, 0, "tensors"), take(args, kwargs, 1, "dim", 0)
    walk.parameters(args, kwargs)
    first = tensors[0]
    plain = not walk.exact and all(
        t.dim() == first.dim() and t.dtype == first.dtype and t.is_contiguous() for t in tensors
    )
    if plain:
        shapes = [[*t.shape] for t in tensors]
        width = sum(shape[dim] for shape in shapes)
        for shape in shapes:
            shape[dim] = width
        if any(shape != shapes[0] for shape in shapes):
            raise ValueError("the tensors to concatenate differ in more than one dimension")
        output = torch.empty(shapes[0], dtype=first.dtype, device="meta")
    else:
        output = walk.run(func, args, kwargs)
    state = fields.merge([state_of(t) for t in tensors])
    if isinstance(state, fields.Field) and (along := state.axes[dim]):
        tokens = (
            len(along) > 1 and sum(state_of(t) is not None for t in tensors) == 1
        )  # and constants: a class token
        state = state if tokens else fields.UNKNOWN
    output.field = state
    walk.row("cat", first, output)
    return output


def embedding(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    indices, weight = args[0], take(args, kwargs, 1, "weight")
    output = walk.run(func, args, kwargs)
    output.field = state_of(indices)
    walk.row(name, indices, output, **claim_pair(walk, weight, None))
    return output


def dropout(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    """The identity in evaluation; in training a new tensor, unless it works in place."""
    x = args[0] if args else kwargs["input"]
    active = take(args, kwargs, 2, "training", True) and take(args, kwargs, 1, "p", 0.5)
    if not (active and walk.root.training) or take(args, kwargs, 3, "inplace", False):
        return walk.meta(x)
    output = same(x)
    output.field = state_of(x)
    return output


_ELEMENTWISE = words("add sub mul div true_divide multiply subtract maximum minimum")
_OPERATORS = words("add sub mul truediv radd rsub rmul rtruediv iadd isub imul itruediv")
_IN_PLACE = frozenset(f"{name}_" for name in _ELEMENTWISE) | {
    "__iadd__",
    "__isub__",
    "__imul__",
    "__itruediv__",
}
ACTIVATIONS = words(
    "relu relu6 silu gelu elu celu selu leaky_relu prelu rrelu sigmoid logsigmoid hardsigmoid "
    "hardswish hardtanh tanh tanhshrink softplus softsign softshrink hardshrink mish "
    "threshold softmax log_softmax softmin clamp clamp_min clamp_max clip"
)


def _rules() -> dict[str, Rule]:
    table: dict[Rule, Sequence[str]] = {
        convolution: [f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)],
        linear: ["linear"],
        scaled_dot_product: ["scaled_dot_product_attention"],
        multi_head_attention: ["multi_head_attention_forward"],
        recurrent: ["lstm", "gru", "rnn_tanh", "rnn_relu"],
        normalisation: words("batch_norm layer_norm group_norm instance_norm rms_norm local_response_norm"),
        activation: [name + end for name in ACTIVATIONS for end in ("", "_")],
        elementwise: [
            *_ELEMENTWISE,
            *(f"__{name}__" for name in _OPERATORS),
            *(f"{name}_" for name in _ELEMENTWISE),
        ],
        pooling: [f"{k}_pool{n}d" for k in ("avg", "max") for n in (1, 2, 3)],
        adaptive_pooling: [f"adaptive_{k}_pool{n}d" for k in ("avg", "max") for n in (1, 2, 3)],
        reduction: ["mean", "sum", "amax", "amin"],
        concatenation: ["cat", "concat", "concatenate"],
        embedding: ["embedding"],
        dropout: words("dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout"),
    }
    rules = {name: rule for rule, names in table.items() for name in names}
    for n in (1, 2, 3):  # torch spells the variants with indices apart
        rules[f"max_pool{n}d_with_indices"] = pooling
        rules[f"adaptive_max_pool{n}d_with_indices"] = adaptive_pooling
    return rules


RULES = _rules()
