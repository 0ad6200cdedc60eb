"""Pictures of data that may not be passed on: drawn on this machine, shown there, a sentence elsewhere."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from analyses.classification.cifar10_baseline import analysis
from engine.media import draw
from lab.datasets import scenes
from results.schema import Picture, Pictures, Provenance, Result
from results.store import MissingResult, ResultError, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """With a result of an experiment on embedded data, whose pictures need no outcome."""
    store = Store(tmp_path / "results")
    parameters = analysis.parameters("quick").model_dump(mode="json")
    provenance = Provenance(
        analysis_version="1", source_hash="0" * 64, cache_key="1" * 64, parameters=parameters
    )
    store.write(
        Result(analysis=analysis.id, title="T", question="Q?", profile="quick", provenance=provenance)
    )
    return store


def test_pictures_are_drawn_beside_the_result_and_belong_to_it_in_reports(store: Store) -> None:
    before = store.path(analysis.id, "quick").read_bytes()
    (drawn,) = draw(analysis, store)
    assert drawn == store.root / "quick" / "media" / f"{analysis.id}.json"
    assert store.path(analysis.id, "quick").read_bytes() == before
    plain = store.read(analysis.id, "quick")
    assert not plain.figures
    samples = store.illustrated(plain).figures["samples"]
    assert isinstance(samples, Pictures)
    assert [one.title for one in samples.pictures] == list(scenes.SHAPES)
    assert size_of(samples.pictures[0]) == (32, 32)


def size_of(picture: Picture) -> tuple[int, int]:
    return Image.open(io.BytesIO(base64.b64decode(picture.png))).size


def test_without_a_result_there_is_nothing_to_draw_for(tmp_path: Path) -> None:
    with pytest.raises(MissingResult, match=r"no result of classification.cifar10_baseline"):
        next(draw(analysis, Store(tmp_path)))


def test_a_damaged_file_of_pictures_is_refused_by_name(store: Store) -> None:
    (drawn,) = draw(analysis, store)
    drawn.write_text(drawn.read_text().replace("samples", "sampels", 1))
    with pytest.raises(ResultError, match=r"changed after it was written.*--media"):
        store.illustrated(store.read(analysis.id, "quick"))


def test_the_command_draws_and_says_where(convstudy, store: Store) -> None:
    finished = convstudy("run", analysis.id, "--media", results=store.root)
    assert finished.returncode == 0, finished.stderr
    assert "classification.cifar10_baseline: drawn in" in finished.stdout


def test_an_analysis_without_pictures_is_one_sentence(convstudy) -> None:
    finished = convstudy("run", "architecture.vgg19", "--media")
    assert finished.returncode == 2
    assert "architecture.vgg19 has no pictures of its data to draw" in finished.stderr


def test_pictures_are_drawn_for_what_is_recorded_alone(convstudy, store: Store) -> None:
    finished = convstudy("run", analysis.id, "--media", "--set", "epochs=1", results=store.root)
    assert (finished.returncode, "leave out --set" in finished.stderr) == (2, True)
