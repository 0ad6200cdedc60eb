"""Splits: disjoint, in proportion, whole groups, and refused where a class is too small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.datasets import DataError, splits


def labelled(counts):
    return np.repeat(np.arange(len(counts)), counts)


@given(
    counts=st.lists(st.integers(6, 40), min_size=2, max_size=6),
    fractions=st.sampled_from([(0.5, 0.5), (0.8, 0.2), (0.6, 0.2, 0.2), (0.25, 0.25, 0.25, 0.25)]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_parts_are_disjoint_cover_everything_and_keep_the_proportions(counts, fractions, seed):
    labels = labelled(counts)
    try:
        parts = splits.stratified(labels, fractions, seed)
    except DataError as error:  # only where a part has hardly more images than there are classes
        assert "too few" in str(error)
        assert min(counts) * min(fractions) < 2
        return
    assert sorted(np.concatenate(parts)) == list(range(len(labels)))
    for part, fraction in zip(parts, fractions, strict=True):
        shares = np.bincount(labels[part], minlength=len(counts))
        assert np.all(np.abs(shares - np.array(counts) * fraction) <= len(fractions))


def test_halves_of_two_odd_classes_are_possible():
    parts = splits.stratified(labelled([5, 5]), [0.5, 0.5], seed=0)
    assert [len(part) for part in parts] == [5, 5]


def test_fractions_of_an_odd_number_are_not_one_image_too_many():
    assert sum(map(len, splits.stratified(labelled([6, 5]), [0.5, 0.5], seed=0))) == 11


def test_a_number_of_images_may_be_asked_for_in_any_integer_type():
    (part,) = splits.stratified(labelled([50, 50]), [np.int64(10)], seed=0)
    assert np.bincount(labelled([50, 50])[part]).tolist() == [5, 5]


def test_the_seed_alone_decides():
    labels = labelled([30, 30])
    first, again, other = (splits.stratified(labels, [0.5], seed)[0] for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()


def test_a_class_too_small_for_a_split_is_named():
    with pytest.raises(DataError, match=r"class rare has 1 images, too few .* leave the class out"):
        splits.stratified(labelled([50, 1]), [0.8, 0.2], seed=0, classes=("common", "rare"))


def test_more_images_than_there_are_is_refused():
    with pytest.raises(DataError, match="12 images are asked for and there are 10"):
        splits.stratified(labelled([5, 5]), [12], seed=0)


def test_folds_cover_everything_once():
    labels = labelled([10, 15])
    held_out = splits.folds(labels, 5, seed=3)
    assert sorted(np.concatenate(held_out)) == list(range(25))
    assert all(np.bincount(labels[part]).tolist() == [2, 3] for part in held_out)


def test_too_many_folds_for_a_class_name_it_even_where_a_class_number_is_unused():
    labels = np.array([0] * 5 + [2] * 3)
    with pytest.raises(DataError, match="class c has 3 images, too few for 4 folds; use at most 3"):
        splits.folds(labels, 4, seed=0, classes=("a", "b", "c"))


def test_groups_stay_whole():
    labels = labelled([40, 40])
    groups = [f"{label}/{index // 4}" for index, label in enumerate(labels)]
    first, second = splits.grouped(labels, groups, share=0.25, seed=0)
    assert sorted([*first, *second]) == list(range(80))
    assert not {groups[index] for index in first} & {groups[index] for index in second}
    assert np.bincount(labels[second]).tolist() in ([8, 8], [12, 12])


def test_a_class_of_one_group_cannot_be_split_by_groups():
    with pytest.raises(DataError, match="class stop has one group only"):
        splits.grouped(labelled([4, 4]), ["a"] * 4 + ["b"] * 2 + ["c"] * 2, 0.5, 0, classes=("stop", "yield"))
