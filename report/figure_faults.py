"""What goes wrong while a figure is drawn, as one sentence that names the result and the figure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class DrawingError(Exception):
    """A figure that cannot be drawn."""


@contextmanager
def naming(figure: str) -> Iterator[None]:
    """Name the figure, "analysis/key", in whatever goes wrong within; but what the system refuses, such as a
    file on a full disk, is no fault of a figure.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # Pillow's own have none
            raise
        what = " ".join(str(error).split()) or type(error).__name__
        raise DrawingError(f"the figure {figure} cannot be drawn: {what}") from error
