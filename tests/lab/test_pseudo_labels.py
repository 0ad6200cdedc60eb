"""The surest images of each class, against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.pseudo_labels import top_k_pseudo_labels


def plainly(scores, k, p):
    """The same choice, an image and a class at a time."""
    chosen = []
    for kind in range(len(scores[0])):
        candidates = []
        for image, row in enumerate(scores):
            order = sorted(range(len(row)), key=lambda other: (-row[other], other))
            if kind in order[:p]:
                candidates.append((-row[kind], image))
        chosen += [(image, kind, rank) for rank, (_, image) in enumerate(sorted(candidates)[:k])]
    return chosen


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 4))
def test_the_choice_is_that_of_a_plain_loop(seed, k, p):
    scores = np.random.default_rng(seed).integers(0, 6, (12, 4))  # with ties
    chosen = top_k_pseudo_labels(scores, k, p)
    found = list(zip(chosen.images.tolist(), chosen.labels.tolist(), chosen.ranks.tolist(), strict=True))
    assert found == plainly(scores.tolist(), k, p)


def test_an_image_may_serve_several_classes_and_a_class_may_have_few():
    scores = [[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.5, 0.3, 0.2]]
    assert top_k_pseudo_labels(scores, 2, 1).labels.tolist() == [0, 0]  # no image has another class first
    both = top_k_pseudo_labels(scores, 2, 2)
    assert both.labels.tolist() == [0, 0, 1, 1] and both.images.tolist() == [0, 1, 1, 2]
    assert both.several == 1 and both.right([0, 1, 1]).tolist() == [True, False, True, True]


@pytest.mark.parametrize(
    ("k", "p", "told"),
    [
        (4, 1, "4 images a class are to be chosen, and there are 3 unlabelled"),
        (0, 1, "0 images a class"),
        (1, 3, "3 highest classes are to be kept, and there are 2 classes"),
    ],
)
def test_a_choice_that_cannot_be_made_is_told_of(k, p, told):
    with pytest.raises(ValueError, match=told):
        top_k_pseudo_labels(np.ones((3, 2)), k, p)


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="no finite numbers"):
        top_k_pseudo_labels([[np.nan, 1.0]], 1)
