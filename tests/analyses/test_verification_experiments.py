"""The verification experiments: people kept apart, small real runs, and data that is not as it should be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import permutation_test

import analyses
from analyses.verification import _evaluation as evaluation
from analyses.verification._glasses_pairs import check_glasses
from analyses.verification._lfw_data import divide, listed_pairs
from analyses.verification._lfw_runs import STAGES
from analyses.verification._lfw_settings import LfwParameters
from analyses.verification._lfw_summary import COMPARED, _same_share
from analyses.verification._lfw_training import _of_repeated
from analyses.verification._lfw_watched import watched_findings, watched_metrics
from analyses.verification._verification import Faces
from analyses.verification._verification_people import divide_people, load_faces
from lab.datasets import DataError, load
from lab.pair_training import RandomPairs
from lab.verification import Pairs, every, rates
from results.store import Store
from tests.conftest import ROOT

FACES = Faces(name="faces", people=12)
SMALL = (
    *("--profile", "quick", "--jobs", "1", "--set", "epochs=1", "--set", "mining_epochs=1"),
    *("--set", "seeds=1", "--set", "glasses=1"),
)


def folder_of_people(root, images_of):
    """Grey 40×40 images, `images_of` of each person."""
    random = np.random.default_rng(0)
    for person, count in images_of.items():
        (root / person).mkdir(parents=True)
        for number in range(1, count + 1):
            pixels = random.integers(0, 255, (40, 40), dtype=np.uint8)
            Image.fromarray(pixels).save(root / person / f"{person}_{number:04d}.png")
    return root


def test_folds_test_everyone_once_and_nobody_is_trained_and_tested_on():
    images = load_faces(FACES)
    seen = []
    for fold in range(5):
        train, test = divide_people(FACES, {"fold": fold, "of": 5, "seed": 0})
        assert not set(images.labels[train].tolist()) & set(images.labels[test].tolist())
        assert len(train) + len(test) == len(images) == 120
        seen += test.tolist()
    assert sorted(seen) == list(range(120))


def test_the_full_profile_is_that_of_the_protocol():
    parameters = analyses.get("verification.siamese").parameters("full")
    assert parameters.published == ("s5", "s6", "s7")
    assert len(parameters.heldout) == 7 and parameters.folds == 5
    assert (parameters.epochs, parameters.pairs, parameters.pair_batch) == (100, 370, 64)
    assert (parameters.margin, parameters.rate) == (2.0, 5e-4)


def test_siamese_networks_are_judged_beside_pixels_on_every_split(convstudy, tmp_path):
    finished = convstudy("run", "verification.siamese", *SMALL)
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("verification.siamese", "custom")
    metrics = result.metrics
    for method in ("pixels", "backbone", "contrastive", "mining"):
        for part in ("published_split", "heldout_split", "folds"):
            area = metrics[f"{method}/{part}/auc"]
            if part == "published_split":
                assert 0 <= area.value <= 1 and area.low is None, "three people are too few for an interval"
            else:
                assert 0 <= area.low <= area.value <= area.high <= 1
    assert metrics["published_split/auc"].value == metrics["mining/published_split/auc"].value
    assert {"threshold/contrastive", "heldout_split/auc", "published_split/accuracy"} <= set(metrics)
    gain = metrics["mining_over_pixels/folds/auc"]
    expected = metrics["mining/folds/auc"].value - metrics["pixels/folds/auc"].value
    assert gain.value == pytest.approx(expected) and gain.low < gain.high
    rows = [row.cells for row in result.tables["hardest"].rows]
    same = [row["distance"] for row in rows if row["people"] == "same"]
    different = [row["distance"] for row in rows if row["people"] == "different"]
    assert same == sorted(same, reverse=True) and different == sorted(different)
    assert all(row["first"].split("/")[0] == row["second"].split("/")[0] for row in rows[:5])
    threshold = metrics["threshold/contrastive"].value
    examples = [row.cells for row in result.tables["examples"].rows]
    assert [row["people"] for row in examples] == ["same"] * 3 + ["different"] * 3
    assert all(row["answer"] == ("same" if row["distance"] < threshold else "different") for row in examples)
    chosen = {(row.cells["part"], row.cells["method"]): row.cells for row in result.tables["thresholds"].rows}
    assert len(chosen) == 8
    for (part, _), row in chosen.items():
        assert row["balanced"].value <= row["possible"] + 1e-9
        for rate in ("tpr", "fpr", "balanced"):
            few = part == "Tutorial's"
            assert (row[rate].low is None) == few, "three people are too few for an interval"
    fixed = [row.cells for row in result.tables["rates"].rows]
    assert [row["chosen"] for row in fixed] == ["1%"] * 4 + ["10%"] * 4, "the others are with the thresholds"
    assert all(row["fpr"].low <= row["fpr"].value <= row["fpr"].high for row in fixed)
    assert chosen["Tutorial's", "Tutorial's network, contrastive loss"]["threshold"] == threshold
    assert chosen["Folds", "Raw pixels"]["people"] == 6, "of twelve people in two folds"
    fixed = [row.cells["chosen"] for row in result.tables["rates"].rows]
    assert fixed == ["1%"] * 4 + ["10%"] * 4, "balanced thresholds stand in the table of thresholds alone"
    compared = {name for name in metrics if name.endswith("/auc_p")}
    assert "mining_over_contrastive/folds/auc_p" in compared
    assert "mining_over_contrastive/heldout_split/auc_p" not in compared, "it is in the study of glasses"


def test_pairs_are_judged_by_who_wears_glasses(convstudy, tmp_path):
    finished = convstudy("run", "verification.glasses", *SMALL)
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("verification.glasses", "custom")
    metrics = result.metrics
    assert metrics["data/cross_pairs"].value == 4 * 25  # four people, five images with and five without
    assert metrics["published/cross_pairs"].value == 3 * 25
    for name in ("contrastive", "mining", "mining_glasses"):
        assert {f"{name}/cross_glasses_tpr", f"{name}/auc"} <= set(metrics)
    difference = metrics["mining/cross_glasses_tpr"].value - metrics["contrastive/cross_glasses_tpr"].value
    assert metrics["difference/ci_low"].value <= difference + 1e-9
    assert metrics["difference/ci_high"].value >= difference - 1e-9
    drawn, bare = (metrics[f"{name}/false_positive"].value for name in ("mining", "mining_glasses"))
    assert metrics["drawn_strangers/all"].value == pytest.approx(drawn - bare)
    for kind in ("none", "both", "cross"):
        drawn, bare = (metrics[f"{name}/{kind}_glasses_fpr"].value for name in ("mining", "mining_glasses"))
        assert metrics[f"drawn_strangers/{kind}"].value == pytest.approx(drawn - bare)
    assert not result.findings["published_pairs_are_few"].holds, "three people have images of both kinds"
    assert metrics["new/activations"].value % 192 == 0, "the channels of EfficientNet-Lite0's sixth stage"
    compared = [row.cells for row in result.tables["comparisons"].rows]
    assert len(compared) == 6 and compared[0]["mixed"].value == pytest.approx(difference)
    assert len(result.tables["harder"].rows) == 5
    rows = [row.cells for row in result.tables["kinds"].rows]
    numbers = "Pairs of one person: 40 without glasses, 40 with glasses on both and 100 mixed;"
    assert numbers in result.tables["kinds"].caption
    assert [row["method"] for row in rows[::3]] == [
        *("Raw pixels", "Pretrained features"),
        *(row.cells["method"] for row in result.tables["harder"].rows),
    ]
    sizes = {row.cells["method"]: row.cells["parameters"] for row in result.tables["networks"].rows}
    assert sizes["Raw pixels"] == 0 and sizes["Tutorial's network, contrastive loss"] == 2_168_642
    width, people = 64, 12 - 4  # trained on
    linear = int(metrics["new/activations"].value + 1) * width
    assert sizes["New network, contrastive loss"] == linear, (
        "this loss does not train the directions of people"
    )
    assert sizes["New network, glasses drawn"] == linear + people * width
    assert sizes["Tutorial's network, mined pairs"] == 2_168_642 + (width - 2) * 257 + people * width
    assert len(result.figures["drawn"].pictures) == 6
    assert metrics["data/least_exact_p"].value == 2 / 2**4, "no exact test of four people is below it"
    assert all(row["mixed_exact"] >= 2 / 2**4 for row in compared)
    different = 4 * 3 // 2 * np.array([5 * 5, 5 * 5, 2 * 5 * 5])  # of two of four people
    for row, same, strangers in zip(rows, [40, 40, 100] * 7, [*different] * 7, strict=True):
        right = row["tpr"].value * same + (1 - row["fpr"].value) * strangers
        assert row["accuracy"].value == pytest.approx(right / (same + strangers))
        for rate in ("tpr", "fpr", "accuracy"):
            assert 0 <= row[rate].low <= row[rate].value <= row[rate].high <= 1
    changed = [row.cells["choice"] for row in result.tables["recipe"].rows]
    assert {"Batch", "Loss", "Distance"} <= set(changed) and "Optimiser" not in changed, "it stays the same"


def test_rates_at_a_threshold_are_those_of_its_pairs_and_vary_with_the_people():
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(6), 4)
    first, second = every(len(people))
    where = people[first], people[second]
    runs = [Pairs.of(rng.random(len(first)) + (where[0] != where[1]) / 4, *where) for _ in range(2)]
    limits = [{"balanced": 0.7, "0.1": 0.5}] * 2
    evaluated = evaluation.EvaluatedPairs([runs], [limits])
    for name in ("balanced", "0.1"):
        drawn = evaluation.drawn_rates(evaluated, threshold=name)
        expected = [rates(one, limits[0][name]) for one in runs]
        for key in ("true_positive", "false_positive", "accuracy", "balanced"):
            value, again = getattr(drawn, key)
            assert value == pytest.approx(np.mean([getattr(one, key) for one in expected]))
            assert again.shape == (evaluation.RESAMPLES,) and again.std() > 0
            assert abs(again.mean() - value) < 0.05
    half = rng.random(len(first)) < 0.5
    some = evaluation.drawn_rates(evaluated, half)
    inside = [rates(one.where(half), 0.7) for one in runs]
    assert some.true_positive[0] == pytest.approx(np.mean([one.true_positive for one in inside]))


def test_exact_tests_count_all_changes_of_sign():
    assert evaluation.exact_p(np.array([0.1, 0.2, 0.05, 0.3])) == 2 / 2**4
    assert evaluation.exact_p(np.array([0.1, -0.1, np.nan])) == 1.0
    assert evaluation.exact_p(np.ones(evaluation.EXACT + 1)) is None, "too many changes of sign"
    values = np.random.default_rng(0).normal(0.4, 1, 9)
    independent = permutation_test(
        *((values, np.zeros(9)), lambda first, second: np.mean(first) - np.mean(second)),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert evaluation.exact_p(values) == pytest.approx(independent.pvalue)


def test_the_value_of_a_person_is_over_the_pairs_of_that_person():
    first, second = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 2, 1, 2, 2])
    pairs = Pairs.of([0.1, 0.2, 0.9, 0.5, 0.6, 0.4], first, second)
    evaluated = evaluation.EvaluatedPairs([[pairs]], [[{"balanced": 0.45}]])
    assert evaluation.own_aucs(evaluated).tolist() == [1.0, 0.5, 1.0]
    accepted = evaluation.own_accepted(evaluated, np.array([1, 1, 1, 1, 1, 0], bool))
    assert accepted[:2].tolist() == [1, 0] and np.isnan(accepted[2])


def meglass(root, people=4):
    """The official layout, of drawn faces: an image a person and list, and one that is listed only."""
    faces = load("faces", "all")
    lists = {"gallery_no_glass": 0, "probe_no_glass": 1, "gallery_black_glass": 5, "probe_black_glass": 6}
    (root / "test").mkdir(parents=True)
    (root / "images").mkdir()
    named = {name: ["70@N00_identity_0@1_0.jpg"] for name in lists}
    for person in range(20, 20 + people):
        for name, number in lists.items():
            file = f"{person}@N00_identity_{person}@{number}_0.jpg"
            Image.fromarray(faces.images[10 * person + number, 0]).save(root / "images" / file)
            named[name].append(file)
    for name, files in named.items():
        (root / "test" / f"{name}.txt").write_text("\n".join(files) + "\n")
    lines = [f"{file} {int('black' in name)}" for name, files in named.items() for file in files]
    (root / "meta.txt").write_text("\n".join(lines) + "\n")


def test_the_lists_of_meglass_are_judged_where_its_images_are(convstudy, tmp_path):
    meglass(tmp_path / "data" / "MeGlass")
    data = ("--data-root", str(tmp_path / "data"))
    finished = convstudy(*data, "run", "verification.glasses", *SMALL, "--set", "meglass=true")
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("verification.glasses", "custom")
    rows = {row.cells["protocol"]: row.cells["pairs"] for row in result.tables["meglass"].rows}
    assert rows == {"none/none": 16, "with/with": 16, "none/with": 16, "mixed": 64}
    for protocol in ("none_none", "with_with", "none_with", "mixed"):
        for method in ("contrastive", "mining", "mining_glasses"):
            assert 0 <= result.metrics[f"meglass/{protocol}/{method}/auc"].value <= 1
    assert len(result.provenance.datasets) == 2


def test_too_few_images_of_meglass_are_told_of(convstudy, tmp_path):
    meglass(tmp_path / "data" / "MeGlass", people=1)
    data = ("--data-root", str(tmp_path / "data"))
    finished = convstudy(*data, "run", "verification.glasses", *SMALL, "--set", "meglass=true")
    assert finished.returncode == 1
    assert "fetch its images" in finished.stderr and "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ('published=["p00","nobody"]', "has no person nobody"),
        ("folds=7", "12 people are too few for 7 folds of two"),
        ("faces.people=4", "which leaves no two to train with"),
        ("share=1.5", "less than or equal to 1"),
    ],
)
def test_people_that_cannot_be_tested_are_told_of(convstudy, setting, told):
    finished = convstudy("run", "verification.siamese", *SMALL, "--set", setting)
    assert finished.returncode in (1, 2)
    assert told in finished.stderr and "Traceback" not in finished.stderr


def test_a_person_with_one_image_is_named(tmp_path):
    root = folder_of_people(tmp_path / "own", {"ann": 3, "bob": 1, "cid": 2, "dot": 2})
    with pytest.raises(DataError, match="bob has one image only"):
        divide_people(Faces(name=f"folder:{root}", size=32), ("ann", "cid"))


def test_a_split_that_leaves_nobody_to_train_with_is_refused(tmp_path):
    root = folder_of_people(tmp_path / "own", {"ann": 3, "bob": 2, "cid": 2})
    with pytest.raises(DataError, match="leaves no two to train with"):
        divide_people(Faces(name=f"folder:{root}", size=32), ("ann", "bob"))


PAIRS = """3\t1
ann\t1\t2
ann\t1\tbob\t1
cid\t1\t3
cid\t2\tdot\t1
fay\t1\t3
fay\t2\tgus\t7
"""


@pytest.fixture
def lfw_root(tmp_path, monkeypatch):
    """The official layout, with three images missing of those that pairs.txt names."""
    people = {"ann": 2, "bob": 1, "cid": 2, "dot": 1, "eve": 2, "fay": 2}
    root = folder_of_people(tmp_path / "data" / "lfw", people)
    (root / "pairs.txt").write_text(PAIRS)
    monkeypatch.setenv("CONVSTUDY_DATA", str(tmp_path / "data"))
    return root


def test_listed_pairs_are_those_whose_images_are_here(lfw_root):
    images = load("lfw", "all", size=(40, 40))
    folds, listed, missing = listed_pairs("lfw", images)
    named = [[[images.files[at].rpartition("/")[2] for at in pair] for pair in fold] for fold in folds]
    assert named == [
        [["ann_0001.png", "ann_0002.png"], ["ann_0001.png", "bob_0001.png"]],
        [["cid_0002.png", "dot_0001.png"]],
        [],
    ]
    assert (listed, missing) == (6, 3)


def test_nobody_is_in_two_of_training_validation_and_test(lfw_root):
    faces = divide("lfw", "all", "refuse", 40, (0,), (1,))
    people = [
        [faces.images.classes[label] for label in faces.images.labels[part]]
        for part in (faces.train, faces.validation, faces.test)
    ]
    assert people == [["eve", "eve", "fay", "fay"], ["cid", "cid", "dot"], ["ann", "ann", "bob"]]
    assert faces.pairs.tolist() == [[0, 1], [0, 2]]


@pytest.mark.parametrize(
    ("text", "folds", "told"),
    [
        (PAIRS, ((2,), (1,)), "in the tested folds no one has both images here"),
        (PAIRS, ((0,), (2,)), "in the validation folds no one has both images here"),
        (PAIRS, ((3,), (1,)), "there is no fold 3"),
        ("2\t1\nann\tone\ttwo\n", ((0,), (1,)), r"pairs.txt of .* cannot be read"),
        ("", ((0,), (1,)), r"pairs.txt of .* cannot be read"),
        ("2\t1\n", ((0,), (1,)), "lists no pair"),
    ],
)
def test_a_list_of_pairs_that_is_of_no_use_is_told_of(lfw_root, text, folds, told):
    (lfw_root / "pairs.txt").write_text(text)
    divide.cache_clear()
    with pytest.raises(DataError, match=told):
        divide("lfw", "all", "refuse", 40, *folds)


def test_a_fold_to_choose_by_is_not_tested_on():
    with pytest.raises(ValueError, match="fold 4 is both in test_folds and in validation_folds"):
        LfwParameters(validation_folds=(4, 5))


def test_listed_pairs_and_every_pair_are_judged_before_and_after(convstudy, tmp_path):
    finished = convstudy(
        *("run", "verification.lfw", "--profile", "quick", "--jobs", "1", "--set", "scratch_pairs=8"),
        *("--set", "pairs=16", "--set", "test_folds=[0]", "--set", "last_epochs=1"),
        *("--set", "last_rates=[0.1,1e-9]"),
    )
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("verification.lfw", "custom")
    metrics = result.metrics
    assert metrics["everyone/pairs"].value == 80 * 79 / 2  # eight people of ten images
    assert metrics["data/test_same"].value == metrics["everyone/same"].value == 8 * 45
    assert metrics["data/most_same"].value == 45
    assert (metrics["everyone/repeated"].value, metrics["everyone/largest"].value) == (8, 10)
    assert metrics["everyone/largest_share"].value == pytest.approx(1 / 8)
    side_by_side = [row.cells for row in result.tables["epochs"].rows]
    assert [row["stage"] for row in side_by_side] == [STAGES[s] for s in ("before", "last", "all", "all")]
    assert [row.get("epochs") for row in side_by_side] == [None, "1 × 16", "1 × 16", "1 × 60"]
    assert side_by_side[-1]["last_loss"] == metrics["all/last_loss"].value
    # every pair of these people is listed, so the two ways of counting agree, and so do their intervals
    stages = tuple(STAGES)
    for stage in stages:
        listed, everyone = (metrics[f"{stage}/{which}/auc"] for which in ("pairs", "everyone"))
        for end in ("value", "low", "high"):
            assert getattr(listed, end) == pytest.approx(
                getattr(everyone, end), abs=0.02 + 0.03 * (end != "value")
            )
        assert (everyone.over, everyone.n) == ("people", 8)
    for name in ("pairs/auc_before", "pairs/auc_after", "everyone/auc_before", "everyone/auc_after"):
        assert 0 <= metrics[name].value <= 1
    assert [row.cells["stage"] for row in result.tables["results"].rows] == [STAGES[s] for s in stages]
    assert metrics["second_before/pairs/auc"].value != metrics["before/pairs/auc"].value
    gain = metrics["gain/everyone/auc"].value
    assert gain == pytest.approx(metrics["all/everyone/auc"].value - metrics["before/everyone/auc"].value)
    assert len(result.tables["comparisons"].rows) == 2 * len(COMPARED)
    assert (metrics["all/epochs"].value, metrics["all/pairs"].value) == (1, 60)
    assert not result.findings["protocol_network"].holds
    for stage in ("all", "second_all"):
        for member in result.findings[f"{stage}_above_published"].members:
            network, which = member.split(" on ")
            network, which = (
                network.lower().replace("-", ""),
                {"listed pairs": "pairs"}.get(which, "everyone"),
            )
            assert metrics[f"{stage}/{which}/auc"].value > LfwParameters().published[network][which]
    assert {series.label for series in result.figures["roc_listed"].series} == {
        series.label for series in result.figures["roc"].series
    }
    losses, areas = result.figures["loss"].panels[:2], result.figures["loss"].panels[2:]
    for stage, panel in zip(("last", "all"), areas, strict=True):
        assert panel.series[0].y[-1] == pytest.approx(metrics[f"{stage}/last_auc"].value, abs=1e-4)
    for stage in ("last", "all", "scratch"):  # watched by epoch, and measured once more at the end
        assert metrics[f"{stage}/last_auc"].value == pytest.approx(metrics[f"{stage}/validation/auc"].value)
    for stage, panel in zip(("last", "all"), losses, strict=True):
        training, validation = panel.series
        assert (training.label, validation.label) == ("Training", "Validation")
        lowest = int(metrics[f"{stage}/lowest_epoch"].value)
        assert validation.y[lowest - 1] == pytest.approx(metrics[f"{stage}/lowest_loss"].value, abs=1e-3)
        assert validation.y[-1] == pytest.approx(metrics[f"{stage}/last_loss"].value, abs=1e-3)
    chosen = max((row.cells for row in result.tables["rates"].rows[:2]), key=lambda row: row["auc"])
    assert chosen["chosen"] == "yes" and chosen["rate"] == metrics["last/rate"].value


@pytest.mark.parametrize(
    ("losses", "epoch", "overfits"),
    [
        ([[3, 1, 2], [3, 1, 2]], 2, True),
        ([[3, 1, 2], [3, 2, 1.5]], 2, False),  # not in every run
        ([[3, 2, 1], [3, 2, 1]], 3, False),
    ],
)
def test_more_epochs_hurt_where_the_loss_of_other_people_rises_in_every_run(losses, epoch, overfits):
    runs = {"last": [{"history": {"validation_loss": one}} for one in losses]}
    assert watched_metrics(runs)["last/lowest_epoch"].value == epoch
    assert {name: one.holds for name, one in watched_findings(runs).items()} == {"last_overfits": overfits}
    assert watched_metrics({"last": [{"history": {"validation_loss": []}}]}) == {}


@pytest.mark.parametrize(
    ("areas", "epoch", "falls"),
    [
        ([[0.7, 0.9, 0.8], [0.7, 0.9, 0.8]], 2, True),
        ([[0.7, 0.9, 0.8], [0.7, 0.8, 0.85]], 2, False),  # not in every run
        ([[0.7, 0.8, 0.9], [0.7, 0.8, 0.9]], 3, False),
    ],
)
def test_more_epochs_hurt_where_the_auc_of_other_people_falls_in_every_run(areas, epoch, falls):
    runs = {"all": [{"all_history": {"parts": {"watched/auc": one}}} for one in areas]}
    metrics = watched_metrics(runs)
    assert metrics["all/highest_auc_epoch"].value == epoch
    assert metrics["all/last_auc"].value == pytest.approx(sum(one[-1] for one in areas) / 2)
    assert {name: one.holds for name, one in watched_findings(runs).items()} == {"all_auc_falls": falls}


def test_the_longer_runs_wait_for_the_rates_and_recorded_cells_are_as_they_were():
    analysis = analyses.get("verification.lfw")
    parameters = analysis.parameters("full")
    outcomes = {
        f"{stage}/{rate:g}/{seed}": {"validation": {"auc": 1 - rate}}
        for stage, rates in (("last", parameters.last_rates), ("all", parameters.all_rates))
        for rate in rates
        for seed in range(3)
    }
    first = [
        cell.id for cell in analysis.plan_next(parameters, {k: v for k, v in outcomes.items() if "last" in k})
    ]
    assert "last/0" in first and "all/0.003/2" in first and "all/0" not in first
    known = outcomes | {cell: {} for cell in first if cell not in outcomes}
    longer = {cell.id: cell for cell in analysis.plan_next(parameters, known) if cell.id not in known}
    second = [f"second_{stage}/{seed}" for stage in ("last", "all") for seed in range(3)]
    assert list(longer) == [*second, "all/0", "all/1"]
    settings = longer["all/0"].settings
    assert (settings["then"].epochs, settings["then_pairs"]) == (15, 2_200)
    others = longer["second_all/0"].settings
    assert (others["weights"], others["then"].epochs, others["then_pairs"]) == ("lite2", 2, 2_200)
    assert others["then"].learning_rate == settings["then"].learning_rate
    assert settings["then"].learning_rate == min(parameters.all_rates)
    assert settings["resamples"] == 999


def test_the_result_as_it_was_recorded_can_be_summarized_again():
    """Of the cells that there are: rows of others are left out, and claims on every pair, too."""
    store = Store(ROOT / "results")
    result = store.read("verification.lfw", "full")
    bundle = store.read_outcomes("verification.lfw", "full")
    outcomes = {cell.id: cell.outcome for cell in bundle.cells}
    recorded = LfwParameters.model_validate(result.provenance.parameters)
    again = analyses.get("verification.lfw").summarize(recorded, outcomes)
    assert again.metrics["pairs/auc_after"].value == result.metrics["pairs/auc_after"].value
    assert again.findings["training_helps_pairs"].p < 0.05


def test_the_share_of_training_pairs_of_one_person_is_what_drawing_them_gives():
    people = np.array([0] * 30 + [1] * 10 + list(range(2, 62)))  # two with several images, sixty with one
    counts = {"train_images": 100, "train_people": 62}
    most = _same_share(counts)["data/train_same_most"].value
    share = _same_share(counts | {"train_repeated_images": _of_repeated(people)})[
        "data/train_same_share"
    ].value
    labels = torch.from_numpy(people)
    drawn = labels[RandomPairs(20_000)(labels, torch.Generator().manual_seed(0))].reshape(-1, 2)
    assert share == 0.2 and share <= most < 0.5
    assert float((drawn[:, 0] == drawn[:, 1]).float().mean()) == pytest.approx(share, abs=0.01)
    assert _same_share({"train_images": 4, "train_people": 2})["data/train_same_most"].value == 0.5


def test_pairs_and_people_may_say_opposite_things_of_one_hard_person():
    analysis = analyses.get("verification.glasses")
    recorded = Store(ROOT / "results")
    result, bundle = recorded.read(analysis.id, "full"), recorded.read_outcomes(analysis.id, "full")
    assert bundle is not None
    parameters = type(analysis.parameters("full")).model_validate(result.provenance.parameters)
    found = analysis.summarize(parameters, {cell.id: cell.outcome for cell in bundle.cells})
    value = {name: metric.value for name, metric in found.metrics.items()}
    # eight photographs without glasses and two with them: 8·7/2 pairs, and 8·2
    assert (value["heaviest/none_pairs"], value["heaviest/cross_pairs"]) == (28, 16)
    assert "s36" in found.findings["weights_turn_the_sign"].sentences["yes"]
    assert value["harder/new_contrastive"] > 0
    row = next(
        row for row in found.tables["harder"].rows if row.cells["method"].startswith("New network, con")
    )
    assert row.cells["own"] < 0


def test_listed_pairs_of_one_kind_are_refused(lfw_root):
    (lfw_root / "pairs.txt").write_text("3\t1\nann\t1\t2\nann\t1\t2\ncid\t1\t2\ncid\t1\tdot\t1\n")
    divide.cache_clear()
    with pytest.raises(DataError, match="all 2 pairs of lfw in the tested folds are of one person"):
        divide("lfw", "all", "refuse", 40, (0,), (1,))


def test_the_whole_face_is_scaled_and_a_crop_is_a_choice(tmp_path, monkeypatch):
    """Images with a mark at the top and at the bottom, which a centred square leaves out."""
    pixels = np.full((112, 92), 128, np.uint8)
    pixels[:6], pixels[-6:] = 255, 0
    for person in ("ann", "bob", "cid", "dot"):
        (tmp_path / person).mkdir()
        for number in range(2):
            Image.fromarray(pixels).save(tmp_path / person / f"{number}.png")
    whole = load_faces(Faces(name=f"folder:{tmp_path}")).images[0, 0]
    cropped = load_faces(Faces(name=f"folder:{tmp_path}", crop=True)).images[0, 0]
    assert whole.shape == cropped.shape == (100, 100)
    assert whole[0].min() > 240 and whole[-1].max() < 15
    assert abs(int(cropped[1].mean()) - 128) < 3 and abs(int(cropped[-2].mean()) - 128) < 3


def test_thresholds_come_from_people_that_the_networks_have_not_seen():
    parameters = analyses.get("verification.siamese").parameters("quick")
    cells = {cell.id: cell for cell in analyses.get("verification.siamese").plan(parameters)}
    assert "published_split/contrastive_inner/0" in cells and "fold1/mining_inner/0" in cells
    assert "published_split/pixels_inner/0" not in cells
    outer, inner = (cells[f"published_split/contrastive{suffix}/0"] for suffix in ("", "_inner"))
    assert inner.settings == outer.settings | {"inner": parameters.tower_inner_folds}


def test_too_few_people_for_inner_parts_are_refused_before_training():
    with pytest.raises(DataError, match=r"people of .* are left to train with, too few for 5 inner parts"):
        divide_people(FACES, ["p00", "p01", "p02"], 5)


def test_a_difference_must_hold_after_holm():
    random = np.random.default_rng(0)
    drawn = {name: (mean, random.normal(mean, 1.0, 999)) for name, mean in (("a", 4.0), ("b", 2.1))}
    zero = (0.0, np.zeros(999))
    pairs = {"a": (drawn["a"], zero), "b": (drawn["b"], zero), **{f"n{k}": (zero, zero) for k in range(8)}}
    words = dict.fromkeys(pairs, evaluation.Compared("this", "that", where="here"))
    found = evaluation.compared(pairs, words, dict.fromkeys(pairs, 7))
    assert found["b"].difference.low > 0, "by itself it would be"
    assert found["a"].verdict == "more" and found["b"].verdict == "same"
    assert (found["a"].difference.n, found["a"].difference.over) == (7, "people")
    assert found["a"].finding("a").holds and not found["b"].finding("b").holds
    assert (
        found["a"]
        .finding("a")
        .sentences["more"]
        .startswith("Here, this has a significantly higher AUC than that, by {a:")
    )
    assert not found["a"].finding("a", "less").holds
    lower = evaluation.compared({"a": (zero, drawn["a"])}, words, {"a": 7})
    assert lower["a"].verdict == "less"
    table = evaluation.comparison_table(found, "Differences.")
    assert [row.cells["first"] for row in table.rows] == ["this"] * 10
    assert (
        "10 comparisons of the table" in table.notes[0]
        and "the smallest possible one is 0.020" in table.notes[0]
    )


def test_people_and_glasses_are_checked_before_anything_is_trained(convstudy):
    siamese, worn = (analyses.get(f"verification.{name}") for name in ("siamese", "glasses"))
    quick = siamese.parameters("quick")
    for change, told in (
        ({"folds": 7}, "12 people are too few for 7 folds of two"),
        ({"inner_folds": 5}, "too few for 5 inner parts of two"),
        ({"published": ("p00", "p00")}, "p00 alone makes no pair of two people"),
    ):
        with pytest.raises(DataError, match=told):
            siamese.check(quick.model_copy(update=change))
    siamese.check(quick)
    worn.check(worn.parameters("quick"))
    refused = convstudy("run", "verification.siamese", *SMALL, "--set", "folds=7")
    assert refused.returncode == 1 and "too few for 7 folds" in refused.stderr
    assert "pixels/0" not in refused.stderr + refused.stdout, "no cell was begun"


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({}, r"glasses.csv of .* says nothing of ann/ann_0001.png and 8 other test images"),
        ({"ann": "0000", "bob": "1111", "cid": "0011"}, None),
        (
            {"ann": "0000", "bob": "1111", "cid": "1"},
            "no pair of one person whose images show glasses on one",
        ),
        ({"ann": "0000", "bob": "0001"}, "no pair of one person whose images show glasses on both"),
    ],
)
def test_glasses_of_one_kind_are_refused(tmp_path, labels, told):
    images_of = {name: len(marks) for name, marks in labels.items()} or {"ann": 3, "bob": 3, "cid": 3}
    root = folder_of_people(tmp_path / "own", images_of | {"dot": 2, "eve": 2})
    rows = [
        f"{name}/{name}_{number:04d}.png,{name},{mark}"
        for name, marks in labels.items()
        for number, mark in enumerate(marks, 1)
    ]
    (root / "glasses.csv").write_text("\n".join(["file,subject,glasses", *rows]) + "\n")
    faces = Faces(name=f"folder:{root}", size=32)
    if told is None:
        check_glasses(faces, tuple(images_of), needed=True)
        return
    with pytest.raises(DataError, match=told):
        check_glasses(faces, tuple(images_of), needed=True)
