"""Counting rules of reductions, concatenation and embeddings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lab import receptive_field as fields
from lab.counting.arguments import Arguments, Keywords, argument, dimensions
from lab.counting.movement import joined
from lab.counting.rule_parts import (
    Walk,
    claim_pair,
)
from lab.counting.states import (
    channels_of,
    field_of,
    keep_field,
)


def reduction(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    """Mean, sum or extremum over whole dimensions."""
    x = args[0]
    walk.layers.add_parameters(args, kwargs)
    result = walk.run(func, args, kwargs)
    output = result if isinstance(result, Tensor) else result[0]
    dims = argument(args, kwargs, 1, "dim")
    if len(args) > 2 and all(type(d) is int for d in args[1:]):
        dims = args[1:]
    keep_field(output, fields.reduced(field_of(x), dimensions(dims, x.dim()), output.dim()))
    if field_of(output) is None:
        walk.values.remember(func, args, kwargs, output)
    walk.layers.add(
        name,
        x,
        output,
        elements={"adaptive_pooling": x.numel()} if name == "mean" else {"elementwise": x.numel()},
    )
    return result


def concatenation(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    tensors, dim = argument(args, kwargs, 0, "tensors"), argument(args, kwargs, 1, "dim", 0)
    walk.layers.add_parameters(args, kwargs)
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
    keep_field(output, joined(kept, dim % max(output.dim(), 1)))
    if field_of(output) is None:
        walk.values.remember(func, args, kwargs, output)
    walk.layers.add("cat", next((t for t in tensors if channels_of(t) is not None), first), output)
    return output


def embedding(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    indices, weight = args[0], argument(args, kwargs, 1, "weight")
    if indices.is_floating_point():
        raise ValueError("it takes whole numbers (indices); say so by an input such as ids=16:long")
    output = walk.run(func, args, kwargs)
    state = field_of(indices)
    keep_field(output, fields.each(state, lambda field: field._replace(dims=(*field.dims, ()))))
    walk.layers.add(name, indices, output, channels=-1, **claim_pair(walk, weight, None))
    return output
