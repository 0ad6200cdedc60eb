"""Counting rules of linear layers and of attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lab import formulas
from lab import receptive_field as fields
from lab.counting.arguments import Arguments, Keywords, argument, words
from lab.counting.rule_parts import (
    Walk,
    check_numbers,
    check_width,
    claim_pair,
)
from lab.counting.states import (
    elementwise,
    field_of,
    keep_field,
)
from lab.receptive_field import State


def linear(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    x, weight, bias = args[0], argument(args, kwargs, 1, "weight"), argument(args, kwargs, 2, "bias")
    outputs, inputs = weight.shape if weight.dim() == 2 else (1, weight.shape[0])
    check_width(inputs, x.shape[-1], "features")
    check_numbers(x, weight)
    positions = x.shape[:-1]
    if walk.exact:
        output = walk.run(func, args, kwargs)
    else:
        output = torch.empty((*positions, *weight.shape[:-1]), dtype=x.dtype, device="meta")
    state = fields.contract(field_of(x), [x.dim() - 1])
    if weight.dim() == 1:
        state = fields.reduced(state, [x.dim() - 1], output.dim())
    if field_of(weight) is not None:
        state = fields.union([state, _columns(field_of(weight), output.dim())])
    keep_field(output, state)
    walk.layers.add(
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


def vector_product(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    """A product of vectors along one dimension, whatever it is broadcast over."""
    x, y, dim = args[0], argument(args, kwargs, 1, "y"), argument(args, kwargs, 2, "dim", -1)
    walk.layers.add_parameters(args, kwargs)
    output = walk.run(func, args, kwargs)
    pairs = torch.empty(torch.broadcast_shapes(x.shape, y.shape), device="meta")
    state = fields.reduced(elementwise((x, y), pairs), [dim % pairs.dim()], output.dim())
    keep_field(output, state)
    walk.layers.add(name, x, output, macs={"matmul": formulas.product(pairs.shape)})
    return output


def scaled_dot_product(
    walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords
) -> Any:
    query, key, value = (argument(args, kwargs, i, n) for i, n in enumerate(("query", "key", "value")))
    mask, causal = argument(args, kwargs, 3, "attn_mask"), argument(args, kwargs, 5, "is_causal", False)
    walk.layers.add_parameters(args, kwargs)
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
    keep_field(output, _attended(query, key, value, output, masked=mask is not None or bool(causal)))
    macs = formulas.attention_macs(batch, query.shape[-2], key.shape[-2], query.shape[-1], value.shape[-1])
    walk.layers.add(name, query, output, channels=-1, macs={"attention": macs})
    return output


def _attended(query: Tensor, key: Tensor, value: Tensor, output: Tensor, masked: bool) -> State:
    """Every query sees itself and every key and value of its batch and head; behind a mask it is not known
    which."""
    states = []
    for t, summed in ((query, [-1]), (key, [-1, -2]), (value, [-2])):
        state = field_of(t)
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
    static = given.get("static_k")
    keys = (
        (key.shape[0] if static is None else static.shape[1])
        + (given["bias_k"] is not None)
        + bool(given["add_zero_attn"])
    )
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
    own = walk.layers.owner(given["in_proj_weight"]) or walk.layers.owner(projections[0])
    claims = [walk.layers.claim(t) for t in weights]
    columns: dict[str, Any] = {
        "own": own,
        "weights": formulas.total(n for n, _ in claims),
        "biases": formulas.total(walk.layers.claim(t)[0] for t in biases),
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
    keep_field(output, _attended_heads(query, key, value, given) if static is None else fields.UNKNOWN)
    if scores is not None:
        keep_field(scores, _attention_weights(query, key, scores))
    # torch fuses the products unless the attention weights themselves are asked for
    products_class = "matmul" if given.get("need_weights", True) else "attention"
    walk.layers.add(
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
    states = [fields.contract(field_of(query), [query.dim() - 1])]
    for t in (key, value):
        features = fields.contract(field_of(t), [t.dim() - 1])
        state = fields.contract(features, [0])
        if masked and state != features:
            return fields.UNKNOWN
        states.append(state)
    return fields.union(states)


def _attention_weights(query: Tensor, key: Tensor, scores: Tensor) -> State:
    """(N, heads, L, S): each sees its query and, by the softmax, every key; known where that is all."""
    whole = fields.contract(field_of(key), [0, key.dim() - 1])
    seen = fields.union([fields.contract(field_of(query), [query.dim() - 1]), whole])
    if isinstance(seen, fields.Field) and fields.is_whole(seen):
        return seen._replace(dims=((),) * scores.dim())
    return None if seen is None else fields.UNKNOWN
