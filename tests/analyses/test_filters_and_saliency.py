"""Filters and attributions of the packaged network on scikit-learn's photographs."""

from __future__ import annotations

import base64

import pytest
from PIL import Image

from results.store import Store


def test_filters_and_maps_are_drawn_as_many_as_are_asked(convstudy, tmp_path):
    finished = convstudy("run", "interpretation.filters", "--set", "shown=10", "--set", "size=64")
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("interpretation.filters", "custom")
    assert len(result.figures["filters"].pictures) == result.metrics["filters/count"].value == 32
    for name in ("first_maps", "last_maps"):
        assert len(result.figures[name].pictures) == 11
    assert result.metrics["last/channels"].value == 1280
    assert "CC BY" in result.figures["first_maps"].caption
    assert "SHA-256 5793442" in result.provenance.note


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
