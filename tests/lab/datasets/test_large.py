"""Data that does not fit in memory: the same training from a file, a batch at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lab.datasets import images as image_sets
from lab.datasets import load
from lab.datasets.images import Rows
from lab.recipes import Augmentation, Recipe
from lab.training import Data, Images, Streamed, channel_statistics, fit, predict
from tests.lab.datasets.small_files import classes, write


@pytest.fixture
def pets(root):
    return f"folder:{write(root / 'pets', classes({'cat': 20, 'dog': 20}))}"


def test_a_large_choice_is_left_in_its_file_and_reads_as_an_array(pets, monkeypatch):
    small = load(pets).select(range(5, 30))
    monkeypatch.setattr(image_sets, "LARGE", 1000)
    large = load(pets).select(np.arange(5, 40)).select(range(25))
    assert isinstance(large.images, Rows)
    assert isinstance(small.images, np.ndarray)
    assert large.images.shape == small.images.shape
    assert large.images.nbytes == small.images.nbytes
    for index in (3, slice(2, 9), [4, 4, 1], np.array([24, 0]), (slice(1, 3), 2), (7, 1)):
        assert np.array_equal(large.images[index], small.images[index])
    assert np.array_equal(np.asarray(large.images), small.images)
    assert large.files == small.files


def test_pages_that_were_given_back_are_read_again(pets, monkeypatch):
    monkeypatch.setattr(image_sets, "LARGE", 1)
    monkeypatch.setattr(image_sets, "TOUCHED", 0)
    mapped = load(pets)
    rows = mapped.select(range(40)).images
    first = [rows[index : index + 1].copy() for index in range(40)]
    assert np.array_equal(np.concatenate(first), mapped.images)


def trained(data):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    recipe = Recipe(epochs=2, batch=8, augmentation=Augmentation(flip="random", shift=1))
    history = fit(model, data, recipe, seed=1)
    return history, predict(model, data.test.images, data)


def test_training_from_a_file_is_the_same_to_the_bit(pets, monkeypatch):
    found = {}
    for limit in (1 << 29, 1):
        monkeypatch.setattr(image_sets, "LARGE", limit)
        everything = load(pets)
        parts = [everything.select(range(start, end)) for start, end in ((0, 30), (30, 40))]
        train, test = (Images.of(part.images, part.labels, "cpu") for part in parts)
        data = Data(train, *channel_statistics(parts[0].images), test, test)
        found[limit] = trained(data)
        assert isinstance(train.images, Streamed) == (limit == 1)
    (one, logits), (other, logits_of_file) = found.values()
    assert one.train_loss == other.train_loss
    assert one.test_loss == other.test_loss
    assert torch.equal(logits, logits_of_file)


def test_a_whole_split_is_streamed_too(pets, monkeypatch):
    monkeypatch.setattr(image_sets, "LARGE", 1)
    whole = load(pets)
    assert isinstance(Images.of(whole.images, whole.labels, "cpu").images, Streamed)
