"""The cost of a detector against a measured run, and against its own real forward."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lab import models
from lab.detection_cost import detection_cost


def test_faster_rcnn_is_a_plus_b_proposals():
    """Measured: 134.37972 G with 1000 proposals, 127.70 G with 535 (COUNTING, 2.1 and B4)."""
    cost = detection_cost(models.load("fasterrcnn_resnet50_fpn"), (3, 224, 224))
    assert cost.resized == (3, 800, 800)
    assert cost.fixed.uncounted == ()
    assert (cost.fixed.macs, cost.proposal.macs, cost.detection) == (120_020_169_216, 14_359_552, None)
    assert round(cost.macs(1000) / 1e9, 5) == 134.37972
    assert round(cost.macs(535) / 1e9, 2) == 127.70


def test_a_real_run_with_its_number_of_proposals_agrees():
    from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn as build

    torch.manual_seed(0)
    model = build(weights=None, weights_backbone=None, rpn_post_nms_top_n_test=20).eval()
    proposals: list[int] = []
    model.roi_heads.box_head.register_forward_pre_hook(lambda _, x: proposals.append(x[0].shape[0]))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model([torch.rand(3, 64, 64)])
    assert proposals[0] > 0
    assert 2 * detection_cost(model, (3, 64, 64)).macs(proposals[0]) == counter.get_total_flops()


def test_masks_cost_a_detection_and_one_stage_detectors_have_no_proposals():
    assert detection_cost(models.load("maskrcnn_resnet50_fpn"), (3, 64, 64)).detection.macs > 0
    cost = detection_cost(models.load("ssd300_vgg16"), (3, 64, 64))
    assert (cost.resized, cost.proposal, cost.macs(7)) == ((3, 300, 300), None, cost.fixed.macs)


def test_a_classifier_is_no_detector():
    with pytest.raises(TypeError, match="no detector"):
        detection_cost(nn.Linear(2, 2), (2,))
