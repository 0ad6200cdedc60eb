"""architecture.convolution: output size and parameters of one convolution, and what rounding down does."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from pydantic import Field

from analyses.architecture import _layers as layers
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results import builders
from results.schema import Column, Row, Table


class ConvolutionParameters(Parameters):
    """One square convolution, and the filter sizes of the table, which keep its other settings."""

    width: int = Field(32, ge=1)
    channels: int = Field(3, ge=1)
    filters: int = Field(32, ge=1)
    filter: int = Field(4, ge=1)
    padding: int = Field(2, ge=0)
    stride: int = Field(2, ge=1)
    uneven_filter: int = Field(5, ge=1)
    table_filters: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)


class Convolution(Analysis[ConvolutionParameters]):
    id = "architecture.convolution"
    title = "Arithmetic of one convolution"
    question = "How large is the output of a convolution, and how many parameters does it have?"
    analytic = True

    def parameters(self, profile: Profile) -> ConvolutionParameters:
        return ConvolutionParameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        """Each convolution as torch makes it, on the meta device: the check on the formula of `summarize`."""
        parameters = ConvolutionParameters.model_validate(cell.settings)
        import torch
        from torch import nn

        from lab.counting import count

        shape = (parameters.channels, parameters.width, parameters.width)
        ledgers = {}
        for size in _sizes(parameters):
            with torch.device("meta"):
                convolution = nn.Conv2d(
                    parameters.channels, parameters.filters, size, parameters.stride, parameters.padding
                )
            ledgers[str(size)] = layers.to_json(count(convolution, shape, name=f"filter {size}"))
        return ledgers

    def summarize(self, parameters: ConvolutionParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        built = {size: layers.from_json(outcomes["all"][str(size)]).layers[0] for size in _sizes(parameters)}
        widths = {size: layer.output_shape[-1] for size, layer in built.items() if layer.output_shape}
        exact = {size: _exact_width(parameters, size) for size in built}
        example, uneven, smallest = parameters.filter, parameters.uneven_filter, min(built)
        metrics = {
            "example_output_width": builders.metric(
                widths[example],
                "Output width of the example",
                "pixels",
                arithmetic=_text(parameters, example),
            ),
            "example_parameters": builders.metric(
                built[example].parameters,
                "Parameters of the example",
                "parameters",
                arithmetic=f"{built[example].arithmetic['weights']} + {built[example].arithmetic['biases']}",
            ),
            "uneven_exact_width": builders.metric(
                float(exact[uneven]),
                "What the formula gives for the uneven filter",
                "pixels",
                arithmetic=_text(parameters, uneven),
            ),
            "uneven_output_width": builders.metric(
                widths[uneven], "Output width of the uneven filter, rounded down", "pixels"
            ),
            "padded_width": builders.metric(
                parameters.width + 2 * parameters.padding, "Width of the padded input", "columns"
            ),
            "uneven_unread": builders.metric(
                sum(_unread(parameters, uneven)),
                "Columns of the padded input that the uneven filter never reads",
                "columns",
            ),
            "smallest_filter": builders.metric(smallest, "Smallest filter of the table", "columns"),
            "smallest_unread": builders.metric(
                sum(_unread(parameters, smallest)),
                "Columns of the padded input that the smallest filter never reads",
                "columns",
            ),
        }
        findings = {
            "formula_agrees": builders.statement(
                "The formula, rounded down, gives torch's width for every filter of the table",
                all(int(exact[size]) == width for size, width in widths.items()),
                "example_output_width",
            ),
            "rounding_loses_columns": builders.statement(
                "Columns at the edge are unread where the formula gives a fraction, and only there",
                all((exact[size].denominator > 1) == (_unread(parameters, size)[0] > 0) for size in built),
                "uneven_exact_width",
                "uneven_unread",
            ),
            "small_filters_skip": builders.statement(
                "A filter narrower than the stride also skips columns between its positions",
                _unread(parameters, smallest)[1] > 0,
                "smallest_unread",
            ),
        }
        return Summary(metrics, {"filters": _table(parameters)}, {}, findings)


def _sizes(parameters: ConvolutionParameters) -> list[int]:
    return sorted({*parameters.table_filters, parameters.filter, parameters.uneven_filter})


def _exact_width(parameters: ConvolutionParameters, size: int) -> Fraction:
    """(W − F + 2P)/S + 1, before rounding: Dumoulin and Visin 2016, relationship 6."""
    return Fraction(parameters.width - size + 2 * parameters.padding, parameters.stride) + 1


def _unread(parameters: ConvolutionParameters, size: int) -> tuple[int, int]:
    """Padded columns that no window covers: behind the last window, and between two windows."""
    padded = parameters.width + 2 * parameters.padding
    starts = range(0, padded - size + 1, parameters.stride)
    read = {start + column for start in starts for column in range(size)}
    behind = padded - (starts[-1] + size)
    return behind, padded - len(read) - behind


def _text(parameters: ConvolutionParameters, size: int) -> str:
    return f"({parameters.width} - {size} + 2·{parameters.padding})/{parameters.stride} + 1"


def _table(parameters: ConvolutionParameters) -> Table:
    columns = (
        Column(key="filter", label="F", type="integer"),
        Column(key="exact", label="Formula", type="number", format=".1f"),
        Column(key="width", label="Output width", type="integer"),
        Column(key="behind", label="Unread at the edge", type="integer"),
        Column(key="between", label="Unread between", type="integer"),
        Column(key="parameters", label="Parameters", type="integer"),
    )
    rows = []
    for size in _sizes(parameters):
        weights = f"({size}·{size}·{parameters.channels})·{parameters.filters}"
        exact, (behind, between) = _exact_width(parameters, size), _unread(parameters, size)
        rows.append(
            Row(
                cells={
                    "filter": size,
                    "exact": float(exact),
                    "width": int(exact),
                    "behind": behind,
                    "between": between,
                    "parameters": (size * size * parameters.channels + 1) * parameters.filters,
                },
                arithmetic={
                    "exact": _text(parameters, size),
                    "parameters": f"{weights} + {parameters.filters}",
                },
            )
        )
    shape = layers.shape_text((parameters.channels, parameters.width, parameters.width))
    return Table(
        caption=f"Output width and parameters of {parameters.filters} square filters of width F on an input "
        f"of {shape}, with padding {parameters.padding} and stride {parameters.stride}. Formula: the output "
        "width before it is rounded down. Unread: columns of the padded input that no filter position "
        "covers, behind the last position and between two positions.",
        columns=columns,
        rows=tuple(rows),
    )


analysis = Convolution()
