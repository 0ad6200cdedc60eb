"""What each torch function adds to a ledger: `RULES`, from the function's name to the rule that counts it.

A rule takes the walk, the function's name, the function and its arguments; it adds a row and returns the
output: an empty tensor of the right shape on the meta device. Shapes that do not fit raise ValueError.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lab import formulas
from lab import receptive_field as fields
from lab.formulas import Count
from lab.movement import (
    Arguments,
    Keywords,
    channels_of,
    dimensions,
    joined,
    keep,
    keep_channels,
    of_windows,
    state_of,
    take,
    words,
    written,
)
from lab.movement import (
    elementwise as broadcast,
)

REVISION = 1

State = fields.State


class Walk(Protocol):
    """What rules may use of a walk."""

    exact: bool
    lengths: dict[int, Tensor]
    root: nn.Module
    owners: dict[int, tuple[nn.Module, str, Tensor]]

    def run(self, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any: ...
    def watch(self, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any: ...
    def meta(self, value: Any) -> Any: ...
    def parameters(self, args: Sequence[Any], kwargs: Keywords) -> None: ...
    def claim(self, tensor: Tensor | None, formula: Count | None = None) -> tuple[Count, bool]: ...
    def real(self, value: Any) -> Any: ...
    def remember(self, func: Callable[..., Any], args: Arguments, kwargs: Keywords, output: Any) -> None: ...
    def rewrite(self, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> None: ...
    def row(self, function: str, x: Any, output: Any, **columns: Any) -> None: ...


Rule = Callable[[Walk, str, Callable[..., Any], Arguments, Keywords], Any]


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
    if x.is_contiguous():  # quicker than empty_like, whose shape inference is written in Python
        return torch.empty(x.shape, dtype=x.dtype, device="meta")
    return torch.empty_like(x, device="meta")


def check_window(size: Sequence[int], kernel: Sequence[int], output: Sequence[int]) -> None:
    if min(output) < 1:
        window, space = ("×".join(map(str, n)) for n in (kernel, size))
        raise ValueError(f"its window of {window} does not fit into {space}")


def check_rank(x: Tensor, space: int) -> None:
    if x.dim() not in (space + 1, space + 2):
        raise ValueError(f"it takes {space} spatial dimensions, not a tensor of shape {tuple(x.shape)}")


def check_numbers(x: Tensor, weight: Tensor | None) -> None:
    """Whole numbers do not meet weights of others, which torch refuses too."""
    if weight is not None and weight.is_floating_point() and not (x.is_floating_point() or x.is_complex()):
        kind = str(x.dtype).removeprefix("torch.")
        raise ValueError(f"it takes numbers such as float32, not the whole numbers of {kind}")


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
    check_numbers(x, weight)
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
    seen = of_windows(x, kernel, dilation)
    state = _mixed(seen, output.dim() - space - 1, groups, filters, inputs)
    if transposed:
        keep(output, _spread(state, output, kernel, stride, low, extra, dilation))
        formula = formulas.convolution_weights(filters, inputs, kernel, groups)
        macs = formulas.convolution_macs(formula, size, math.prod(batch))
    else:
        state = fields.window(state, output.shape, kernel, stride, low, dilation)
        if state_of(weight) is not None:  # filters made of the input
            state = fields.union([state, _of_filters(state_of(weight), output, space)])
        keep(output, state)
        formula = formulas.convolution_weights(inputs, filters, kernel, groups)
        macs = formulas.convolution_macs(formula, positions, math.prod(batch))
    walk.row(
        name,
        x,
        output,
        channels=-space - 1,
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


def _mixed(state: State, dim: int, groups: int, filters: int, inputs: int) -> State:
    """Every filter sees all channels of its group."""
    if isinstance(state, fields.Field) and not state.dims[dim]:
        return state
    return fields.grouped(state, dim, groups, filters, inputs)


def _spread(
    state: State,
    output: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    extra: Sequence[int],
    dilation: Sequence[int],
) -> State:
    """After a transposed convolution: followed where its windows neither overlap nor leave gaps."""
    if state is None or fields.is_whole(state):
        return state
    if tuple(kernel) == tuple(stride) and not any(padding) and not any(extra) and set(dilation) == {1}:
        return fields.repeated(state, stride)
    space = range(output.dim() - len(kernel), output.dim())
    return state if state == fields.contract(state, space) else fields.UNKNOWN


def _of_filters(state: State, output: Tensor, space: int) -> State:
    """What an output sees through filters that depend on the input."""
    channel = output.dim() - space - 1

    def rule(field: fields.Field) -> State:
        dims: list[fields.Dimension] = [()] * output.dim()
        dims[channel] = field.dims[0]
        return field._replace(dims=tuple(dims))

    return fields.each(fields.contract(state, range(1, space + 2)), rule)


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
    check_numbers(x, weight)
    positions = x.shape[:-1]
    if walk.exact:
        output = walk.run(func, args, kwargs)
    else:
        output = torch.empty((*positions, *weight.shape[:-1]), dtype=x.dtype, device="meta")
    state = fields.contract(state_of(x), [x.dim() - 1])
    if weight.dim() == 1:
        state = fields.reduced(state, [x.dim() - 1], output.dim())
    if state_of(weight) is not None:
        state = fields.union([state, _columns(state_of(weight), output.dim())])
    keep(output, state)
    walk.row(
        name,
        x,
        output,
        channels=-1 if weight.dim() == 2 else None,
        **claim_pair(walk, weight, bias, formulas.linear_weights(inputs, outputs)),
        macs={"linear": formulas.linear_macs(inputs, outputs, positions)},
        elements={"bias": output.numel()} if bias is not None else {},
    )
    return output


def _columns(state: State, rank: int) -> State:
    """What a linear layer's outputs see through weights (outputs, inputs) that depend on the input."""

    def rule(field: fields.Field) -> State:
        return field._replace(dims=((),) * (rank - 1) + field.dims[:1])

    return fields.each(fields.contract(state, [1]), rule)


