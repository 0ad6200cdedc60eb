"""Embedded sets: the same everywhere, whole, and of a difficulty that suits what they are for."""

from __future__ import annotations

import csv
import hashlib
from functools import cache

import numpy as np
import pytest

from lab.datasets import embedded, locate, scenes
from lab.datasets import load as load_anew
from lab.datasets.drawing import grid, turned
from lab.datasets.faces import wears_glasses

load = cache(load_anew)
DRAWN = ["shapes", "faces", "canvas"]


@pytest.mark.parametrize("name", embedded.SETS)
def test_an_embedded_set_is_whole_and_needs_no_files(name):
    source = locate(name)
    assert source.redistributable
    total = 0
    for split in source.release.splits:
        images = load(name, split)
        assert images.images.dtype == np.uint8
        assert images.images.shape[1] == (1 if source.grey else 3)
        assert len(images) == len(images.images) == len(images.files) == len(set(images.files))
        assert images.labels.dtype == np.int64
        assert set(np.unique(images.labels)) == set(range(len(images.classes)))
        total += len(images)
    assert total == source.release.images


# The pixels of the first and the last image of each split, written down once: another value here means that
# recorded results stand on other images, and that embedded.DRAWING is to be raised.
PIXELS = {
    ("shapes", "train"): "fae9b786d667a6f8",
    ("shapes", "test"): "23e1577a7e236c64",
    ("faces", "all"): "d33d10b990a2efb9",
    ("canvas", "train"): "d7134dd2b124a79c",
    ("canvas", "test"): "bd8f686abef6c08f",
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_seed_draws_the_same_pixels_on_every_platform(name):
    for split in locate(name).release.splits:
        images = load(name, split).images
        digest = hashlib.sha256(images[[0, -1]].tobytes()).hexdigest()[:16]
        assert PIXELS[name, split] == digest


@pytest.mark.parametrize("name", DRAWN)
def test_no_two_images_are_the_same(name):
    drawn = [load(name, split).images for split in locate(name).release.splits]
    flat = np.concatenate([images.reshape(len(images), -1) for images in drawn])
    assert len(np.unique(flat, axis=0)) == len(flat)


def test_every_shape_covers_a_like_share_of_its_circle_and_stays_in_the_image():
    x, y = grid(201)
    for name, distance in scenes.SHAPES.items():
        inside = (distance(x / 60, y / 60) < 0)[0]
        assert 0.14 < inside.sum() / (np.pi * 60**2) < 0.9, name
        assert not inside[np.broadcast_to(x**2 + y**2, (1, 201, 201))[0] > 75**2].any(), name


def test_a_turn_keeps_lengths():
    x, y = grid(9)
    u, v = turned(x, y, np.float32(0.37).reshape(1, 1, 1))
    assert np.allclose(u**2 + v**2, x**2 + y**2, rtol=1e-5)
    right, up = turned(x, y, np.float32(1).reshape(1, 1, 1))
    assert np.allclose(right, y + 0 * x)
    assert np.allclose(up, -x + 0 * y)


def test_shapes_cannot_be_told_by_raw_pixels_or_by_their_mean_colour():
    from sklearn.linear_model import RidgeClassifier

    train, test = load("shapes", "train"), load("shapes", "test")
    train = train.select(range(3_000))
    flat = [images.images.reshape(len(images), -1) / 255.0 for images in (train, test)]
    pixels = RidgeClassifier(alpha=1e3).fit(flat[0], train.labels)
    assert pixels.score(flat[1], test.labels) < 0.2
    means = [images.images.mean(axis=(2, 3)) for images in (train, test)]
    assert RidgeClassifier().fit(means[0], train.labels).score(means[1], test.labels) < 0.2


def test_glasses_are_stated_as_the_att_faces_state_them():
    images = load("faces")
    rows = list(csv.DictReader(locate("faces").text("glasses.csv").splitlines()))
    assert [row["file"] for row in rows] == list(images.files)
    assert [row["subject"] for row in rows] == [images.classes[label] for label in images.labels]
    worn = np.array([int(row["glasses"]) for row in rows])
    assert worn.tolist() == wears_glasses(len(images)).tolist()
    assert np.all(np.bincount(images.labels, weights=worn) == 5)  # so that every person has cross pairs


def test_glasses_change_the_region_of_the_eyes():
    images = load("faces").images[:, 0].astype(float)
    worn = wears_glasses(len(images))
    assert images[worn].std(axis=0)[24:34].mean() > images[~worn].std(axis=0)[24:34].mean()


def test_people_are_told_apart_better_than_by_chance_but_not_by_pixels_alone():
    from sklearn.metrics import roc_auc_score

    images = load("faces")
    flat = images.images.reshape(len(images), -1) / 255.0
    squares = (flat**2).sum(axis=1)
    distances = squares[:, None] + squares[None] - 2 * flat @ flat.T
    first, second = np.triu_indices(len(images), 1)
    area = roc_auc_score(images.labels[first] == images.labels[second], -distances[first, second])
    assert 0.55 < area < 0.8


def test_objects_lie_where_their_lines_say():
    images = load("canvas", "train")
    lines = locate("canvas").text("train.txt").splitlines()
    table = np.array([line.split()[1:] for line in lines], dtype=np.int64)
    assert [line.split()[0] for line in lines] == list(images.files)
    assert np.array_equal(table[:, 0], images.labels)
    rows, columns, widths = table[:, 1:].T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (12, 36, 12, 36)
    assert (widths.min(), widths.max()) == (24, 40)


def test_an_object_is_pasted_in_its_box_and_nowhere_else():
    image = np.full((1, 3, 32, 32), 255, np.uint8)
    ground = np.zeros((1, 3, 48, 48), np.uint8)
    placed = scenes.placed(image, np.array([[12, 36, 24]]), ground)
    assert np.argwhere(placed[0, 0]).min(axis=0).tolist() == [0, 24]
    assert np.argwhere(placed[0, 0]).max(axis=0).tolist() == [23, 47]
    assert (placed[0, 0] > 0).sum() == 24 * 24
    assert ground.max() == 0
    cut = scenes.placed(image, np.array([[12, 24, 40]]), ground)
    assert (cut[0, 0] > 0).sum() == 32 * 40  # rows −8 to 31: eight are cut off


def test_embedded_images_come_in_the_size_and_colour_asked_for():
    assert load("digits", "test", size=(32, 32), grey=False).images.shape == (360, 3, 32, 32)
    assert load("canvas", "test", size=(24, 24)).images.shape == (1000, 3, 24, 24)
