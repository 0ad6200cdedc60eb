"""The record that a walk over a model leaves: one row a layer call, in plain integers, without torch.

A count is a row of a `Ledger`; what could not be counted is named in `uncounted`, never guessed.
Units: parameters and activations are elements, `macs` are multiply-accumulates (never FLOPs).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

REVISION = 1

Shape = tuple[int, ...]

#: Operator classes whose multiply-accumulates make up `Layer.macs`.
MAC_CLASSES = ("convolution", "linear", "attention", "matmul")

#: Operator classes counted in elements touched, never part of `macs`.
ELEMENT_CLASSES = (
    "bias",  # output elements to which a convolution or linear layer adds a bias
    "batch_norm",  # output elements
    "layer_norm",  # output elements
    "other_norm",  # output elements of group, instance, RMS and local response normalisation
    "activation",  # output elements
    "pooling",  # input elements of a pooling of fixed windows
    "adaptive_pooling",  # input elements of adaptive, global and mean pooling
    "nearest_upsampling",  # output elements, in two dimensions
    "bilinear_upsampling",  # output elements
    "elementwise",  # output elements of additions, products, concatenations' copies are not counted
)


@dataclass(frozen=True)
class ReceptiveField:
    """Extent of the input that one output unit can see, along height and width (or each spatial axis).

    size: pixels seen; jump: input pixels between neighbouring units;
    offset: input coordinate of the centre of the first unit (0.5 is the centre of the first pixel).
    """

    size: tuple[int, ...]
    jump: tuple[int, ...]
    offset: tuple[float, ...]


@dataclass(frozen=True)
class Layer:
    """One call of one operator (a module, or a function outside a module's own operator).

    name: module path ("features.0"), for a functional call its enclosing module's path and the
    function ("encoder:scaled_dot_product_attention"); repeated calls carry "#2", "#3", …
    Shapes leave out the batch axis. channels: the dimension of output_shape that holds channels or features,
    None where it is not known. Parameters are counted at the first call that uses them.
    arithmetic: column ("weights", "biases", "activations", "macs") → text such as "(3·3·3)·64",
    which evaluates to that column's integer when "·" is read as "*".
    shared: an earlier call has counted the parameters.
    functional: a function used the layer's parameters; the layer itself was not called.
    affine, own_statistics: of a normalisation, whether it scales, and whether a batch normalisation computes
    the mean and deviation of what it is given, in evaluation too.
    """

    name: str
    kind: str
    input_shape: Shape | None
    output_shape: Shape | None
    kernel: Shape | None = None
    stride: Shape | None = None
    padding: tuple[int, ...] | str | None = None
    dilation: Shape | None = None
    groups: int | None = None
    weights: int = 0
    biases: int = 0
    activations: int = 0
    macs_by_class: dict[str, int] = field(default_factory=dict)
    elements: dict[str, int] = field(default_factory=dict)
    arithmetic: dict[str, str] = field(default_factory=dict)
    receptive_field: ReceptiveField | Literal["global"] | None = None
    shared: bool = False
    functional: bool = False
    uncounted: tuple[str, ...] = ()
    affine: bool = False
    own_statistics: bool = False
    channels: int | None = None

    @property
    def parameters(self) -> int:
        return self.weights + self.biases

    @property
    def macs(self) -> int:
        return sum(self.macs_by_class.values())


@dataclass(frozen=True)
class Ledger:
    """Every layer of one model at one input size, in the order of the forward pass."""

    model: str
    input_shape: Shape
    layers: tuple[Layer, ...]

    @property
    def weights(self) -> int:
        return sum(layer.weights for layer in self.layers)

    @property
    def biases(self) -> int:
        return sum(layer.biases for layer in self.layers)

    @property
    def parameters(self) -> int:
        return self.weights + self.biases

    @property
    def activations(self) -> int:
        return sum(layer.activations for layer in self.layers)

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def uncounted(self) -> tuple[str, ...]:
        """Operators that were seen and not counted; totals are lower bounds while this is not empty."""
        return tuple(dict.fromkeys(name for layer in self.layers for name in layer.uncounted))

    def macs_of(self, operator_class: str) -> int:
        return sum(layer.macs_by_class.get(operator_class, 0) for layer in self.layers)

    def elements_of(self, operator_class: str) -> int:
        return sum(layer.elements.get(operator_class, 0) for layer in self.layers)

    def layer(self, name: str) -> Layer:
        """The first call of the layer of that name; KeyError when there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)
