"""Near-duplicates: copies are found however they were changed, and other pictures are left alone."""

from __future__ import annotations

import io
import os
import time

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps
from sklearn.datasets import load_sample_images

from lab.datasets import duplicates, load
from lab.datasets.duplicates import clusters, descriptions, near_duplicates

REAL = os.environ.get("CONVSTUDY_DATA")
SIZE = 128


def patches():
    """Places of two photographs, which share nothing; without those of empty sky."""
    for photograph in load_sample_images().images:
        for top in range(0, 4 * 100, 100):
            for left in range(0, 6 * 100, 100):
                place = photograph[top : top + 100, left : left + 100]
                if place.mean(2).std() > 20:
                    yield Image.fromarray(place)


def jpeg(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=40)
    return Image.open(file)


CHANGES = {
    "as it is": lambda image: image,
    "compressed": jpeg,
    "grey": ImageOps.grayscale,
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.5),
    "flat": lambda image: ImageEnhance.Contrast(image).enhance(0.4),
    "mirrored": ImageOps.mirror,
    "smaller": lambda image: image.resize((40, 40)),
    "squeezed": lambda image: image.resize((100, 90)),
    "cropped": lambda image: image.crop((1, 2, 99, 98)),
}


def stack(images):
    frames = (np.asarray(image.convert("RGB").resize((SIZE, SIZE))) for image in images)
    return np.stack([np.moveaxis(frame, -1, 0) for frame in frames])


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_no_other_picture(change):
    originals = list(patches())
    copies = [CHANGES[change](image) for image in originals[::3]]
    groups = near_duplicates(stack(originals + copies))
    assert groups[: len(originals)].tolist() == list(range(len(originals)))
    found = groups[len(originals) :] == np.arange(len(originals))[::3]
    assert found.mean() >= 0.9, [int(index) for index in np.flatnonzero(~found)]


def test_similarity_is_a_product_and_does_not_depend_on_size_or_light():
    images = stack(list(patches())[:6])
    (first, again), others = (
        descriptions(np.stack([images[0], images[0] // 2 + 60])),
        descriptions(images[1:]),
    )
    assert first @ first == pytest.approx(1, abs=1e-5)
    assert first @ again > 0.99
    assert np.abs(others @ first).max() < 0.6


def test_groups_are_what_pairs_connect_and_are_numbered_by_their_first_image():
    a, b, c = stack(list(patches())[:3])
    images = np.stack([b, a, c, a[:, :, ::-1], b, a])
    groups = near_duplicates(images)
    assert groups.tolist() == [0, 1, 2, 1, 0, 1]
    assert clusters(groups) == [[0, 4], [1, 3, 5]]


def test_groups_are_the_same_however_many_pairs_are_held_at_a_time(monkeypatch):
    """All frames of a film are alike: their pairs would not fit in memory."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (60, 1, 8, 8))[random.integers(0, 60, 900)].repeat(4, 2).repeat(4, 3)
    images = np.clip(images + random.normal(0, 40, images.shape), 0, 255).astype(np.uint8)
    groups = near_duplicates(images)
    assert 60 < len(set(groups.tolist())) < 900
    for pairs, across in ((10, 20_000), (100, 70)):
        monkeypatch.setattr(duplicates, "PAIRS", pairs)
        monkeypatch.setattr(duplicates, "ACROSS", across)
        assert np.array_equal(near_duplicates(images), groups)


def test_images_without_contrast_are_like_no_other():
    flat = np.full((4, 3, 40, 40), 200, np.uint8)
    assert near_duplicates(flat).tolist() == [0, 1, 2, 3]
    assert near_duplicates(flat[:0]).tolist() == []


def test_what_is_no_image_or_no_similarity_is_refused():
    with pytest.raises(ValueError, match=r"images are uint8 \(N, C, H, W\), and these are float64"):
        near_duplicates(np.zeros((2, 3, 8, 8)))
    with pytest.raises(ValueError, match="the threshold is a similarity above 0, at most 1, and this is 5"):
        near_duplicates(np.zeros((2, 3, 8, 8), np.uint8), 5)


def test_thousands_of_images_take_seconds():
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (3_000, 1, 32, 32), dtype=np.uint8)
    images[2_999] = images[5]
    started = time.perf_counter()
    assert clusters(near_duplicates(images)) == [[5, 2_999]]
    assert time.perf_counter() - started < 10


@pytest.mark.skipif(not REAL, reason="CONVSTUDY_DATA is not set")
def test_the_photographs_that_faces_and_textures_have_twice_are_found(monkeypatch):
    monkeypatch.setenv("CONVSTUDY_DATA", REAL)
    counts = {}
    for name in ("facescrub9", "dtd10"):
        images = load(name, size=(64, 64), grey=True).images
        found = clusters(near_duplicates(images))
        counts[name] = (len(found), sum(map(len, found)))
    assert counts == {"facescrub9": (68, 152), "dtd10": (23, 58)}
