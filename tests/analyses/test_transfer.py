"""The transfer experiments: parts that share nothing, features that are kept, and a small real sweep."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import analyses
from analyses.transfer import _transfer as transfer
from analyses.transfer._transfer import Domain, kept_features
from lab import weights
from lab.datasets import DataError
from results.store import Store

DIGITS = Domain(name="digits", split="train", size=32, images=40, mirror=False)


def folder_of_tracks(root):
    """Two classes of four tracks of five frames each."""
    random = np.random.default_rng(0)
    for kind in ("stop", "yield"):
        (root / kind).mkdir(parents=True)
        for track in range(4):
            for frame in range(5):
                pixels = random.integers(0, 255, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / kind / f"{track:05d}_{frame:05d}.png")
    return root


def test_no_image_is_in_two_parts_and_the_training_images_are_as_many_as_asked():
    parts = transfer.load(DIGITS)
    files = [set(part.files) for part in parts]
    assert not files[0] & files[1] and not files[0] & files[2] and not files[1] & files[2]
    assert len(parts.train) == 40
    assert np.bincount(parts.train.labels).tolist() == [4] * 10


def test_frames_of_a_track_stay_together(tmp_path):
    name = f"folder:{folder_of_tracks(tmp_path / 'signs')}"
    domain = Domain(name=name, tracks=True, size=32, test=0.25, validation=0.3)
    parts = transfer.load(domain)
    tracks = [{file.rpartition("_")[0] for file in part.files} for part in parts]
    assert [len(part) for part in parts] == [20, 10, 10]
    assert not tracks[0] & tracks[1] and not tracks[0] & tracks[2] and not tracks[1] & tracks[2]


def test_features_are_made_once_and_again_for_other_pixels_weights_or_mirroring(monkeypatch, tmp_path):
    monkeypatch.setenv("CONVSTUDY_CACHE", str(tmp_path))
    images = transfer.load(DIGITS).train
    network = weights.load("lite0", size=32)
    first = kept_features(network, images.images)
    assert first.shape == (40, 1280)
    made = []
    plain = weights.features
    monkeypatch.setattr(weights, "features", lambda *a, **k: made.append(1) or plain(*a, **k))
    assert torch.equal(kept_features(network, images.images), first)
    assert not made
    assert not torch.equal(kept_features(network, images.images, mirrored=True), first)
    kept_features(network, images.select(range(5)).images)
    assert len(made) == 2
    (file,) = (one for one in tmp_path.rglob("*.npy") if np.load(one).shape == (5, 1280))
    file.write_bytes(file.read_bytes()[:100])
    assert kept_features(network, images.select(range(5)).images).shape == (5, 1280)
    assert len(made) == 3
    random = weights.load("none", "resnet18", size=32)
    kept_features(random, images.select(range(5)).images)
    kept_features(random, images.select(range(5)).images)
    assert len(made) == 5


def test_a_full_sweep_has_the_settings_of_the_protocol():
    parameters = analyses.get("transfer.learning_rates").parameters("full")
    assert sorted(parameters.settings()) == sorted(
        [("finetune", rate) for rate in (0.001, 0.01, 0.1)]
        + [("head", rate) for rate in (1, 0.1, 0.01, 0.001)]
    )
    for kind in ("head", "finetune"):
        recipe = parameters.recipe(kind, next(iter(parameters.domains.values())))
        assert (recipe["epochs"], recipe["milestones"], recipe["batch"]) == (60, (15, 30, 45), 64)


SMALL = (
    *("--set", "domains.digits.images=40", "--set", "head_epochs=4"),
    *("--jobs", "1"),
)


def test_a_small_sweep_has_its_metrics_and_shows_what_diverged(convstudy, tmp_path):
    finished = convstudy(
        *("run", "transfer.learning_rates", "--profile", "quick", *SMALL),
        *("--set", "finetune_rates=[0.01, 1000]", "--set", "head_rates=[0.1]"),
        *("--set", "finetune_epochs=3", "--set", "batch=8", "--set", "seeds=1"),
    )
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("transfer.learning_rates", "custom")
    names = ("finetune/0.01/test_accuracy", "head/0.1/test_accuracy", "winner/test_accuracy", "winner/gain")
    assert {*names} <= set(result.metrics)
    rows = {(row.cells["trained"], row.cells["rate"]): row.cells for row in result.tables["results"].rows}
    assert rows["All layers", 1_000]["diverged"] == 1
    assert rows["Last layer", 0.1]["diverged"] == 0
    assert not result.findings["no_run_diverged"].holds
    assert weights.LITE0_SHA256 in result.provenance.note


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("weights=lite1", "failed in cell digits/heads: weights are lite0, imagenet, file:PATH or none"),
        ("domains.digits.size=8", "greater than or equal to 32"),
        ("seeds=0", "greater than or equal to 1"),
        ("head_rates=[0.1,-1]", "greater than 0"),
    ],
)
def test_a_choice_without_sense_is_told_in_a_sentence(convstudy, setting, told):
    finished = convstudy("run", "transfer.learning_rates", "--profile", "quick", "--set", setting, *SMALL)
    assert finished.returncode in (1, 2)
    assert told in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_class_that_is_too_small_is_named(tmp_path):
    root = folder_of_tracks(tmp_path / "signs")
    for file in sorted((root / "stop").iterdir())[1:]:
        file.unlink()
    with pytest.raises(DataError, match="the class stop has 1 images, too few"):
        transfer.load(Domain(name=f"folder:{root}", size=32))


FACES = (
    *("run", "transfer.facescrub", "--profile", "quick", "--jobs", "1", "--set", "seeds=2"),
    *("--set", "mlp_epochs=2", "--set", "head_epochs=2"),
)


def test_people_are_told_apart_in_four_ways_on_a_small_set(convstudy, tmp_path):
    finished = convstudy(*FACES)
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("transfer.facescrub", "custom")
    for name in ("mlp30", "mlp80", "mlp30_l2", "mlp80_l2", "conv4", "finetuned"):
        assert 0 <= result.metrics[f"{name}/test_accuracy"].value <= 1
    assert result.metrics["data/train"].value == 10 * result.metrics["data/person"].value
    worked = result.figures["worked"].series[0].y
    assert sum(worked) == pytest.approx(1, abs=1e-3)
    assert len(result.figures["units"].pictures) == 8  # digits may be published


def test_a_person_with_too_few_images_is_named(convstudy):
    finished = convstudy(*FACES, "--set", "person=500")
    assert finished.returncode == 1
    assert "0 has 1" in finished.stderr and "too few for 500" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_faces_and_small_grey_faces_are_split_alike():
    from analyses.transfer import facescrub

    small, large = (
        facescrub._parts("digits", "train", "refuse", 20, 0, *form) for form in ((16, True), (32, False))
    )
    assert [part.files for part in small] == [part.files for part in large]
    assert [part.images.shape[1:] for part in (small[0], large[0])] == [(1, 16, 16), (3, 32, 32)]
    assert np.bincount(small[0].labels).tolist() == [20] * 10


LAST_STAGE = (
    *("run", "transfer.cifar10_resnet18", "--profile", "quick", "--jobs", "1"),
    *("--set", "data.train=60", "--set", "data.validation=40", "--set", "own_epochs=1"),
)


def test_a_last_stage_is_trained_beside_networks_from_scratch(convstudy, tmp_path):
    finished = convstudy(*LAST_STAGE, "--set", "seeds=1")
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("transfer.cifar10_resnet18", "custom")
    metrics = result.metrics
    assert metrics["pretrained/trained"].value < metrics["pretrained/parameters"].value / 3
    assert metrics["resnet18/trained"].value == metrics["resnet18/parameters"].value == 11_181_642
    assert {f"{name}/test_accuracy" for name in ("resnet18", "pretrained", "design_b")} <= set(metrics)
    assert not result.findings["protocol_network"].holds
    assert [len(one.x) for one in result.figures["courses"].series] == [2, 2, 1]
    assert f"SHA-256 {weights.LITE0_SHA256}" in result.provenance.note


def test_with_weights_the_last_stage_of_resnet18_is_trained_by_protocol(convstudy, tmp_path):
    file = tmp_path / "resnet18.pt"
    torch.save(weights.load("none", "resnet18").model.state_dict(), file)
    finished = convstudy(
        *(*LAST_STAGE, "--set", "seeds=1", "--set", "resnet18.layer=layer3"),
        *("--set", f"resnet18.weights=file:{file}"),
    )
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("transfer.cifar10_resnet18", "custom")
    assert result.findings["protocol_network"].holds
    assert result.metrics["resnet18/trained"].value == 8_393_728 + 5_130  # layer4 and the last layer


def test_a_stage_that_a_network_does_not_have_is_named(convstudy):
    finished = convstudy(*LAST_STAGE, "--set", "pretrained.layer=blocks.9")
    assert finished.returncode == 1
    assert "has no layer 'blocks.9'" in finished.stderr and "Traceback" not in finished.stderr
