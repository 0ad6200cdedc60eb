"""The transfer experiments: parts that share nothing, features that are kept, and a small real sweep."""

from __future__ import annotations

import copy
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import analyses
from analyses import domains
from analyses.domains import Domain
from analyses.transfer import _transfer as transfer
from lab import weights
from lab.datasets import DataError
from lab.features import cached_features
from results.store import Store
from tests.conftest import ROOT

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
    parts = domains.load(DIGITS)
    files = [set(part.files) for part in parts]
    assert not files[0] & files[1] and not files[0] & files[2] and not files[1] & files[2]
    assert len(parts.train) == 40
    assert np.bincount(parts.train.labels).tolist() == [4] * 10


def test_frames_of_a_track_stay_together(tmp_path):
    name = f"folder:{folder_of_tracks(tmp_path / 'signs')}"
    domain = Domain(name=name, tracks=True, size=32, test=0.25, validation=0.3)
    parts = domains.load(domain)
    tracks = [{file.rpartition("_")[0] for file in part.files} for part in parts]
    assert [len(part) for part in parts] == [20, 10, 10]
    assert not tracks[0] & tracks[1] and not tracks[0] & tracks[2] and not tracks[1] & tracks[2]


def test_features_are_made_once_and_again_for_other_pixels_weights_or_mirroring(monkeypatch, tmp_path):
    monkeypatch.setenv("CONVSTUDY_CACHE", str(tmp_path))
    images = domains.load(DIGITS).train
    network = weights.load("lite0", size=32)
    first = cached_features(network, images.images)
    assert first.shape == (40, 1280)
    made = []
    plain = weights.features
    monkeypatch.setattr(weights, "features", lambda *a, **k: made.append(1) or plain(*a, **k))
    assert torch.equal(cached_features(network, images.images), first)
    assert not made
    assert not torch.equal(cached_features(network, images.images, mirrored=True), first)
    cached_features(network, images.select(range(5)).images)
    assert len(made) == 2
    (file,) = (one for one in tmp_path.rglob("*.npy") if np.load(one).shape == (5, 1280))
    file.write_bytes(file.read_bytes()[:100])
    assert cached_features(network, images.select(range(5)).images).shape == (5, 1280)
    assert len(made) == 3
    random = weights.load("none", "resnet18", size=32)
    cached_features(random, images.select(range(5)).images)
    cached_features(random, images.select(range(5)).images)
    assert len(made) == 5


def test_a_full_sweep_has_the_settings_of_the_protocol():
    parameters = analyses.get("transfer.learning_rates").parameters("full")
    assert sorted(parameters.settings()) == sorted(
        [("finetune", rate) for rate in (0.001, 0.01, 0.1)]
        + [("head", rate) for rate in (1, 0.1, 0.01, 0.001)]
    )
    for kind in ("head", "finetune"):
        recipe = parameters.recipe(kind, next(iter(parameters.domains.values())))
        assert (recipe.epochs, recipe.milestones, recipe.batch) == (60, (15, 30, 45), 64)


SMALL = (
    *("--set", "domains.digits.images=40", "--set", "domains.digits.evaluated=60"),
    *("--jobs", "1"),
)


def test_a_small_sweep_has_its_metrics_and_shows_what_diverged(convstudy, tmp_path):
    finished = convstudy(
        *("run", "transfer.learning_rates", "--profile", "quick", *SMALL),
        *("--set", "finetune_rates=[0.01, 1000]", "--set", "head_rates=[0.1]"),
        *("--set", "finetune_epochs=3", "--set", "head_epochs=1", "--set", "batch=8", "--set", "seeds=1"),
    )
    assert finished.returncode == 0, finished.stderr
    store = Store(tmp_path / "results")
    result = store.read("transfer.learning_rates", "custom")
    names = ("finetune/0.01/test_accuracy", "head/0.1/test_accuracy", "winner/test_accuracy", "winner/gain")
    assert {*names} <= set(result.metrics)
    assert result.metrics["data/test"].value == result.metrics["winner/test_accuracy"].n == 60
    rows = {(row.cells["trained"], row.cells["rate"]): row.cells for row in result.tables["results"].rows}
    assert rows["Fine-tuning", 1_000]["diverged"] == 1
    assert rows["Frozen backbone", 0.1]["diverged"] == 0
    assert not result.findings["no_run_diverged"].holds
    assert not result.findings["equal_epochs"].holds
    assert weights.PACKAGED["lite0"].sha256 in result.provenance.note
    choices = {row.cells["choice"]: row.cells for row in result.tables["recipe"].rows}
    assert choices["Learning rate"]["recipe0"] == (
        "one of 0.01, 1000; multiplied by 0.1 after epochs 1 and 2"
    )
    assert choices["Learning rate"]["recipe1"] == "one of 0.1; constant"  # a single epoch has no milestone
    cells = {cell.id: cell for cell in store.read_outcomes("transfer.learning_rates", "custom").cells}
    assert "learning_rate" not in cells["digits/heads"].settings["recipe"]
    heads = cells["digits/heads"].outcome["runs"]["0.1/0"]
    for run, epochs in ((cells["digits/finetune/0.01/0"].outcome, 3), (heads, 1)):
        assert len(run["predictions"]) == len(run["labels"]) == 60
        for part in ("train", "validation", "test"):
            assert len(run["history"][f"{part}_loss"]) == len(run["history"][f"{part}_accuracy"]) == epochs
        if not run["diverged"]:
            assert run["history"]["test_accuracy"][-1] == pytest.approx(run["test_accuracy"])


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("weights=lite1", "failed in cell digits/heads: weights are lite0, lite2, imagenet"),
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


