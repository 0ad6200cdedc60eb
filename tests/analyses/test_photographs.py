"""Photographs of one's own, from the folder to the page; and what every analysis says of its parameters."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import analyses
from analyses.classification._photographs_transfer import distinct_samples
from analyses.parameter_help import parameter_rows
from analyses.plugin import Context
from analyses.size_settings import settings_by_size
from engine.execution import _noted
from lab.datasets import ImageSet
from results.schema import Dataset

KINDS = ("disc", "stripes", "noise")


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVSTUDY_CACHE", str(tmp_path / "cache"))
    drawn = np.random.default_rng(0)
    rows, columns = np.mgrid[:48, :64]
    for kind in KINDS:
        (tmp_path / "my photos" / kind).mkdir(parents=True)
        for number in range(12):
            shade = drawn.integers(0, 120, (48, 64, 3), dtype=np.uint8)
            if kind == "disc":
                shade[(rows - 24) ** 2 + (columns - 30 - number) ** 2 < 200] = 230
            if kind == "stripes":
                shade[(columns + number) % 12 < 6] = 200
            Image.fromarray(shade).save(tmp_path / "my photos" / kind / f"{number}.png")
    (tmp_path / "my photos" / "disc" / "film.mp4").write_bytes(b"no picture")
    return tmp_path / "my photos"


def test_a_folder_becomes_a_result_that_speaks_of_it(photos, tmp_path):
    (photos / "noise" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    plugin = analyses.get("classification.photographs")
    name = f"folder:{photos}"
    chosen = plugin.parameters("quick")
    own = dict(one.split("=") for one in settings_by_size(chosen, [f"data.name={name}", "data.damaged=skip"]))
    sizes = {part: int(own[f"data.{part}"]) for part in ("train", "validation", "test")}
    assert sum(sizes.values()) == 36
    data = chosen.data.model_copy(update={"name": name, "subset": "all", "damaged": "skip", **sizes})
    parameters = chosen.model_copy(update={"data": data, "epochs": 1, "penalties": (100.0,)})
    plugin.check(parameters)
    context = Context(scratch=tmp_path)
    outcomes = {cell.id: plugin.run(cell, context) for cell in plugin.plan(parameters)}
    summary = plugin.summarize(parameters, outcomes)
    title, question = plugin.headings(parameters)
    assert "my photos" in title
    assert "my photos" in question
    assert summary.metrics["data/images"].value == 36
    assert summary.metrics["data/classes"].value == 3
    assert 0 <= summary.metrics["transfer/test_accuracy"].value <= 1
    assert len(summary.figures["samples"].pictures) == 3
    assert summary.figures["confusion"].x.categories == tuple(sorted(KINDS))
    assert "CIFAR" not in repr(summary)
    notes = summary.data_notes
    assert ".mp4" in notes[0]
    assert notes[1:] == ("1 image was left out (not to be decoded): noise/broken.png",)
    (dataset,) = _noted([Dataset(name="my photos", fingerprint="f", notes=notes[:1])], notes)
    assert dataset.notes == notes
    wrong = summary.metrics["transfer/mistakes"].value
    assert len(summary.figures["mistakes"].pictures if wrong else ()) == min(wrong, 8)
    assert len(summary.figures["attributed"].pictures) in (2, 4)


def test_a_sample_is_shown_of_each_class_that_no_other_class_shows():
    shades = (3, 7, 3, 3, 5, 7)
    images = np.array([np.full((3, 4, 4), shade) for shade in shades], np.uint8)
    labels = np.array([0, 0, 1, 1, 1, 2])
    train = ImageSet("n", "all", images, labels, ("a", "b", "c"), tuple("uvwxyz"), "f", "", True)
    assert distinct_samples(train, 3) == [0, 4, 5]


def test_images_that_are_skipped_are_not_counted_on(photos):
    (photos / "noise" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    plugin = analyses.get("classification.photographs")
    settings = [f"data.name=folder:{photos}", "data.damaged=skip"]
    own = dict(one.split("=", 1) for one in settings_by_size(plugin.parameters("quick"), settings))
    assert sum(int(own[f"data.{part}"]) for part in ("train", "validation", "test")) == 36


def test_titles_name_the_data_that_was_used(photos):
    for identifier in ("classification.cifar10_baseline", "classification.cifar10_designs"):
        plugin = analyses.get(identifier)
        parameters = plugin.parameters("full")
        assert plugin.headings(parameters) == (plugin.title, plugin.question)
        own = parameters.model_copy(
            update={"data": parameters.data.model_copy(update={"name": f"folder:{photos}"})}
        )
        title, question = plugin.headings(own)
        assert "my photos" in title
        assert "CIFAR" not in title + question


def test_one_data_set_takes_the_place_of_the_domains():
    plugin = analyses.get("transfer.learning_rates")
    parameters = type(plugin.parameters("full")).model_validate({"data": {"name": "folder:/x/pets"}})
    assert plugin.datasets(parameters) == ("folder:/x/pets",)
    assert list(parameters.used) == ["pets"]
    assert plugin.datasets(plugin.parameters("full")) == ("dtd10", "gtsrb")


@pytest.mark.parametrize("identifier", analyses.identifiers())
def test_every_parameter_is_listed_with_its_default_and_meaning(identifier):
    plugin = analyses.get(identifier)
    rows = parameter_rows(plugin)
    assert all(row["meaning"] and row["full"] for row in rows)
    cut = [row for row in rows if row["meaning"][-1] in ";:," or row["meaning"].endswith("of that")]
    assert cut == []  # a meaning is a phrase that stands alone
    listed = {row["parameter"].split(".")[0] for row in rows}
    assert listed == set(type(plugin.parameters("full")).model_fields)


def test_the_parameters_are_printed_on_the_command_line():
    import subprocess

    runner = Path(__file__).resolve().parents[2] / "runner.py"
    finished = subprocess.run(
        [sys.executable, str(runner), "list", "classification.photographs"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "data.name" in finished.stdout
    assert "folder:PATH" in finished.stdout
