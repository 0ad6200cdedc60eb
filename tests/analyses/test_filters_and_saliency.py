"""Filters and attributions of the packaged network on scikit-learn's photographs."""

from __future__ import annotations

import base64

import pytest
import torch
from PIL import Image

from analyses import feature_maps, pictures
from analyses.pictures import DRAWN, array_of, drawn, heat, png
from results.store import Store


def test_filters_and_maps_are_drawn_as_many_as_are_asked(convstudy, tmp_path):
    finished = convstudy("run", "interpretation.filters", "--set", "shown=10", "--set", "size=64")
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("interpretation.filters", "custom")
    assert len(result.figures["filters"].pictures) == result.metrics["filters/count"].value == 32
    assert len(result.figures["first_maps"].pictures) == 11
    assert len(result.figures["last_maps"].pictures) == 2 * 10
    assert result.metrics["last/channels"].value == 1280
    assert "CC BY" in result.figures["first_maps"].caption
    assert "SHA-256 5793442" in result.provenance.note


def drawn_maps(values: torch.Tensor) -> dict:
    """An outcome whose last convolution has one drawn map of these values, (8, 8)."""
    photograph = png(torch.full((3, DRAWN, DRAWN), 200, dtype=torch.uint8))
    enlarged = drawn(values[None])[0]
    place = {"shape": [9, 8, 8], "channels": [4], "maps": [heat(enlarged)], "zero": 0.5, "silent": 0.1}
    return {"photograph": photograph, "said": [["cat", 1.0]], "first": place, "last": place, "filters": []}


def test_maps_that_end_at_the_limit_of_their_activation_are_told_from_a_scale_that_ends():
    slope = torch.arange(64).float().view(8, 8) / 8
    limited = drawn_maps(slope.clamp(max=6))  # from 48 of 64 positions on
    metrics = feature_maps.map_metrics(limited, "tf_efficientnet_lite0")
    assert metrics["last/limit"].value == 6
    assert metrics["last/at_limit"].value == 16 / 64
    assert feature_maps.map_findings(metrics, "cat")["last_maps_reach_limit"].holds
    for outcome, architecture in ((drawn_maps(slope), "tf_efficientnet_lite0"), (limited, "resnet18")):
        found = feature_maps.map_metrics(outcome, architecture)
        assert "last/limit" not in found
        assert not feature_maps.map_findings(found, "cat")["last_maps_reach_limit"].holds


def test_what_lies_below_the_limit_is_drawn_darker_and_the_photograph_as_bright_as_the_map():
    outcome = drawn_maps((torch.arange(64).float().view(8, 8) / 8).clamp(max=6))
    grey, seen = (
        array_of(picture.png)
        for picture in feature_maps.map_figures(outcome, "a network", "cat", "tf_efficientnet_lite0")[
            "last_maps"
        ].pictures
    )
    assert sorted(set(grey.flatten().tolist()))[-2:] == [round(0.65 * 250), 255]  # 5.875 of 6, and 6
    assert seen[:, 0, 0].tolist() == [0, 0, 0]
    assert seen[:, -1, -1].tolist() == [200, 200, 200]


def test_what_maps_share_is_where_they_are_large():
    values = torch.zeros(8, 8)
    values[2:6, 2:6] = 3.0
    metrics = feature_maps.map_metrics(drawn_maps(values), "resnet18")
    assert (metrics["last/middle"].value, metrics["last/border"].value) == (1.0, 0.0)
    assert feature_maps.map_findings(metrics, "cat")["last_maps_share_the_middle"].holds
    elsewhere = feature_maps.map_metrics(drawn_maps(3.0 - values), "resnet18")
    assert not feature_maps.map_findings(elsewhere, "cat")["last_maps_share_the_middle"].holds


def test_the_sanity_check_measures_every_method_at_every_depth(convstudy, tmp_path):
    finished = convstudy(
        *("run", "interpretation.saliency", "--profile", "quick", "--jobs", "1", "--set", "seeds=1"),
        *("--set", 'images=["flower"]', "--set", "size=64"),
    )
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("interpretation.saliency", "custom")
    for method in ("gradient", "guided", "integrated"):
        for depth in ("head", "quarter", "half", "all"):
            assert -1 <= result.metrics[f"{method}/likeness/{depth}"].value <= 1
    pictures = result.figures["maps"].pictures
    assert len(pictures) == 1 + 2 * 3  # the photograph; learned and random weights
    assert all(base64.b64decode(one.png).startswith(b"\x89PNG") for one in pictures)


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_a_tiny_image_of_ones_own_is_taken(convstudy, tmp_path, mode):
    Image.new("RGB", (5, 4), (200, 30, 30)).convert(mode).save(tmp_path / "own.png")
    finished = convstudy("run", "interpretation.filters", "--set", "image=file:own.png", "--set", "size=32")
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("image=file:nowhere.png", "nowhere.png cannot be read as an image"),
        ("weights=imagenet", "its weights are called lite0"),
        ("size=8", "greater than or equal to 32"),
        ("shown=3", "greater than or equal to 10"),
    ],
)
def test_what_cannot_be_interpreted_is_told_in_a_sentence(convstudy, setting, told):
    finished = convstudy("run", "interpretation.filters", "--set", setting)
    assert finished.returncode in (1, 2)
    assert told in finished.stderr
    assert "Traceback" not in finished.stderr


def test_the_photographers_of_a_figure_are_named_once():
    assert pictures.credit("flower") == " Photograph: vultilion, CC BY 2.0."
    assert pictures.credit("flower", "china", "flower", "own.png") == (
        " Photographs: vultilion, CC BY 2.0; danielbuechele, CC BY 2.0."
    )
    assert pictures.credit("own.png") == ""