def scaled_dot_product(
    walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords
) -> Any:
    query, key, value = (take(args, kwargs, i, n) for i, n in enumerate(("query", "key", "value")))
    mask, causal = take(args, kwargs, 3, "attn_mask"), take(args, kwargs, 5, "is_causal", False)
    walk.parameters(args, kwargs)
    if kwargs.get("enable_gqa"):
        batch = tuple(query.shape[:-2])
    else:
        batch = tuple(torch.broadcast_shapes(*(t.shape[:-2] for t in (query, key, value))))
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        shapes = ", ".join(str(tuple(t.shape)) for t in (query, key, value))
        raise ValueError(f"query, key and value of shapes {shapes} do not fit together")
    if walk.exact:
        output = walk.run(func, args, kwargs)
    else:
        output = torch.empty((*batch, query.shape[-2], value.shape[-1]), dtype=query.dtype, device="meta")
    keep(output, _attended(query, key, value, output, masked=mask is not None or bool(causal)))
    macs = formulas.attention_macs(batch, query.shape[-2], key.shape[-2], query.shape[-1], value.shape[-1])
    walk.row(name, query, output, channels=-1, macs={"attention": macs})
    return output


def _attended(query: Tensor, key: Tensor, value: Tensor, output: Tensor, masked: bool) -> State:
    """Every query sees itself and every key and value of its batch and head; behind a mask it is not known
    which."""
    states = []
    for t, summed in ((query, [-1]), (key, [-1, -2]), (value, [-2])):
        state = state_of(t)
        before = fields.contract(state, [t.dim() + d for d in summed if d == -1])
        after = fields.contract(state, [t.dim() + d for d in summed])
        if masked and summed != [-1] and after != (before if summed == [-1, -2] else state):
            return fields.UNKNOWN
        shape = list(t.shape)
        for d in summed:
            shape[d] = 1
        if t is not query and len(shape) > 2 and shape[-3] not in (1, output.shape[-3]):
            after = fields.contract(after, [len(shape) - 3])  # heads that several queries share
            shape[-3] = 1
        states.append(fields.aligned(after, shape, output.shape))
    return fields.union(states)


