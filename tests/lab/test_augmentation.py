"""Augmented batches against torchvision's transforms, image by image, on real and drawn images."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms import functional as tv

from lab.augmentation import CHANGES, Draw, augment, draw, kept_inside, move_boxes
from lab.datasets import load
from lab.datasets.scenes import boxes
from lab.recipes import Augmentation

COUNT = 64


@cache
def images(name: str = "digits") -> Tensor:
    """(64, C, H, W) uint8: grey 8×8 digits, or coloured 32×32 shapes."""
    return torch.from_numpy(load(name, "train").images[:COUNT].copy())


def choices(augmentation: Augmentation, epoch: int = 0, seed: int = 0) -> Draw:
    return draw(augmentation, COUNT, epoch, seed, torch.Generator().manual_seed(seed + epoch))


def moved(augmentation: Augmentation, name: str = "digits", epoch: int = 0, seed: int = 0) -> Tensor:
    return augment(images(name), augmentation, choices(augmentation, epoch, seed), torch.arange(COUNT))


def by_torchvision(image: Tensor, mirrored: bool, rows: int, columns: int, reach: int) -> Tensor:
    """Mirrored, padded by reflection, and cropped where the content moves by (rows, columns)."""
    height, width = image.shape[1:]
    image = tv.hflip(image) if mirrored else image
    padded = tv.pad(image, [reach] * 4, padding_mode="reflect")
    return tv.crop(padded, reach - rows, reach - columns, height, width)


@pytest.mark.parametrize("name", ["digits", "shapes"])
@pytest.mark.parametrize("flip", ["none", "random", "alternating"])
@pytest.mark.parametrize("shift", [0, 2, 7])
def test_mirroring_and_moving_is_torchvisions_of_each_image(name, flip, shift):
    augmentation = Augmentation(flip=flip, shift=shift)
    drawn, batch = choices(augmentation), moved(augmentation, name)
    for image, result, mirrored, by in zip(
        images(name), batch, drawn.mirrored.tolist(), drawn.shifts.tolist(), strict=True
    ):
        expected = by_torchvision(image, mirrored, *by, reach=shift) if shift else image
        expected = tv.hflip(image) if mirrored and not shift else expected
        assert torch.equal(result, expected)
    assert batch.dtype == torch.uint8


def test_every_translation_within_reach_is_drawn_and_none_beyond():
    generator = torch.Generator().manual_seed(0)
    shifts = draw(Augmentation(shift=2), 2_000, 0, 0, generator).shifts
    reach = range(-2, 3)
    assert {tuple(shift) for shift in shifts.tolist()} == {(row, column) for row in reach for column in reach}


def test_random_flips_mirror_about_half_anew_every_epoch():
    augmentation = Augmentation(flip="random")
    first, second = choices(augmentation, 0).mirrored, choices(augmentation, 1).mirrored
    assert 16 < first.sum() < 48
    assert 16 < (first ^ second).sum() < 48


@given(st.integers(0, 2**32 - 1), st.integers(0, 20))
def test_alternating_flips_mirror_every_image_in_every_other_epoch(seed, epoch):
    augmentation = Augmentation(flip="alternating")
    mirrored = [choices(augmentation, epoch + later, seed).mirrored for later in range(3)]
    assert torch.equal(mirrored[0], ~mirrored[1])
    assert torch.equal(mirrored[0], mirrored[2])
    assert 0 < mirrored[0].sum() < COUNT, "not all of them in the same epoch"


@pytest.mark.parametrize(("name", "side"), [("digits", 1), ("digits", 3), ("digits", 8), ("shapes", 12)])
def test_cutout_zeroes_one_whole_square_and_nothing_else(name, side):
    light = images(name).clamp(min=1)
    augmentation = Augmentation(cutout=side)
    cut = augment(light, augmentation, choices(augmentation), torch.arange(COUNT))
    for image, result in zip(light, cut, strict=True):
        rows, columns = (result[0] == 0).nonzero().T
        assert len(rows) == side**2
        assert (rows.max() - rows.min(), columns.max() - columns.min()) == (side - 1, side - 1)
        restored = result.clone()
        restored[:, rows, columns] = image[:, rows, columns]
        assert torch.equal(restored, image)
        assert not result[:, rows, columns].any(), "in every channel"


def test_a_square_may_lie_anywhere_inside():
    size = 8 - 3 + 1
    generator = torch.Generator().manual_seed(0)
    drawn = draw(Augmentation(cutout=3), 1_000, 0, 0, generator)
    light = torch.ones(1_000, 1, 8, 8, dtype=torch.uint8)
    cut = augment(light, Augmentation(cutout=3), drawn, torch.arange(1_000))
    corners = {tuple((image[0] == 0).nonzero()[0].tolist()) for image in cut}
    assert corners == {(row, column) for row in range(size) for column in range(size)}


@given(
    st.sampled_from(["none", "random", "alternating"]),
    st.integers(0, 7),
    st.integers(0, 8),
    st.permutations(range(COUNT)),
    st.integers(1, COUNT),
)
def test_what_an_image_becomes_does_not_depend_on_its_batch(flip, shift, cutout, order, batch):
    augmentation = Augmentation(flip, shift, cutout)
    drawn, whole = choices(augmentation), moved(augmentation)
    for indices in torch.tensor(order).split(batch):
        assert torch.equal(augment(images()[indices], augmentation, drawn, indices), whole[indices])


@given(
    seed=st.integers(0, 1_000),
    flip=st.sampled_from(("none", "random", "alternating")),
    shift=st.integers(0, 30),
    epoch=st.integers(0, 1),
)
def test_squares_follow_their_images_and_stay_on_them(seed, flip, shift, epoch):
    side, squares = 48, torch.from_numpy(boxes(12, seed))
    images = torch.zeros(12, 1, side, side, dtype=torch.uint8)
    for image, (row, column, width) in zip(images, squares.tolist(), strict=True):
        top, left = row - width // 2, column - width // 2
        image[:, top : top + width, left : left + width] = 1
    augmentation = Augmentation(flip=flip, shift=shift)
    choices = draw(augmentation, 12, epoch, seed, torch.Generator().manual_seed(seed))
    choices = kept_inside(choices, squares, side)
    indices = torch.randperm(12)[:7]
    found = move_boxes(squares[indices], choices, indices, side)
    for image, (row, column, width) in zip(
        augment(images[indices], augmentation, choices, indices)[:, 0], found.tolist(), strict=True
    ):
        lies = torch.zeros(side, side, dtype=torch.uint8)
        top, left = row - width // 2, column - width // 2
        assert top >= 0 and left >= 0 and top + width <= side and left + width <= side
        lies[top : top + width, left : left + width] = 1
        assert (lies <= image).all()  # beyond it the border is reflected
        if not choices.shifts.any():
            assert torch.equal(lies, image)


def test_squares_are_moved_as_far_as_they_can():
    squares = torch.tensor([[24, 24, 40], [12, 30, 24]])
    choices = Draw(torch.tensor([False, True]), torch.tensor([[9, -9], [-3, 3]]), torch.zeros(2, 2))
    kept = kept_inside(choices, squares, 48)
    assert kept.shifts.tolist() == [[4, -4], [0, 3]]
    assert move_boxes(squares, kept, torch.arange(2), 48).tolist() == [[28, 20, 40], [12, 21, 24]]


@pytest.mark.parametrize("name", ["digits", "shapes"])
def test_float_images_are_treated_as_uint8_ones(name):
    augmentation = Augmentation("random", 2, 3)
    drawn, indices = choices(augmentation), torch.arange(COUNT)
    floats = augment(images(name).float(), augmentation, drawn, indices)
    assert floats.dtype == torch.float32
    assert torch.equal(floats, moved(augmentation, name).float())


def test_nothing_asked_for_is_nothing_done():
    assert torch.equal(moved(Augmentation()), images())


@pytest.mark.parametrize(("shift", "cutout"), [(8, 0), (0, 9)])
def test_what_does_not_fit_the_image_is_refused_with_what_does(shift, cutout):
    with pytest.raises(ValueError, match=r"8×8 pixels can move by at most 7 and be cut by at most 8, not by"):
        moved(Augmentation(shift=shift, cutout=cutout))


@pytest.mark.parametrize("wrong", [{"flip": "often"}, {"shift": -1}, {"cutout": -2}])
def test_a_wrong_augmentation_is_refused(wrong):
    with pytest.raises(ValueError, match=r"flip is none, random or alternating|0 or more"):
        Augmentation(**wrong)


# --- the changes that robustness is tested with


def fractions(name: str) -> Tensor:
    return images(name) / 255


@pytest.mark.parametrize("name", ["digits", "shapes"])
@pytest.mark.parametrize("change", CHANGES)
def test_changes_keep_shape_type_and_range_and_leave_the_original(change, name):
    given_ = fractions(name)
    changed = CHANGES[change](given_)
    assert changed.shape == given_.shape and changed.dtype == given_.dtype
    assert changed.min() >= 0 and changed.max() <= 1
    assert not torch.equal(changed, given_) or (change, name) == ("translated", "digits"), "a tenth of 8 is 0"
    assert torch.equal(given_, fractions(name))


@pytest.mark.parametrize("change", ["flipped", "upside_down", "inverted"])
def test_a_change_done_twice_is_undone(change):
    twice = CHANGES[change](CHANGES[change](fractions("shapes")))
    torch.testing.assert_close(twice, fractions("shapes"), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("change", "torchvisions"),
    {
        "flipped": tv.hflip,
        "upside_down": tv.vflip,
        "inverted": tv.invert,
        # torchvision blends with black, or with the mean grey; ours adds, and is centred on ½
        "brightened": lambda one: (one + 0.2).clamp(max=1),
        "darkened": lambda one: (one - 0.2).clamp(min=0),
        "high_contrast": lambda one: (1.5 * one - 0.25).clamp(0, 1),
        "low_contrast": lambda one: 0.5 * one + 0.25,
        # three pixels of 32
        "translated": lambda one: F.pad(one[None], (3, 0, 3, 0), "replicate")[0, :, :32, :32],
    }.items(),
)
def test_changes_are_what_they_are_called(change, torchvisions):
    for image, changed in zip(fractions("shapes"), CHANGES[change](fractions("shapes")), strict=True):
        torch.testing.assert_close(changed, torchvisions(image), atol=1e-6, rtol=0)


def test_every_change_is_tested_by_name():
    assert len(CHANGES) == 8
