"""Boxes, masks, suppression, crops and average precision, against plain versions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.ops import roi_align

from analyses.boxes import iou as plain_iou
from analyses.boxes import suppressed
from lab.datasets import scenes
from lab.detection import (
    CANVAS,
    STRIDE,
    DetectionObjective,
    anchors,
    average_precision,
    corners,
    coverage,
    crop,
    decode,
    encode,
    iou,
    mask,
    paired_iou,
    suppress,
    theta,
)
from lab.networks import base
from lab.networks.detector import START, Detector, ProposalNetwork, best

place = st.floats(0, CANVAS, width=32)
width = st.floats(4, CANVAS, width=32)
box = st.tuples(place, place, width)
share = st.floats(0, 1)
inside = st.builds(
    lambda side, down, right: (side / 2 + down * (CANVAS - side), side / 2 + right * (CANVAS - side), side),
    width,
    share,
    share,
)


@given(box, box)
def test_iou_is_what_is_worked_out_by_hand(first, second):
    found = iou(torch.tensor([first]), torch.tensor([second])).item()
    assert found == pytest.approx(plain_iou(first, second), abs=1e-5)
    assert paired_iou(torch.tensor([first]), torch.tensor([second])).item() == pytest.approx(found, abs=1e-5)


def test_iou_counts_pixels_of_boxes_on_the_grid():
    rows, columns = np.mgrid[:CANVAS, :CANVAS]

    def pixels(row, column, side):
        return (abs(rows + 0.5 - row) < side / 2) & (abs(columns + 0.5 - column) < side / 2)

    for first, second in (
        ((24, 24, 32), (20, 28, 24)),
        ((12, 12, 24), (36, 36, 24)),
        ((24, 24, 40), (24, 24, 24)),
    ):
        a, b = pixels(*first), pixels(*second)
        expected = (a & b).sum() / (a | b).sum()
        assert iou(torch.tensor([first]), torch.tensor([second])).item() == pytest.approx(expected)


@given(box, st.sampled_from([0.3, 0.5, 0.7]))
def test_the_mask_is_that_of_a_plain_loop(one, positive):
    found = mask(torch.tensor([one]), positive)[0].tolist()
    for cell, said in enumerate(found):
        row, column = STRIDE * (cell // 6) + 4, STRIDE * (cell % 6) + 4
        share = plain_iou(one, (row, column, 32))
        if min(abs(share - positive), abs(share - 0.1)) > 1e-5:
            assert said == (1 if share > positive else 0 if share <= 0.1 else -1)


@pytest.mark.parametrize("thresholds", [(0.1, 0.5), (1.2, 0.1), (0.5, -0.1)])
def test_a_mask_without_sense_is_refused(thresholds):
    with pytest.raises(ValueError, match="0 ≤ negative ≤ positive ≤ 1"):
        mask(torch.tensor([[24.0, 24.0, 32.0]]), *thresholds)


def test_the_published_threshold_leaves_nearly_half_of_the_images_without_a_positive_cell():
    boxes = torch.from_numpy(scenes.boxes(10_000, 0)).float()
    assert coverage(boxes, 0.5) == 1
    assert 0.5 < coverage(boxes, 0.7) < 0.6


@given(box, box)
def test_decoding_undoes_encoding(one, around):
    one, around = torch.tensor([one]), torch.tensor([around])
    torch.testing.assert_close(decode(encode(one, around), around), one, rtol=1e-4, atol=1e-3)


@given(st.lists(st.tuples(box, st.floats(0, 1, width=32)), min_size=1, max_size=12), st.floats(0, 1))
def test_suppression_is_that_of_a_plain_loop(scored, threshold):
    scores = torch.tensor([score for _, score in scored])
    boxes = torch.tensor([one for one, _ in scored])
    order = scores.argsort(descending=True, stable=True).tolist()
    overlaps = iou(boxes, boxes)
    near = ((overlaps - threshold).abs() < 1e-5).any()
    if len(set(scores.tolist())) == len(scored) and not near:
        expected = [order[place] for place in suppressed([scored[n][0] for n in order], threshold)]
        assert suppress(boxes, scores, threshold).tolist() == expected


@pytest.mark.parametrize("threshold", [-0.1, 1.1])
def test_a_threshold_outside_of_0_to_1_is_refused(threshold):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):
        suppress(torch.tensor([[24.0, 24.0, 32.0]]), torch.tensor([0.5]), threshold)


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="finite"):
        suppress(torch.tensor([[24.0, 24.0, 32.0]]), torch.tensor([float("nan")]), 0.5)


@given(st.lists(inside, min_size=1, max_size=4), st.integers(0, 99))
def test_the_spatial_transformer_sees_what_roi_align_sees(boxes, seed):
    features = torch.randn(len(boxes), 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    boxes = torch.tensor(boxes)
    rois = torch.cat([torch.arange(len(boxes))[:, None].float(), corners(boxes)], 1)
    aligned = roi_align(features, rois, 4, 1 / STRIDE, sampling_ratio=1, aligned=True)
    torch.testing.assert_close(crop(features, theta(boxes), 4), aligned, rtol=1e-4, atol=1e-5)


def test_average_precision_of_perfect_wrong_and_half_right_detections():
    truth = torch.tensor([[24.0, 24.0, 32.0], [20.0, 20.0, 24.0]])
    kinds, images = torch.tensor([0, 1]), torch.tensor([0, 1])
    scores = torch.tensor([0.9, 0.8])
    assert average_precision(truth, kinds, truth, scores, images, kinds) == pytest.approx((1, 1))
    assert average_precision(truth, kinds, truth, scores, images, 1 - kinds) == (0.0, 0.0)
    moved = truth + torch.tensor([[3.2, 0.0, 0.0], [30.0, 0.0, 0.0]])  # IoU 0.818, and none
    at_half, at_all = average_precision(truth, kinds, moved, scores, images, kinds)
    assert at_half == pytest.approx(0.5)
    assert at_all == pytest.approx(0.5 * 7 / 10)
    none = torch.zeros(0, dtype=torch.int64)
    assert average_precision(truth, kinds, truth[:0], scores[:0], none, none) == (0.0, 0.0)


def test_drawn_boxes_lie_on_the_canvas_and_are_of_all_widths():
    boxes = scenes.boxes(20_000, 1)
    row, column, side = boxes.T
    assert set(side.tolist()) == set(range(24, 41))
    for centre in (row, column):
        assert (centre - side // 2).min() == 0
        assert (centre + (side + 1) // 2).max() == CANVAS
        assert (centre.min(), centre.max()) == (12, 36)
    assert (scenes.boxes(20_000, 1) == boxes).all()


@pytest.mark.parametrize("stage", [base.plain, base.separable, base.linear_separable, base.Residual])
def test_a_detector_begins_at_the_middle_and_looks_where_it_is_told(stage):
    torch.manual_seed(0)
    model = Detector(stage).eval()
    seen = model(torch.randn(2, 3, CANVAS, CANVAS))
    assert seen.objectness.shape == (2, 36)
    assert seen.boxes.shape == (2, 36, 3)
    assert (seen.boxes.mean((0, 1)) - torch.tensor(START)).abs().max() < 2
    assert torch.equal(seen.looked_at, best(seen))
    elsewhere = torch.tensor([[12.0, 12.0, 24.0], [36.0, 36.0, 24.0]])
    told = model(torch.randn(2, 3, CANVAS, CANVAS), elsewhere)
    assert torch.equal(told.looked_at, elsewhere)
    assert told.logits.shape == (2, 10)


def test_both_ways_to_look_give_the_same_logits_and_only_one_moves_the_box():
    torch.manual_seed(0)
    one = Detector(base.plain).eval()
    other = Detector(base.plain, by="roi_align").eval()
    other.load_state_dict(one.state_dict())
    images = torch.randn(4, 3, CANVAS, CANVAS)
    torch.testing.assert_close(one(images).logits, other(images).logits, rtol=1e-4, atol=1e-5)
    for model, moves in ((one, True), (other, False)):
        model.zero_grad()
        model(images).logits.sum().backward()
        assert (model.box.weight.grad is not None and bool(model.box.weight.grad.abs().sum() > 0)) == moves


def test_the_objective_adds_its_three_parts_by_weight_and_asks_nothing_between():
    torch.manual_seed(0)
    model = Detector(base.plain).eval()
    images = torch.randn(3, 3, CANVAS, CANVAS)
    labels = torch.tensor([[0, 24, 24, 32], [1, 12, 12, 24], [2, 28, 20, 40]])
    loss, told = DetectionObjective(weights=(2.0, 3.0, 5.0))(model, images, labels)
    parts = 2 * told["objectness_loss"] + 3 * told["box_loss"] + 5 * told["class_loss"]
    torch.testing.assert_close(loss, parts)
    asked = mask(labels[:, 1:].float())
    seen = model(images)
    right = ((seen.objectness > 0) == (asked == 1))[asked >= 0].float().mean()
    torch.testing.assert_close(told["pointwise_accuracy"], right)
    positive = asked == 1
    offsets = encode(seen.boxes, anchors()) - encode(labels[:, None, 1:].float().expand(3, 36, 3), anchors())
    smooth = torch.where(offsets.abs() < 1, offsets**2 / 2, offsets.abs() - 0.5)
    torch.testing.assert_close(told["box_loss"], smooth[positive].mean())


def test_a_network_without_a_head_is_judged_by_its_cells():
    model = ProposalNetwork(base.plain)
    _, told = DetectionObjective(weights=(1.0, 1.0, 0.0))(
        model, torch.randn(2, 3, CANVAS, CANVAS), torch.tensor([[0, 24, 24, 32], [1, 12, 12, 24]])
    )
    assert "class_loss" not in told
    assert told["accuracy"] == told["pointwise_accuracy"]
