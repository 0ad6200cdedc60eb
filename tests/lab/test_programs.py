"""Random programs against torch's own counter and NaNs: a count or a field is right, or not said."""

from __future__ import annotations

import warnings

from tests.lab.programs import contradiction


def test_no_random_program_contradicts_the_walk():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [text for seed in range(200) if (text := contradiction(seed))]
    assert found == []
