"""Too little data is refused in one sentence before training; repeated images are pointed at."""

from __future__ import annotations

import re

import numpy as np
import pytest

from analyses import classifiers, experiments, records
from analyses.classification.cifar10_baseline import BaselineParameters
from analyses.experiments import DataChoice
from analyses.size_settings import settings_by_size
from analyses.transfer._learning_rates_settings import LearningRateParameters
from lab.datasets import DataError, locate
from lab.datasets.inventory import verify
from lab.datasets.repetitions import also_in_training
from tests.lab.datasets.small_files import classes, encoded, write


def choice(root, **more):
    return DataChoice(name=f"folder:{root / 'pets'}", **more)


@pytest.mark.parametrize(
    ("files", "asked", "told"),
    [
        (
            classes({"cat": 30, "dog": 30}),
            {"train": 800, "validation": 100, "test": 100},
            r"800 \+ 100 \+ 100 of 60 images of .* are asked for, for training, validation and test",
        ),
        (classes({"cat": 60}), {"train": 30, "validation": 10, "test": 10}, "class cat; .* two or more"),
        (
            {
                f"{split}/{name}": c
                for split, kinds in (("train", "ab"), ("test", "a"))
                for name, c in classes(dict.fromkeys(kinds, 9)).items()
            },
            {"train": 10, "validation": 2},
            "has no test image of b; add some, or leave the class out",
        ),
        (
            {f"train/{name}": c for name, c in classes({"a": 9, "b": 9}).items()},
            {"train": 10, "validation": 2},
            "has no split 'test'; it has train",
        ),
        (
            classes({"cat": 60, "dog": 2}),
            {"train": 40, "validation": 8, "test": 10},
            "the class dog has 2 images",
        ),
    ],
    ids=["too few", "one class", "absent from test", "no test", "a small class"],
)
def test_what_does_not_suffice_is_one_sentence(root, files, asked, told):
    write(root / "pets", files)
    with pytest.raises(DataError, match=told):
        experiments.parts(choice(root, **asked))


@pytest.mark.parametrize("kinds", [2, 3, 40, 200])
def test_any_number_of_classes_is_divided_and_shown(root, kinds):
    write(root / "pets", classes({f"kind{number:03d}": 5 for number in range(kinds)}))
    chosen, test = experiments.parts(choice(root, train=3 * kinds, validation=kinds, test=kinds))
    assert all(len(np.unique(part.labels)) == kinds for part in (*chosen, test))
    labels = records.as_text(range(kinds))
    outcome = {"classes": list(test.classes), "labels": labels, "predictions": labels[1:] + labels[:1]}
    figures, tables = classifiers.confusion_parts([outcome], "All wrong.")
    if kinds <= classifiers.MOST_CLASSES:
        assert len(figures["confusion"].values) == kinds
    else:
        assert len(tables["confusion"].rows) == classifiers.PAIRS
        assert tables["confusion"].rows[0].cells["count"] == 1


def test_a_confusion_matrix_stands_a_class_without_test_images():
    outcome = {"classes": ["a", "b", "c"], "labels": "0011", "predictions": "0101"}
    figure = classifiers.confusion_figure([outcome], "Some.")
    assert figure.values[2] == (0.0, 0.0, 0.0)


def test_settings_follow_from_the_size_of_the_data_and_can_be_said(root):
    write(root / "pets", classes({"cat": 100, "dog": 100}))
    name = f"data.name=folder:{root / 'pets'}"
    found = dict(one.split("=") for one in settings_by_size(BaselineParameters(), [name]))
    parts = [int(found[f"data.{part}"]) for part in ("train", "validation", "test")]
    assert sum(parts) == 200
    assert parts == [136, 24, 40]
    assert int(found["batch"]) < 128
    assert "data.train" not in dict(
        one.split("=") for one in settings_by_size(BaselineParameters(), [name, "data.train=9"])
    )
    assert settings_by_size(BaselineParameters(), ["epochs=3"]) == []
    transfer = dict(one.split("=") for one in settings_by_size(LearningRateParameters(), [name]))
    assert transfer["data.split"] == "all"
    assert "domains" not in transfer


def test_a_split_of_its_own_is_used(root):
    kinds = classes({"cat": 50, "dog": 50})
    write(
        root / "pets",
        {f"{split}/{name}": content for split in ("train", "test") for name, content in kinds.items()},
    )
    found = dict(
        one.split("=")
        for one in settings_by_size(BaselineParameters(), [f"data.name=folder:{root / 'pets'}"])
    )
    assert found["data.test"] == "0"
    assert int(found["data.train"]) + int(found["data.validation"]) == 100


def test_all_splits_together_are_a_split(root):
    kinds = classes({"cat": 5, "dog": 5})
    write(root / "pets", {f"{split}/{name}": c for split in ("train", "val") for name, c in kinds.items()})
    chosen, test = experiments.parts(choice(root, train=12, validation=4, test=4))
    assert [len(part) for part in (*chosen, test)] == [12, 4, 4]


def told_of(root):
    return " ".join(verify(f"folder:{root / 'pets'}").notes)


def test_images_in_two_splits_or_under_two_labels_are_pointed_at(root):
    files = {f"train/{name}": content for name, content in classes({"cat": 3, "dog": 3}).items()}
    files |= {f"test/{name}": content for name, content in classes({"cat": 2, "dog": 2}, start=50).items()}
    write(root / "pets", files)
    assert told_of(root) == ""
    write(root / "pets", {"test/cat/again.png": files["train/cat/0000.png"]})
    assert "2 images stand in several splits (test and train), the same: train/cat/0000.png" in told_of(root)
    write(root / "pets", {"train/dog/cat.png": files["train/cat/0001.png"]})
    assert "2 images stand under several classes, the same" in told_of(root)


def test_copies_within_a_folder_may_be_parted_by_a_random_split(root):
    files = classes({"cat": 5, "dog": 5})
    write(root / "pets", {**files, "cat/copy.png": files["cat/0000.png"]})
    assert re.search(
        r"2 images are there more than once, so that .* the same: cat/0000.png = cat/copy.png", told_of(root)
    )


def test_test_images_that_train_are_counted():
    images = np.random.default_rng(0).integers(0, 256, (6, 3, 4, 4), dtype=np.uint8)
    assert also_in_training(images[:4], images[2:]) == 2
    assert also_in_training(images[:3], images[3:]) == 0


def test_a_readers_folder_is_called_by_its_name_and_its_licence_unknown(root):
    write(root / "pets", {**classes({"cat": 1, "dog": 1}), "1.heic": encoded(1)})
    described = locate(f"folder:{root / 'pets'}/").describe()
    assert described["name"] == "pets"
    assert described["licence"] == "unknown"
    assert any(".heic" in note for note in described["notes"])
    assert choice(root).title == "pets"
    assert DataChoice().title == "CIFAR-10"
