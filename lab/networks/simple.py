"""Small networks: that of the artists study, and a perceptron of one hidden layer.

The original of SimpleCNN is the hand-out of MIT 6.867 (2016), homework 3: 5×5 with stride 2 and 16 filters,
twice, a dense layer of 64, ReLU after each; max-pooling and dropout are options there. Batch norm is ours.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

Stage = tuple[int, int, int]  # filters, kernel, stride
ORIGINAL: tuple[Stage, ...] = ((16, 5, 2), (16, 5, 2))


class SimpleCNN(nn.Sequential):
    """(N, 3, S, S) → (N, classes), S = size; 181,467 parameters at its defaults.

    stages: filters, odd kernel and stride of each convolution, padded so that stride alone shrinks the map.
    pool: size and stride of the max-pool after each stage, 0 for none. normalised: batch norm after each
    convolution. dropout: share of the hidden dense layer's outputs set to 0 in training. dense: its width.
    ValueError where a map is smaller than the pool.
    """

    def __init__(
        self,
        classes: int = 11,
        *,
        size: int = 50,
        stages: Sequence[Stage] = ORIGINAL,
        pool: int = 0,
        normalised: bool = False,
        dropout: float = 0.0,
        dense: int = 64,
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        inputs, side = 3, size
        for index, (filters, kernel, stride) in enumerate(stages, start=1):
            layers[f"conv{index}"] = nn.Conv2d(
                inputs, filters, kernel, stride, padding=kernel // 2, bias=not normalised
            )
            if normalised:
                layers[f"norm{index}"] = nn.BatchNorm2d(filters)
            layers[f"relu{index}"] = nn.ReLU()
            side = -(-side // stride)
            if pool:
                if side < pool:
                    raise ValueError(
                        f"the map of stage {index} is {side}×{side}, too small for a pool of {pool}"
                    )
                side //= pool
                layers[f"pool{index}"] = nn.MaxPool2d(pool)
            inputs = filters
        layers["flatten"] = nn.Flatten()
        layers["fc1"] = nn.Linear(inputs * side * side, dense)
        layers[f"relu{len(stages) + 1}"] = nn.ReLU()
        layers["dropout"] = nn.Dropout(dropout)
        layers["fc2"] = nn.Linear(dense, classes)
        super().__init__(layers)
        self.input_shape = (3, size, size)


class MLP(nn.Sequential):
    """(N, 1, S, S) → (N, classes): one hidden layer of rectified units, as of CSC321 (University of Toronto,
    2017), assignments 1 and 2, which have it on 32×32 and 28×28 grey faces."""

    def __init__(self, classes: int, *, size: int = 28, hidden: int = 300) -> None:
        super().__init__(
            OrderedDict(
                flatten=nn.Flatten(),
                hidden=nn.Linear(size * size, hidden),
                relu=nn.ReLU(),
                linear=nn.Linear(hidden, classes),
            )
        )
