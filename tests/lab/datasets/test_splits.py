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
@settings(max_examples=60)
def test_parts_are_disjoint_cover_everything_and_keep_the_proportions(counts, fractions, seed):
    labels = labelled(counts)
    try:
        parts = splits.stratified(labels, fractions, seed)
    except DataError as error:  # only where a part has hardly more images than there are classes
        assert "too few" in str(error) or "cannot have one of each" in str(error)
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
    with pytest.raises(DataError) as refused:
        splits.stratified(labelled([50, 1]), [0.8, 0.2], seed=0, classes=("common", "rare"))
    assert str(refused.value) == (
        "the class rare has 1 image, too few for a split into 41 + 10 of 51 images, which takes at least 3; "
        "add images or leave the class out"
    )
    assert len(splits.stratified(labelled([50, 3]), [0.8, 0.2], seed=0)) == 2
    for fewer in (1, 2):
        with pytest.raises(DataError, match="which takes at least 3; add images"):
            splits.stratified(labelled([50, fewer]), [0.8, 0.2], seed=0)


def test_a_part_smaller_than_the_number_of_classes_is_named():
    with pytest.raises(
        DataError, match=r"a part of 0 images, in a split into 0 \+ 2 of 2 images, cannot have"
    ):
        splits.stratified(labelled([1, 1]), [0, 2], seed=0)


def test_one_image_of_a_class_gives_no_folds():
    with pytest.raises(DataError, match="class b has 1 image, too few for 4 folds; add images or leave"):
        splits.folds(labelled([9, 1]), 4, seed=0, classes=("a", "b"))


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


@given(
    counts=st.lists(st.integers(20, 60), min_size=2, max_size=5),
    fractions=st.sampled_from([(0.8, 0.2), (0.6, 0.2, 0.2), (0.5, 0.25)]),
    sizes=st.lists(st.integers(2, 5), max_size=12),
    seed=st.integers(0, 99),
)
@settings(max_examples=60)
def test_near_duplicates_stay_together_and_the_parts_keep_their_numbers(counts, fractions, sizes, seed):
    labels = labelled(counts)
    drawn = np.random.default_rng(seed)
    groups = np.arange(len(labels))
    places = drawn.permutation(len(labels))  # groups across classes too, of at most 60 images
    for size in sizes[: len(labels) // 10]:
        members, places = places[:size], places[size:]
        groups[members] = groups[members[0]]
    parts = splits.stratified(labels, fractions, seed, groups=groups)
    alone = splits.stratified(labels, fractions, seed)
    assert [np.bincount(labels[part]).tolist() for part in parts] == [
        np.bincount(labels[part]).tolist() for part in alone
    ]
    owners = [set(groups[part]) for part in parts]
    assert sum(map(len, owners)) == len(set.union(*owners))
    rest = set(groups[np.setdiff1d(np.arange(len(labels)), np.concatenate(parts))])
    assert not rest & set.union(*owners)


def test_a_group_is_in_a_part_as_often_as_the_part_is_large():
    labels = labelled([50, 50])
    groups = np.arange(100)
    groups[:4] = 0
    test = [0 in splits.stratified(labels, [0.75, 0.25], seed, groups=groups)[1] for seed in range(300)]
    assert 0.2 < np.mean(test) < 0.3


def test_so_many_of_each_class_can_be_asked_for():
    parts = splits.by_number(labelled([10, 20]), [{0: 5, 1: 5}, {0: 2, 1: 7}], seed=0)
    assert [np.bincount(labelled([10, 20])[part]).tolist() for part in parts] == [[5, 5], [2, 7]]


def test_a_class_of_near_duplicates_only_is_named():
    with pytest.raises(DataError, match="of the class same too many images are near-duplicates"):
        splits.stratified(
            labelled([20, 20]), [0.8, 0.2], 0, ("same", "other"), np.r_[[0] * 20, np.arange(1, 21)]
        )


def test_one_class_alone_is_refused_before_anything_is_trained():
    with pytest.raises(DataError, match=r"class cats; .* needs images of two or more"):
        splits.stratified(labelled([20]), [0.8, 0.2], 0, ("cats",))
    with pytest.raises(DataError, match="all images are of the class cats"):
        splits.grouped(labelled([4]), list("aabb"), 0.5, 0, ("cats",))
