"""Counting rules of LSTM, GRU and RNN, and of packed sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lab import formulas, views
from lab import receptive_field as fields
from lab.counting.arguments import Arguments, Keywords
from lab.counting.rule_parts import (
    Walk,
    check_numbers,
    check_width,
    same,
)
from lab.counting.states import (
    field_of,
    keep_field,
)
from lab.receptive_field import State


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
    claims = {t: [walk.layers.claim(p) for p in weights if (p.dim() == 1) == t] for t in (False, True)}
    shape = [*x.shape[:-1], (projected or size) * (2 if both else 1)]
    output = (
        torch.empty(shape, dtype=x.dtype, device="meta"),
        *([same(t) for t in hidden] if name == "lstm" else [same(hidden)]),
    )
    features = fields.contract(field_of(x), [x.dim() - 1])
    sequence = fields.contract(features, [positions])
    initial = [field_of(t) for t in (hidden if name == "lstm" else (hidden,))]
    known = all(s is None or fields.is_whole(s) for s in initial) and not packed
    for i, tensor in enumerate(output):
        seen = features if features == sequence else sequence if i or both else fields.UNKNOWN
        if i and isinstance(seen, fields.Field | fields.Several):  # the last state, (layers, batch, features)
            seen = sequence if fields.is_whole(sequence) else fields.UNKNOWN
            if isinstance(seen, fields.Field):
                seen = seen._replace(dims=((),) * tensor.dim())
        keep_field(
            tensor,
            fields.union([seen, *(s for s in initial if s)]) if known else _whole_or_unknown(x, tensor),
        )
    walk.layers.add(
        name,
        x,
        output[0],
        channels=-1,
        batch_axis=1 - positions if x.dim() == 3 else None,
        own=walk.layers.owner(weights[0]),
        weights=formulas.total(n for n, _ in claims[False]),
        biases=formulas.total(n for n, _ in claims[True]),
        shared=any(again for _, again in claims[False]),
        macs={"linear": formulas.times(macs, (batch,)) if batch != 1 else macs},
    )
    return output


def _whole_or_unknown(x: Tensor, output: Tensor) -> State:
    state = field_of(x)
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
    claims = [walk.layers.claim(w) for w in (w_input, w_hidden)]
    biases_claimed = [walk.layers.claim(b)[0] for b in biases]
    positions = x.shape[:-1]
    outputs = [same(t) for t in hidden] if name == "lstm_cell" else [same(h)]
    seen = [
        fields.contract(field_of(t), [t.dim() - 1])
        for t in (x, *(hidden if name == "lstm_cell" else (h,)))
        if field_of(t) is not None
    ]
    for output in outputs:
        keep_field(output, fields.union(seen))
    products = formulas.linear_macs(w_input.shape[1], w_input.shape[0], positions) + formulas.linear_macs(
        w_hidden.shape[1], w_hidden.shape[0], positions
    )
    walk.layers.add(
        name,
        x,
        outputs[0],
        channels=-1,
        own=walk.layers.owner(w_input),
        weights=formulas.total(n for n, _ in claims),
        biases=formulas.total(biases_claimed),
        shared=any(again for _, again in claims),
        macs={"linear": products},
    )
    return tuple(outputs) if name == "lstm_cell" else outputs[0]


def pack(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    """pack_padded_sequence: the lengths must be known; (steps of all sequences, features) and batch sizes."""
    x, lengths, batch_first = args
    known = [int(n) for n in walk.values.real(lengths)]
    sizes = torch.tensor([sum(n > t for n in known) for t in range(max(known))])
    walk.lengths[id(sizes)] = sizes
    output = torch.empty((sum(known), *x.shape[2:]), dtype=x.dtype, device="meta")
    alone = len(known) == 1 and x.shape[1 if batch_first else 0] == known[0]
    if alone:
        keep_field(output, views.reshape(field_of(x), x.shape, output.shape))
    else:
        keep_field(output, _whole_or_unknown(x, output))
    return output, sizes


def unpack(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    """pad_packed_sequence: padded sequences again, and their lengths."""
    x, sizes, batch_first, _, total = args
    known = [int(n) for n in walk.values.real(sizes)]
    steps, batch = max(len(known), total), known[0]
    shape = (batch, steps) if batch_first else (steps, batch)
    output = torch.empty((*shape, *x.shape[1:]), dtype=x.dtype, device="meta")
    if batch == 1 and steps == len(known):
        keep_field(output, views.reshape(field_of(x), x.shape, output.shape))
    else:
        keep_field(output, _whole_or_unknown(x, output))
    return output, torch.tensor([sum(n > i for n in known) for i in range(batch)])