def test_images_of_one_class_are_refused_before_anything_is_trained(convstudy, tmp_path):
    root = folder_of_tracks(tmp_path / "signs")
    shutil.rmtree(root / "yield")
    for identifier, setting in (
        ("transfer.learning_rates", f"domains.digits.name=folder:{root}"),
        ("transfer.facescrub", f"name=folder:{root}"),
    ):
        split = "domains.digits.split=all" if "rates" in identifier else "split=all"
        finished = convstudy(
            *("run", identifier, "--profile", "quick", "--jobs", "1"),
            *("--set", setting, "--set", split, *(() if "rates" in identifier else ("--set", "person=4"))),
        )
        assert finished.returncode == 1
        assert "all images are of the class stop" in finished.stderr and "Traceback" not in finished.stderr


def test_a_class_that_is_too_small_is_named(tmp_path):
    root = folder_of_tracks(tmp_path / "signs")
    for file in sorted((root / "stop").iterdir())[1:]:
        file.unlink()
    with pytest.raises(DataError, match="the class stop has 1 image, too few"):
        domains.load(Domain(name=f"folder:{root}", size=32))


def copies(root):
    """Two classes of 30 textures; four of each are there twice, as JPEG of another quality."""
    random = np.random.default_rng(0)
    for kind in ("coarse", "fine"):
        (root / kind).mkdir(parents=True)
        for number in range(30):
            coarse = Image.fromarray(random.integers(0, 255, (9, 9, 3), dtype=np.uint8))
            image = coarse.resize((48, 48), Image.Resampling.BICUBIC)
            image.save(root / kind / f"{number:02d}.jpg", quality=95)
            if number < 4:
                image.save(root / kind / f"{number:02d}_copy.jpg", quality=40)
    return f"folder:{root}"


def test_near_duplicates_stay_on_one_side_of_a_split_and_are_counted(tmp_path):
    name = copies(tmp_path / "textures")
    found = []
    for seed in range(4):
        domain = Domain(name=name, size=32, duplicates=0.85, split_seed=seed)
        parts, counted = domains.load_counted(domain)
        assert counted == {"duplicates": {"groups": 8, "images": 16, "train_test": 0}}
        assert [len(part) for part in parts] == [46, 8, 14]
        pairs = [
            {file.removesuffix("_copy.jpg").removesuffix(".jpg") for file in part.files} for part in parts
        ]
        assert sum(map(len, pairs)) == 60
        alone, uncounted = domains.load_counted(domain.model_copy(update={"duplicates": None}))
        assert not uncounted
        found.append(
            domains.count_duplicates(
                domains.groups_of(name, ("all",), "refuse", 0.85), alone.train, alone.test
            )["duplicates"]["train_test"]
        )
    assert max(found) > 0  # what grouping prevents


def test_a_black_border_is_seen():
    images = np.full((4, 3, 32, 32), 90, np.uint8)
    images[0, :, 20:] = 3
    images[1, :, :, :4] = 0
    images[2, :, 10:20, 10:20] = 0
    assert domains.black_bordered(images) == 0.5


