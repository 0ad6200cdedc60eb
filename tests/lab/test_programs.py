"""Random programs against torch's own counter and NaNs: a count or a field is right, or not said."""

from __future__ import annotations

import warnings

import pytest

from tests.lab.programs import contradiction


@pytest.mark.parametrize(
    "seeds",
    [pytest.param(range(200), id="200"), pytest.param(range(10_000), id="10000", marks=pytest.mark.sweep)],
)
def test_no_random_program_contradicts_the_walk(seeds):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [text for seed in seeds if (text := contradiction(seed))]
    assert found == []


def test_padding_that_repeats_under_the_windows_own_zeros_is_seen():
    """Its last window holds a repeated row and a row of zeros, and not the row that is repeated."""
    assert contradiction(8054) is None
