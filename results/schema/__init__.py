"""A Result: all that a report may know of an analysis.

It holds data, never formatted text or drawn pictures. Every model is frozen and refuses unknown keys,
so a Result that was read is a Result that some analysis meant. `results.builders` has the calls in which an
analysis makes these.
"""

from results.schema.findings import MEMBERS, PLACEHOLDER_OPTIONS, Finding, Placeholder, parts_of
from results.schema.networks import Arrow, Block, BlockKind, FeatureMap, Frame, Network, NetworkPanel
from results.schema.outcomes import OUTCOMES_VERSION, CellRecord, Dataset, Outcomes, Pending
from results.schema.pictures import LARGEST_SIDE, Box, BoxStyle, Picture, Pictures, Suppression
from results.schema.plots import Axis, Chart, Heatmap, Panel, Panels, Reference, Scores, Series
from results.schema.result import MEDIA_VERSION, SCHEMA_VERSION, Figure, Media, Provenance, Result, upgraded
from results.schema.tables import Column, Row, Table
from results.schema.values import AnalysisId, Estimate, Identifier, Metric, Record, Scalar

__all__ = [
    "LARGEST_SIDE",
    "MEDIA_VERSION",
    "MEMBERS",
    "OUTCOMES_VERSION",
    "PLACEHOLDER_OPTIONS",
    "SCHEMA_VERSION",
    "AnalysisId",
    "Arrow",
    "Axis",
    "Block",
    "BlockKind",
    "Box",
    "BoxStyle",
    "CellRecord",
    "Chart",
    "Column",
    "Dataset",
    "Estimate",
    "FeatureMap",
    "Figure",
    "Finding",
    "Frame",
    "Heatmap",
    "Identifier",
    "Media",
    "Metric",
    "Network",
    "NetworkPanel",
    "Outcomes",
    "Panel",
    "Panels",
    "Pending",
    "Picture",
    "Pictures",
    "Placeholder",
    "Provenance",
    "Record",
    "Reference",
    "Result",
    "Row",
    "Scalar",
    "Scores",
    "Series",
    "Suppression",
    "Table",
    "parts_of",
    "upgraded",
]