def test_a_comparison_that_is_made_twice_counts_once():
    halves = [np.r_[np.ones(count), np.zeros(200 - count)] for count in (200, 190, 100)]
    correct = dict(zip("abc", halves, strict=True))
    titles = {name: name.upper() for name in correct}
    pairs = {"winner": ("a", "b"), "approach": ("b", "a")}
    compared = transfer.compare(correct, pairs)
    alone = transfer.compare(correct, {"winner": ("a", "b")})
    assert compared["winner"].p == compared["approach"].p == alone["winner"].p
    assert (compared["winner"].verdict, compared["approach"].verdict) == ("more", "less")
    assert len(transfer.comparison_table("", compared, pairs, titles).rows) == 1
    metrics = transfer.comparison_metrics(compared, pairs, titles, "signs/")
    assert metrics["signs/winner/gain"].value == -metrics["signs/approach/gain"].value == pytest.approx(0.05)
    assert metrics["signs/winner/gain"].over == "test images"
    others = {"first": ("a", "b"), "second": ("a", "c")}
    more = transfer.compare(correct, others)
    assert more["first"].p > alone["winner"].p
    rows = transfer.comparison_table("", more, others, titles).rows
    assert [row.cells["difference"].value for row in rows] == pytest.approx([0.05, 0.5])


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
    worked = result.tables["worked"]
    for column in worked.columns[1:]:
        person, _, kind = column.label.removesuffix(")").partition(" (")
        shares = {row.cells["person"]: row.cells[column.key] for row in worked.rows}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
        named = [row.cells["person"] for row in worked.rows if column.key in row.best]
        assert named == [max(shares, key=shares.get)]
        assert (named == [person]) == (kind == "right")
    assert len(result.figures["units"].pictures) == 8  # our own weights may be published
    for panel in result.figures["curves"].panels:
        assert [one.label for one in panel.series] == ["Training", "Validation", "Test"]
    p_values = [row.cells["p"] for row in result.tables["comparisons"].rows]
    assert len(p_values) == 4 and all(0 < p <= 1 for p in p_values)


def test_what_the_classifiers_of_faces_have_learned_is_drawn(convstudy, tmp_path):
    few = ("--set", "faces.mlp_epochs=1", "--set", "faces.head_epochs=2")
    finished = convstudy("run", "transfer.face_pictures", "--profile", "quick", "--jobs", "1", *few)
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("transfer.face_pictures", "custom")
    assert len(result.figures["units"].pictures) == 8
    portrait, *maps = result.figures["portrait"].pictures
    assert len({portrait.png, *(one.png for one in maps)}) == 5
    for key, first, second in (("finetuned", *maps[:2]), ("portrait", *maps[2:])):
        named = first.title.partition(":\n")[2].rpartition(", ")[0]
        assert f"names {named}, with" in result.findings[f"{key}_named"].sentences["yes"]
        probability = result.metrics[f"{key}/probability"].value
        assert 0.1 <= probability <= 1 and first.title.endswith(f"{probability:.1%}")  # the largest of ten
        assert float(second.title.rpartition(", ")[2].removesuffix("%")) <= 100 * probability + 0.05


def test_a_person_with_too_few_images_is_named(convstudy):
    finished = convstudy(*FACES, "--set", "person=500")
    assert finished.returncode == 1
    assert "0 has 1" in finished.stderr and "too few for 500" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_faces_and_small_grey_faces_are_split_alike():
    from analyses.transfer import _facescrub_training as training

    small, large = (
        training.load_faces("digits", "train", "refuse", 20, 0, None, *form)[0]
        for form in ((16, True), (32, False))
    )
    assert [part.files for part in small] == [part.files for part in large]
    assert [part.images.shape[1:] for part in (small[0], large[0])] == [(1, 16, 16), (3, 32, 32)]
    assert np.bincount(small[0].labels).tolist() == [20] * 10


def test_a_photograph_that_is_there_twice_is_in_one_part_of_the_faces(tmp_path):
    from analyses.transfer import _facescrub_training as training

    name = copies(tmp_path / "people")
    for seed in range(3):
        faces, counted = training.load_faces(name, "all", "refuse", 20, seed, 0.85, 32, True)
        assert counted["duplicates"] == {"groups": 8, "images": 16, "train_test": 0}
        assert [np.bincount(part.labels).tolist() for part in faces] == [[20, 20], [7, 7], [7, 7]]


@pytest.mark.parametrize(
    "name", ["transfer.learning_rates", "transfer.facescrub", "transfer.cifar10_resnet18"]
)
def test_what_was_recorded_can_be_summarized(name):
    store = Store(ROOT / "results")
    recorded, kept = store.read(name, "full"), store.read_outcomes(name, "full")
    analysis = analyses.get(name)
    parameters = type(analysis.parameters("full")).model_validate(recorded.provenance.parameters)
    again = analysis.summarize(parameters, {cell.id: cell.outcome for cell in kept.cells})
    for metric, value in recorded.metrics.items():
        assert again.metrics[metric].value == pytest.approx(value.value)
    assert {*recorded.tables} <= {*again.tables} and {*recorded.figures} <= {*again.figures}


