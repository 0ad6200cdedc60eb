"""The words in which an analysis builds its result from plain numbers.

How a number is shown (`percent`, `points`, `integer`, `number`, …) is said once, for a column of a table and
an axis of a figure alike. Captions get a sentence on what bands and bars are, figures their alternative text,
and findings the sentence of each verdict. A whole small result:

>>> from results.schema import Estimate
>>> accuracy = metric(Estimate(value=0.81, low=0.79, high=0.83, n=3), "Test accuracy", FRACTION, over="seeds")
>>> gain = metric(Estimate(value=0.03, low=0.01, high=0.05, n=3), "Gain by dropout", FRACTION, over="seeds")
>>> metrics = {"accuracy": accuracy, "gain": gain}
>>> tables = {
...     "results": table(
...         "Accuracy on CIFAR-10 (10,000 test images), by what is changed.",
...         {"change": text("Change"), "epochs": integer("Epochs"), "test": percent("Test", best="highest")},
...         [
...             {"change": "none", "epochs": 10, "test": 0.78},
...             {"change": "dropout", "epochs": 10, "test": accuracy},
...         ],
...     )
... }
>>> figures = {
...     "curves": learning_curves(
...         "Loss and accuracy by epoch.", [{"train_loss": [2.3, 1.1], "train_accuracy": [0.2, 0.6]}]
...     ),
...     "changes": intervals("Change of accuracy.", {"dropout": gain}, points("Change of accuracy")),
... }
>>> findings = {
...     "dropout_helps": comparison(
...         "Dropout raises test accuracy",
...         "gain",
...         gain,
...         more=f"Dropout raises test accuracy by {shown('gain', 'points', ci=True, unit=True)}.",
...         less="Dropout lowers test accuracy.",
...         same="Dropout does not change test accuracy significantly.",
...     )
... }
>>> findings["dropout_helps"].verdict
'more'

Nothing here knows the laboratory: whatever has `value`, `low`, `high`, `n` and `level` is an estimate.
"""

from results.builders.curves import PARTS, curves, learning_curves
from results.builders.findings import SIGNIFICANT, Verdict, comparison, family, judge, shown, statement
from results.builders.plots import Rates, bars, intervals, roc, trend
from results.builders.quantities import (
    FRACTION,
    Format,
    Number,
    code,
    estimate,
    integer,
    metric,
    metrics,
    number,
    percent,
    points,
    shape,
    text,
)
from results.builders.tables import Cell, table, tied

__all__ = [
    "FRACTION",
    "PARTS",
    "SIGNIFICANT",
    "Cell",
    "Format",
    "Number",
    "Rates",
    "Verdict",
    "bars",
    "code",
    "comparison",
    "curves",
    "estimate",
    "family",
    "integer",
    "intervals",
    "judge",
    "learning_curves",
    "metric",
    "metrics",
    "number",
    "percent",
    "points",
    "roc",
    "shape",
    "shown",
    "statement",
    "table",
    "text",
    "tied",
    "trend",
]
