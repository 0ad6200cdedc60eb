"""What each torch function adds to a ledger: `RULES`, from the function's name to the rule that counts it."""

from __future__ import annotations

from collections.abc import Sequence

from lab.counting.arguments import words
from lab.counting.convolutions import adaptive_pooling, convolution, pooling
from lab.counting.elements import ELEMENTWISE, activation, dropout, elementwise, normalisation
from lab.counting.gathering import concatenation, embedding, reduction
from lab.counting.products import linear, multi_head_attention, scaled_dot_product, vector_product
from lab.counting.recurrence import cell, pack, recurrent, unpack
from lab.counting.rule_parts import Rule

_OPERATORS = words("add sub mul truediv radd rsub rmul rtruediv iadd isub imul itruediv")

ACTIVATIONS = words(
    "relu relu6 silu gelu elu celu selu leaky_relu prelu rrelu sigmoid logsigmoid hardsigmoid "
    "hardswish hardtanh tanh tanhshrink softplus softsign softshrink hardshrink mish "
    "threshold softmax log_softmax softmin clamp clamp_min clamp_max clip"
)


def _rules() -> dict[str, Rule]:
    table: dict[Rule, Sequence[str]] = {
        convolution: [f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)],
        linear: ["linear"],
        vector_product: ["linalg_vecdot"],
        scaled_dot_product: ["scaled_dot_product_attention"],
        multi_head_attention: ["multi_head_attention_forward"],
        recurrent: ["lstm", "gru", "rnn_tanh", "rnn_relu"],
        cell: ["lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"],
        pack: ["_pack_padded_sequence"],
        unpack: ["_pad_packed_sequence"],
        normalisation: words("batch_norm layer_norm group_norm instance_norm rms_norm local_response_norm"),
        activation: [name + end for name in ACTIVATIONS for end in ("", "_")],
        elementwise: [
            *ELEMENTWISE,
            *(f"__{name}__" for name in _OPERATORS),
            *(f"{name}_" for name in ELEMENTWISE),
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