def test_courses_are_read_at_the_epochs_that_the_text_names():
    """On the recorded textures: after one epoch, at each division of the rate (after epochs 1, 3 and 4 of 6),
    and of the frozen backbone after six of its epochs.
    """
    store = Store(ROOT / "results")
    recorded, kept = (
        store.read("transfer.learning_rates", "full"),
        store.read_outcomes("transfer.learning_rates", "full"),
    )
    analysis = analyses.get("transfer.learning_rates")
    parameters = type(analysis.parameters("full")).model_validate(recorded.provenance.parameters)
    assert (parameters.finetune_epochs, parameters.head_epochs, parameters.seeds) == (6, 60, 3)
    outcomes = {cell.id: cell.outcome for cell in kept.cells}

    def reached(runs, epoch):  # outcomes that were kept without predictions are courses themselves
        courses = [run.get("history", run)["validation_accuracy"] for run in runs]
        return np.mean([course[epoch - 1] for course in courses])

    tuned = {
        rate: [outcomes[f"textures/finetune/{rate}/{seed}"] for seed in range(3)] for rate in ("0.1", "0.01")
    }
    heads = {
        rate: [outcomes["textures/heads"]["runs"][f"{rate}/{seed}"] for seed in range(3)]
        for rate in ("1", "0.1", "0.01", "0.001")
    }
    metrics = analysis.summarize(parameters, outcomes).metrics
    expected = {
        "finetune/best/first_validation": reached(tuned["0.1"], 1),
        "finetune/second/first_validation": reached(tuned["0.01"], 1),
        "finetune/best/drop_1_validation": reached(tuned["0.1"], 1),
        "finetune/best/drop_2_validation": reached(tuned["0.1"], 3),
        "finetune/best/drop_3_validation": reached(tuned["0.1"], 4),
        "finetune/best/validation_accuracy": reached(tuned["0.1"], 6),
        "head/early/validation_accuracy": max(reached(found, 6) for found in heads.values()),
    }
    assert {name: metrics[name].value for name in expected} == pytest.approx(expected)


def test_a_loss_that_rises_while_accuracy_does_not_fall_is_found():
    store = Store(ROOT / "results")
    recorded = store.read("transfer.cifar10_resnet18", "full")
    kept = store.read_outcomes("transfer.cifar10_resnet18", "full")
    analysis = analyses.get("transfer.cifar10_resnet18")
    parameters = type(analysis.parameters("full")).model_validate(recorded.provenance.parameters)
    outcomes = {cell.id: cell.outcome for cell in kept.cells}
    runs = [outcomes[f"pretrained/{seed}"] for seed in range(parameters.seeds)]
    loss, accuracy = (
        np.mean([run["history"][f"test_{name}"] for run in runs], axis=0) for name in ("loss", "accuracy")
    )
    result = analysis.summarize(parameters, outcomes)
    assert result.metrics["pretrained/lowest_test_epoch"].value == loss.argmin() + 1
    assert result.metrics["pretrained/lowest_test_loss"].value == pytest.approx(loss.min())
    assert result.metrics["pretrained/lowest_test_accuracy"].value == pytest.approx(accuracy[loss.argmin()])
    assert result.findings["test_loss_alone_rises"].holds
    worse = copy.deepcopy(outcomes)
    for seed in range(parameters.seeds):
        worse[f"pretrained/{seed}"]["test_accuracy"] = 0.5
    assert not analysis.summarize(parameters, worse).findings["test_loss_alone_rises"].holds


LAST_STAGE = (
    *("run", "transfer.cifar10_resnet18", "--profile", "quick", "--jobs", "1"),
    *("--set", "data.train=60", "--set", "data.validation=40", "--set", "own_epochs=1"),
)