def multi_head_attention(
    walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords
) -> Any:
    """Projections of query, key and value, the attention products, the projection of the result."""
    names = words(
        "query key value embed_dim_to_check num_heads in_proj_weight in_proj_bias bias_k bias_v "
        "add_zero_attn dropout_p out_proj_weight out_proj_bias training key_padding_mask "
        "need_weights attn_mask"
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
    check_numbers(query, given["out_proj_weight"])
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
    keep(output, _attended_heads(query, key, value, given))
    if scores is not None:
        keep(scores, _attention_weights(query, key, scores))
    # torch fuses the products unless the attention weights themselves are asked for
    products_class = "matmul" if given.get("need_weights", True) else "attention"
    walk.row(
        name,
        query,
        output,
        channels=-1,
        batch_axis=1 if query.dim() == 3 else None,
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


def _attended_heads(query: Tensor, key: Tensor, value: Tensor, given: Keywords) -> State:
    """(L, N, E): projections mix the features, attention the sequence of keys and values."""
    masked = given.get("attn_mask") is not None or given.get("key_padding_mask") is not None
    states = [fields.contract(state_of(query), [query.dim() - 1])]
    for t in (key, value):
        features = fields.contract(state_of(t), [t.dim() - 1])
        state = fields.contract(features, [0])
        if masked and state != features:
            return fields.UNKNOWN
        states.append(state)
    return fields.union(states)


def _attention_weights(query: Tensor, key: Tensor, scores: Tensor) -> State:
    """(N, heads, L, S): each sees its query and, by the softmax, every key; known where that is all."""
    whole = fields.contract(state_of(key), [0, key.dim() - 1])
    seen = fields.union([fields.contract(state_of(query), [query.dim() - 1]), whole])
    if isinstance(seen, fields.Field) and fields.is_whole(seen):
        return seen._replace(dims=((),) * scores.dim())
    return None if seen is None else fields.UNKNOWN


def recurrent(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    """LSTM, GRU and RNN over padded or packed sequences."""
    packed = not isinstance(args[3], bool)
    if packed:  # (steps of all sequences, features), in the order of time
        x, _, hidden, weights, _, layers, _, _, both = args
        steps, batch, positions, batch_first = x.shape[0], 1, 0, False
    else:
        x, hidden, weights, _, layers, _, _, both, batch_first = args
        positions = 1 if batch_first and x.dim() == 3 else 0
        steps = x.shape[positions]
        batch = x.shape[1 - positions] if x.dim() == 3 else 1
    state = hidden[0] if isinstance(hidden, list | tuple) else hidden
    gates = {"lstm": 4, "gru": 3}.get(name, 1)
    size = weights[0].shape[0] // gates
    check_width(weights[0].shape[1], x.shape[-1], "features")
    check_numbers(x, weights[0])
    projected = state.shape[-1] if state.shape[-1] != size else 0
    macs = formulas.recurrent_macs(steps, x.shape[-1], size, gates, layers, 2 if both else 1, projected)
    claims = {t: [walk.claim(p) for p in weights if (p.dim() == 1) == t] for t in (False, True)}
    shape = [*x.shape[:-1], (projected or size) * (2 if both else 1)]
    output = (
        torch.empty(shape, dtype=x.dtype, device="meta"),
        *([same(t) for t in hidden] if name == "lstm" else [same(hidden)]),
    )
    features = fields.contract(state_of(x), [x.dim() - 1])
    sequence = fields.contract(features, [positions])
    initial = [state_of(t) for t in (hidden if name == "lstm" else (hidden,))]
    known = all(s is None or fields.is_whole(s) for s in initial) and not packed
    for i, tensor in enumerate(output):
        seen = features if features == sequence else sequence if i or both else fields.UNKNOWN
        if i and isinstance(seen, fields.Field | fields.Several):  # the last state, (layers, batch, features)
            seen = sequence if fields.is_whole(sequence) else fields.UNKNOWN
            if isinstance(seen, fields.Field):
                seen = seen._replace(dims=((),) * tensor.dim())
        keep(
            tensor,
            fields.union([seen, *(s for s in initial if s)]) if known else _whole_or_unknown(x, tensor),
        )
    walk.row(
        name,
        x,
        output[0],
        channels=-1,
        batch_axis=1 - positions if x.dim() == 3 else None,
        own=owner(walk, weights[0]),
        weights=formulas.total(n for n, _ in claims[False]),
        biases=formulas.total(n for n, _ in claims[True]),
        shared=any(again for _, again in claims[False]),
        macs={"linear": formulas.times(macs, (batch,)) if batch != 1 else macs},
    )
    return output


def _whole_or_unknown(x: Tensor, output: Tensor) -> State:
    state = state_of(x)
    if state is None:
        return None
    if isinstance(state, fields.Field) and fields.is_whole(state):
        return state._replace(dims=((),) * output.dim())
    return fields.UNKNOWN


def cell(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    """One step of an LSTM, GRU or RNN: (N, inputs) and (N, hidden)."""
    x, hidden, w_input, w_hidden, *biases = args
    h = hidden[0] if isinstance(hidden, list | tuple) else hidden
    for t, weight in ((x, w_input), (h, w_hidden)):
        check_width(weight.shape[1], t.shape[-1], "features")
    claims = [walk.claim(w) for w in (w_input, w_hidden)]
    biases_claimed = [walk.claim(b)[0] for b in biases]
    positions = x.shape[:-1]
    outputs = [same(t) for t in hidden] if name == "lstm_cell" else [same(h)]
    seen = [
        fields.contract(state_of(t), [t.dim() - 1])
        for t in (x, *(hidden if name == "lstm_cell" else (h,)))
        if state_of(t) is not None
    ]
    for output in outputs:
        keep(output, fields.union(seen))
    products = formulas.linear_macs(w_input.shape[1], w_input.shape[0], positions) + formulas.linear_macs(
        w_hidden.shape[1], w_hidden.shape[0], positions
    )
    walk.row(
        name,
        x,
        outputs[0],
        channels=-1,
        own=owner(walk, w_input),
        weights=formulas.total(n for n, _ in claims),
        biases=formulas.total(biases_claimed),
        shared=any(again for _, again in claims),
        macs={"linear": products},
    )
    return tuple(outputs) if name == "lstm_cell" else outputs[0]


def pack(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    """pack_padded_sequence: the lengths must be known; (steps of all sequences, features) and batch sizes."""
    x, lengths, batch_first = args
    known = [int(n) for n in walk.real(lengths)]
    sizes = torch.tensor([sum(n > t for n in known) for t in range(max(known))])
    walk.lengths[id(sizes)] = sizes
    output = torch.empty((sum(known), *x.shape[2:]), dtype=x.dtype, device="meta")
    alone = len(known) == 1 and x.shape[1 if batch_first else 0] == known[0]
    if alone:
        keep(output, fields.reshape(state_of(x), x.shape, output.shape))
    else:
        keep(output, _whole_or_unknown(x, output))
    return output, sizes


def unpack(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    """pad_packed_sequence: padded sequences again, and their lengths."""
    x, sizes, batch_first, _, total = args
    known = [int(n) for n in walk.real(sizes)]
    steps, batch = max(len(known), total), known[0]
    shape = (batch, steps) if batch_first else (steps, batch)
    output = torch.empty((*shape, *x.shape[1:]), dtype=x.dtype, device="meta")
    if batch == 1 and steps == len(known):
        keep(output, fields.reshape(state_of(x), x.shape, output.shape))
    else:
        keep(output, _whole_or_unknown(x, output))
    return output, torch.tensor([sum(n > i for n in known) for i in range(batch)])


# Normalisation, activation, elementwise


def normalisation(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    x = args[0]
    at = {"layer_norm": 2, "rms_norm": 2, "group_norm": 2, "batch_norm": 3, "instance_norm": 3}.get(name, 99)
    weight, bias = take(args, kwargs, at, "weight"), take(args, kwargs, at + 1, "bias")
    if isinstance(weight, Tensor):
        check_numbers(x, weight)
        if name in ("batch_norm", "instance_norm"):
            check_width(weight.numel(), x.shape[1])
    output = walk.run(func, args, kwargs) if walk.exact or name == "local_response_norm" else same(x)
    state = state_of(x)
    evaluated = name == "batch_norm" and not walk.root.training
    own_statistics = evaluated and bool(take(args, kwargs, 5, "training"))
    last, several = name in ("layer_norm", "rms_norm"), False
    if last:
        shape = take(args, kwargs, 1, "normalized_shape")
        several = len(shape) > 1
        check_width(math.prod(shape), math.prod(x.shape[-len(shape) :]), "features")
        state = fields.contract(state, range(x.dim() - len(shape), x.dim()))
    elif name == "instance_norm" and take(args, kwargs, 5, "use_input_stats", True):
        state = fields.contract(state, range(2, x.dim()))
    elif own_statistics:
        state = fields.contract(state, [0, *range(2, x.dim())])
    elif name == "group_norm":
        groups = take(args, kwargs, 1, "num_groups")
        state = fields.contract(state, range(2, x.dim()))
        state = fields.grouped(state, 1, groups, x.shape[1], x.shape[1])
    elif name == "local_response_norm" and state != fields.contract(state, [1]):
        state = fields.UNKNOWN
    keep(output, state)
    kind = name if name in ("batch_norm", "layer_norm") else "other_norm"
    weight, bias = (t if isinstance(t, Tensor) else None for t in (weight, bias))
    walk.row(
        name,
        x,
        output,
        channels=None if output.dim() < 2 or several else -1 if last else 1,
        **claim_pair(walk, weight, bias),
        elements={kind: x.numel()},
        affine=weight is not None,
        own_statistics=own_statistics,
    )
    return output


def activation(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    x = args[0] if args else kwargs["input"]
    weight = take(args, kwargs, 1, "weight") if name == "prelu" else None
    base = name.rstrip("_")
    state = state_of(x)
    if base in ("softmax", "log_softmax", "softmin"):
        dim = take(args, kwargs, 1, "dim")
        if dim is None:  # torch's old choice
            dim = 0 if x.dim() in (0, 1, 3) else 1
        state = fields.contract(state, [dim % max(x.dim(), 1)])
    bounds = [t for t in (*args[1:], *kwargs.values()) if isinstance(t, Tensor)]
    if bounds and base in ("clamp", "clamp_min", "clamp_max", "clip"):
        walk.parameters(args, kwargs)
        state = broadcast([x, *bounds], x)
    in_place = (
        name.endswith("_")
        or kwargs.get("inplace") is True
        or args[_INPLACE_AT.get(name, 99) :][:1] == (True,)
    )
    if in_place:
        output = walk.meta(x)
        if state is not state_of(x) or output._is_view():
            written_in_place(output, state)
    elif walk.exact or bounds or not x.is_floating_point() or take(args, kwargs, 9, "dtype") is not None:
        output = walk.run(func, args, kwargs)
    else:
        output = same(x)
    if not in_place:
        keep(output, state)
    columns = claim_pair(walk, weight, None) if weight is not None else {}
    walk.row(base, output if in_place else x, output, elements={"activation": x.numel()}, **columns)
    return output


def elementwise(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    walk.parameters(args, kwargs)
    tensors = [t for t in (*args, *kwargs.values()) if isinstance(t, Tensor)]
    first = tensors[0] if tensors else None
    in_place = name in _IN_PLACE or "out" in kwargs
    if first is None or kwargs or not first.is_floating_point() or len(args) != 2:
        output = walk.run(func, args, kwargs)
    elif in_place:
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
    state = broadcast(tensors, output)
    if in_place:
        if state is not None or state_of(output) is not None:
            written_in_place(output, state)
        else:
            walk.rewrite(func, (output, *args[1:]), kwargs)
    else:
        keep(output, state)
        for tensor in tensors:
            if tensor.dim() == output.dim() and channels_of(tensor) is not None:
                keep_channels(output, channels_of(tensor))
        if state is None:
            walk.remember(func, args, kwargs, output)
    walk.row(
        name.strip("_"),
        output if name in _IN_PLACE else first,
        output,
        elements={"elementwise": output.numel()},
    )
    return output


def written_in_place(tensor: Tensor, state: State) -> None:
    """A rule has written the tensor without running torch: others that share its memory must notice."""
    torch.autograd.graph.increment_version(tensor)
    written(tensor, state)


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
    keep(output, fields.window(state_of(x), output.shape, kernel, stride, padding, dilation))
    walk.row(
        name.removesuffix("_with_indices"),
        x,
        output,
        channels=-space - 1,
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
    keep(output, fields.adaptive(state_of(x), x.shape, output.shape))
    walk.row(
        name.removesuffix("_with_indices"),
        x,
        output,
        channels=-space - 1,
        elements={"adaptive_pooling": x.numel()},
    )
    return result


def reduction(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    """Mean, sum or extremum over whole dimensions."""
    x = args[0]
    walk.parameters(args, kwargs)
    result = walk.run(func, args, kwargs)
    output = result if isinstance(result, Tensor) else result[0]
    dims = take(args, kwargs, 1, "dim")
    if len(args) > 2 and all(type(d) is int for d in args[1:]):
        dims = args[1:]
    keep(output, fields.reduced(state_of(x), dimensions(dims, x.dim()), output.dim()))
    if state_of(output) is None:
        walk.remember(func, args, kwargs, output)
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
    plain = (
        not walk.exact
        and "out" not in kwargs
        and first.dim()
        and all(t.dim() == first.dim() and t.dtype == first.dtype and t.is_contiguous() for t in tensors)
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
    kept = [t for t in tensors if t.dim() == output.dim()]  # torch passes over old-style empty tensors
    keep(output, joined(kept, dim % max(output.dim(), 1)))
    if state_of(output) is None:
        walk.remember(func, args, kwargs, output)
    walk.row("cat", next((t for t in tensors if channels_of(t) is not None), first), output)
    return output


def embedding(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    indices, weight = args[0], take(args, kwargs, 1, "weight")
    if indices.is_floating_point():
        raise ValueError("it takes whole numbers (indices); say so by an input such as ids=16:long")
    output = walk.run(func, args, kwargs)
    state = state_of(indices)
    keep(output, fields.each(state, lambda field: field._replace(dims=(*field.dims, ()))))
    walk.row(name, indices, output, channels=-1, **claim_pair(walk, weight, None))
    return output


def dropout(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    """The identity in evaluation; in training a new tensor, unless it works in place."""
    x = args[0] if args else kwargs["input"]
    active = take(args, kwargs, 2, "training", True) and take(args, kwargs, 1, "p", 0.5)
    if not (active and walk.root.training) or take(args, kwargs, 3, "inplace", False):
        return walk.meta(x)
    output = same(x)
    keep(output, state_of(x))
    return output


_ELEMENTWISE = words("add sub mul div true_divide multiply subtract maximum minimum")
_OPERATORS = words("add sub mul truediv radd rsub rmul rtruediv iadd isub imul itruediv")
_IN_PLACE = frozenset(f"{name}_" for name in _ELEMENTWISE) | {
    "__iadd__",
    "__isub__",
    "__imul__",
    "__itruediv__",
}
#: Where some activations take `inplace` by position.
_INPLACE_AT = {"relu": 1, "relu6": 1, "silu": 1, "mish": 1, "hardswish": 1, "hardsigmoid": 1, "selu": 1} | {
    "elu": 2,
    "celu": 2,
    "leaky_relu": 2,
    "hardtanh": 3,
    "threshold": 3,
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
        cell: ["lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"],
        pack: ["_pack_padded_sequence"],
        unpack: ["_pad_packed_sequence"],
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
