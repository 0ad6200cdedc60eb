"""Average precision: by hand, by its definitions, and beside scikit-learn and pycocotools."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from lab import average_precision as ap
from lab.detection import average_precision as by_pycocotools
from lab.detection import iou

RANKINGS = st.lists(st.booleans(), min_size=1, max_size=40)


def test_an_example_by_hand():
    precision, recall = ap.precision_and_recall([True, False, False, True, True, False], truths=4)
    assert precision == pytest.approx([1, 1 / 2, 1 / 3, 1 / 2, 3 / 5, 1 / 2])
    assert recall == pytest.approx([1 / 4, 1 / 4, 1 / 4, 1 / 2, 3 / 4, 3 / 4])
    assert ap.envelope(precision) == pytest.approx([1, 3 / 5, 3 / 5, 3 / 5, 3 / 5, 1 / 2])
    assert ap.area(precision, recall) == pytest.approx(1 / 4 + 1 / 8 + 3 / 20)
    assert ap.area(ap.envelope(precision), recall) == pytest.approx(1 / 4 + 3 / 10)
    # 0, 0.1, 0.2 at a height of 1, and 0.3 to 0.7 at one of 3/5
    assert ap.mean_at(precision, recall, 11) == pytest.approx((3 + 5 * 3 / 5) / 11)
    assert ap.mean_at(precision, recall, 101) == pytest.approx((26 + 50 * 3 / 5) / 101)


@given(RANKINGS)
def test_the_area_without_envelope_is_that_of_scikit_learn(right):
    assume(any(right))
    precision, recall = ap.precision_and_recall(right, truths=sum(right))
    scores = -np.arange(len(right))
    assert ap.area(precision, recall) == pytest.approx(average_precision_score(right, scores))


@given(RANKINGS, st.integers(0, 10), st.sampled_from([11, 101]))
def test_points_and_area_follow_their_definitions(right, missed, points):
    truths = max(1, sum(right) + missed)
    precision, recall = ap.precision_and_recall(right, truths)

    def height(at: float) -> float:
        return max((p for p, r in zip(precision, recall, strict=True) if r >= at), default=0.0)

    expected = np.mean([height(k / (points - 1)) for k in range(points)])
    assert ap.mean_at(precision, recall, points) == pytest.approx(expected)
    # the envelope is constant between the recalls that can be reached, k ÷ truths
    middles = (np.arange(truths) + 0.5) / truths
    area = ap.area(ap.envelope(precision), recall)
    assert area == pytest.approx(np.mean([height(middle) for middle in middles]))
    assert ap.area(precision, recall) <= area + 1e-12


@settings(max_examples=50)
@given(st.integers(0, 1_000))
def test_one_object_an_image_measures_as_pycocotools_does(seed):
    generator = torch.Generator().manual_seed(seed)
    images, shown = 12, 30
    truth = 24 + 12 * torch.rand(images, 3, generator=generator)
    on = torch.randint(images, (shown,), generator=generator)
    boxes = truth[on] + 6 * torch.randn(shown, 3, generator=generator)
    boxes[:, 2].clamp_(min=4)
    scores = torch.rand(shown, generator=generator).sort(descending=True).values
    shares = iou(boxes, truth) * (on[:, None] == torch.arange(images))
    none = torch.zeros(images, dtype=torch.int64)
    at_half, over_all = by_pycocotools(truth, none, boxes, scores, on, none[:1].expand(shown))

    def measured(threshold: float) -> float:
        right = [found is not None for found in ap.matches(shares, threshold)]
        return ap.mean_at(*ap.precision_and_recall(right, images), 101)

    found = [measured(0.5 + 0.05 * step) for step in range(10)]
    assert found[0] == pytest.approx(at_half)
    assert np.mean(found) == pytest.approx(over_all)


def test_a_true_box_is_found_once():
    assert ap.matches([[0.9], [0.8]], 0.5) == [0, None]


def test_a_detection_finds_the_best_of_those_left():
    assert ap.matches([[0.6, 0.7], [0.6, 0.9], [0.4, 0.0]], 0.5) == [1, 0, None]
    assert ap.matches([[0.5]], 0.5) == [0]


def test_what_is_not_defined_is_refused():
    with pytest.raises(ValueError, match="at least one true box"):
        ap.precision_and_recall([False], 0)
    with pytest.raises(ValueError, match=r"not 1\.5"):
        ap.matches([[0.5]], 1.5)