def test_a_last_stage_is_trained_beside_a_network_from_scratch(convstudy, tmp_path):
    finished = convstudy(*LAST_STAGE, "--set", "seeds=1")
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("transfer.cifar10_resnet18", "custom")
    metrics = result.metrics
    assert metrics["pretrained/trained"].value < metrics["pretrained/parameters"].value / 3
    assert {f"{name}/test_accuracy" for name in ("pretrained", "design_b")} <= set(metrics)
    assert not result.findings["protocol_network"].holds
    assert [len(one.x) for one in result.figures["courses"].series] == [2, 1]
    for panel in result.figures["curves"].panels:
        assert [one.label for one in panel.series] == ["Training", "Validation", "Test"]
    assert [len(one.x) for one in result.figures["losses"].series] == [2, 2, 1, 1]
    assert len(result.figures["first_maps"].pictures) == 13
    assert len(result.figures["last_maps"].pictures) == 2 * 12
    assert result.metrics["last/side"].value == 2  # of images of 64 pixels
    assert result.metrics["duplicates/train_test"].value >= 0
    assert f"SHA-256 {weights.PACKAGED['lite0'].sha256}" in result.provenance.note
    finished = convstudy("run", "transfer.cifar10_resnet18", "--media")
    assert finished.returncode == 0, finished.stderr
    own = Store(tmp_path / "results").illustrated(result).figures["own_maps"]
    assert [len(own.pictures), own.pictures[0].title] == [13, "Input"]


def test_with_weights_the_last_stage_of_resnet18_is_trained_by_protocol(convstudy, tmp_path):
    file = tmp_path / "resnet18.pt"
    torch.save(weights.load("none", "resnet18").model.state_dict(), file)
    finished = convstudy(
        *(*LAST_STAGE, "--set", "seeds=1", "--set", "pretrained.layer=layer3"),
        *("--set", "pretrained.architecture=resnet18", "--set", f"pretrained.weights=file:{file}"),
    )
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("transfer.cifar10_resnet18", "custom")
    assert result.findings["protocol_network"].holds
    assert result.metrics["pretrained/trained"].value == 8_393_728 + 5_130  # layer4 and the last layer
    assert result.metrics["last/channels"].value == 512


def test_the_full_parameters_are_those_of_the_protocol_and_the_networks_take_turns():
    analysis = analyses.get("transfer.cifar10_resnet18")
    parameters = analysis.parameters("full")
    recipe = parameters.recipe(parameters.pretrained)
    assert (parameters.data.train, parameters.data.validation, parameters.seeds) == (45_000, 5_000, 3)
    assert (recipe.epochs, recipe.batch, recipe.learning_rate) == (5, 32, 5e-4)
    assert parameters.pretrained.size == 256
    assert [cell.id for cell in analysis.plan(parameters)][:4] == [
        *("duplicates", "pretrained/0", "design_b/0", "pretrained/1")
    ]


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("pretrained.layer=blocks.9", "has no layer 'blocks.9'"),
        ("image=dog", "the image is china, flower, cat, astronaut or file:PATH, not 'dog'"),
    ],
)
def test_a_stage_or_a_photograph_that_is_not_there_is_named(convstudy, setting, told):
    finished = convstudy(*LAST_STAGE, "--set", setting)
    assert finished.returncode == 1
    assert told in finished.stderr and "Traceback" not in finished.stderr


@pytest.mark.parametrize(("right", "p", "least"), [(30, 0.0002, True), (3, 0.2, False)])
def test_a_p_value_at_the_floor_of_the_bootstrap_is_said_to_be_there(right, p, least):
    values = {"one": [1.0] * 40, "other": [0.0] * right + [1.0] * (40 - right)}
    if not least:
        values["one"] = [0.0] * 2 + [1.0] * 38
    pairs = {"gain": ("one", "other")}
    compared = transfer.compare(values, pairs)
    assert (compared["gain"].p <= p) is least
    assert transfer.least_p_findings(compared, pairs)["gain_p_is_least"].holds is least
    doubled = pairs | {"again": ("other", "one"), "third": ("one", "third")}
    compared = transfer.compare(values | {"third": values["other"]}, doubled)
    assert (
        transfer.comparison_metrics(compared, doubled, dict.fromkeys((*values, "third"), "it"))[
            "comparisons"
        ].value
        == 2
    )
    found = transfer.least_p_findings(compared, doubled, "signs/", "_signs")
    assert found["third_p_is_least_signs"].holds is least
    note = transfer.comparison_table("", compared, doubled, dict.fromkeys((*values, "third"), "it")).notes[0]
    assert "for the two comparisons" in note and "smallest possible one is 0.0004" in note


def test_seeds_without_spread_have_no_test_of_welch():
    assert transfer.welch([0.8, 0.81], [0.9]) is None
    assert transfer.welch([0.8, 0.8], [0.9, 0.91]) is None
    assert transfer.welch([0.80, 0.81, 0.82], [0.90, 0.91]) == pytest.approx(0.00136, abs=1e-5)
