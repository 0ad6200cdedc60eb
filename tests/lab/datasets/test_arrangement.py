"""Folders of pictures as people have them: wrapped, split by any name, nested, named in any script."""

from __future__ import annotations

import os
import zipfile

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lab.datasets import DataError, load, locate
from lab.datasets.arrangement import arranged, split_of
from tests.lab.datasets.small_files import classes, encoded, packed, write

KINDS = {"cat": 2, "dog": 2}


def places(*folders):
    """Of folders as texts: "train/cat" → ("train", "cat"); None where one is no class."""
    found = arranged(tuple(folder.split("/")) for folder in folders)
    return [found.places.get(tuple(folder.split("/"))) for folder in folders]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *(
            (name, "train")
            for name in ("train", "Training", "TRAIN", "training_set", "train-images", "seg_train")
        ),
        *(
            (name, "validation")
            for name in ("val", "valid", "validation", "Validation Set", "val_images", "dev")
        ),
        *((name, "test") for name in ("test", "testing", "test_set", "seg_test", "testset", "test data")),
        *(
            (name, "")
            for name in ("train_station", "test_tube", "training shoe", "valley", "contest", "trains")
        ),
    ],
)
def test_the_names_of_splits_in_use_are_known_and_no_others(name, split):
    assert split_of(name) == split


CASES = {
    "classes": (["cat", "dog"], [("", "cat"), ("", "dog")]),
    "wrapped": (["a/b/cat", "a/b/dog"], [("", "cat"), ("", "dog")]),
    "splits": (["train/cat", "test/cat"], [("train", "cat"), ("test", "cat")]),
    "wrapped splits": (["x/data/train/cat", "x/data/val/cat"], [("train", "cat"), ("validation", "cat")]),
    "doubled": (["seg_train/seg_train/cat", "seg_test/seg_test/cat"], [("train", "cat"), ("test", "cat")]),
    "wrapped below": (["train/images/cat", "test/images/cat"], [("train", "cat"), ("test", "cat")]),
    "inside classes": (
        ["cat/train", "cat/test", "dog/train", "dog/test"],
        [("train", "cat"), ("test", "cat"), ("train", "dog"), ("test", "dog")],
    ),
    "between": (
        ["photo/train/cat", "photo/test/cat", "sketch/train/cat"],
        [("train", "photo/cat"), ("test", "photo/cat"), ("train", "sketch/cat")],
    ),
    "a common stem": (["pets_train/cat", "pets_test/cat"], [("train", "cat"), ("test", "cat")]),
    "a class like a split": (["train", "bus", "car"], [("", "train"), ("", "bus"), ("", "car")]),
    "such a class in splits": (
        ["train/train", "train/bus", "test/train", "test/bus"],
        [("train", "train"), ("train", "bus"), ("test", "train"), ("test", "bus")],
    ),
    "nested classes": (
        ["cat/black", "cat/white", "dog"],
        [("", "cat/black"), ("", "cat/white"), ("", "dog")],
    ),
    "unlabelled test": (["train/cat", "train/dog", "test"], [("train", "cat"), ("train", "dog"), None]),
    "an extra folder": (["train/cat", "test/cat", "pred"], [("train", "cat"), ("test", "cat"), None]),
    "one split": (["train/cat", "train/dog"], [("train", "cat"), ("train", "dog")]),
    "no classes": (["train", "test"], [None, None]),
    "one class": (["cats"], [("", "cats")]),
    "decomposed accents": (
        ["train/cafe\u0301", "test/caf\u00e9"],
        [("train", "caf\u00e9"), ("test", "caf\u00e9")],
    ),
}


@pytest.mark.parametrize(("folders", "expected"), CASES.values(), ids=CASES)
def test_layouts_are_told_apart(folders, expected):
    assert places(*folders) == expected


names = st.text("abcdefghij猫é &$#%{}", min_size=1, max_size=6).filter(
    lambda name: name.strip() == name and not split_of(name)
)
SPLIT_NAMES = {
    "train": ["train", "Training", "training_set", "seg_train"],
    "validation": ["val", "valid", "validation"],
    "test": ["test", "testing", "test_set"],
}


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(names, min_size=2, max_size=5, unique=True),
    st.lists(names, max_size=3),
    st.dictionaries(st.sampled_from(list(SPLIT_NAMES)), st.integers(0, 2), max_size=3),
    st.booleans(),
    st.booleans(),
)
def test_classes_and_splits_come_out_of_any_tree_that_is_made_of_them(
    kinds, wrapping, splits, doubled, inside
):
    """However deep the wrapping, whatever the splits are called and wherever they stand."""
    assume(len(splits) > 1 or not inside)
    kinds = sorted({kind.casefold(): kind for kind in kinds}.values())
    assume(len(kinds) > 1)
    tree = {}
    for split, which in (splits or {"": 0}).items():
        name = SPLIT_NAMES[split][which] if split else None
        for kind in kinds:
            around = [] if name is None else [name, name] if doubled and not inside else [name]
            tree[(*wrapping, *((kind, *around) if inside else (*around, kind)))] = (split, kind)
    found = arranged(tree)
    assert found.places == tree
    assert not found.unused


@given(st.lists(st.lists(st.sampled_from(["train", "test", "a", "b", "val"]), max_size=4), max_size=8))
def test_no_folder_is_lost(folders):
    """Every one that holds pictures has a class, or a reason why it has none."""
    wanted = {tuple(folder) for folder in folders}
    found = arranged(wanted)
    assert set(found.places) | set(found.unused) == wanted
    assert not set(found.places) & set(found.unused)
    assert all(label and not label.startswith("/") for _, label in found.places.values())


def test_files_are_counted_with_what_was_left_out_and_why(tmp_path):
    files = {
        f"archive/dataset/{split}/{name}": c
        for split in ("train", "test")
        for name, c in classes(KINDS).items()
    }
    files |= {"archive/dataset/train/cat/1.HEIC": b"x", "archive/dataset/train/cat/2.heic": b"x"}
    files |= {"archive/README.txt": "read me", "archive/dataset/stray.png": encoded(99)}
    files |= {"archive/dataset/train/cat/.hidden.png": encoded(98), "archive/dataset/.DS_Store": b"x"}
    release = locate(f"folder:{write(tmp_path / 'pets', files)}").release
    assert release.splits == ("train", "test")
    assert release.images == 8
    told = " ".join(release.notes)
    for part in (
        "2 files of a kind that cannot be read were left out: 2 .heic",
        "README.txt",
        "stray.png",
        ".hidden",
    ):
        assert part in told, told
    assert "DS_Store" not in told


def test_classes_that_a_split_lacks_and_classes_like_splits_are_pointed_at(tmp_path):
    files = {f"train/{name}": content for name, content in classes({"cat": 1, "dog": 1, "test_a": 1}).items()}
    files |= {f"test/{name}": content for name, content in classes({"cat": 1}).items()}
    notes = " ".join(locate(f"folder:{write(tmp_path / 'pets', files)}").release.notes)
    assert "the split test has no image of 2 classes: dog, test_a" in notes
    assert "begins like that of a split (test_a)" in notes


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            {"1.png": encoded(1), "2.png": encoded(2)},
            "holds 2 pictures beside each other .* folder of its own",
        ),
        ({"train/1.png": encoded(1), "test/2.png": encoded(2)}, "holds 2 pictures in no class folder"),
        (
            {"cat/1.heic": b"x", "dog/2.heic": b"x"},
            "no images in class folders .*2 .heic; convert them to JPEG",
        ),
    ],
)
def test_what_holds_no_classes_says_what_is_there(tmp_path, files, told):
    with pytest.raises(DataError, match=told):
        locate(f"folder:{write(tmp_path / 'pets', files)}")


def test_what_is_no_archive_is_one_sentence(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(encoded(1, ".jpg"))
    with pytest.raises(DataError, match=r"photo\.jpg is no folder, zip or tar"):
        locate(f"folder:{tmp_path}/photo.jpg")


def raw_zip(path, entries):
    """A zip whose names, 16 bytes each, are not marked as UTF-8, as many programs write them."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, content in enumerate(entries.values()):
            archive.writestr(f"{number:016d}", content)
    written = path.read_bytes()
    for number, name in enumerate(entries):
        written = written.replace(b"%016d" % number, name)
    path.write_bytes(written)
    return path


@pytest.mark.parametrize(
    ("kinds", "encoding"),
    [
        (("café", "dog"), "utf-8"),
        (("café", "chêne"), "latin-1"),
        (("猫", "狗"), "gbk"),  # the first of them is UTF-8 too, of another letter
        (("café", "dog"), "cp437"),
    ],
    ids=["utf-8", "latin-1", "gbk", "dos"],
)
@pytest.mark.parametrize("separator", [b"/", b"\\"], ids=["slash", "backslash"])
def test_names_in_a_zip_are_read_in_their_encoding(tmp_path, kinds, encoding, separator):
    entries = {}
    for kind in kinds:
        for number in (1, 2):
            folder = kind.encode(encoding) + separator
            entries[folder + (b"%d.png" % number).rjust(16 - len(folder), b"0")] = encoded(len(entries))
    found = load(f"folder:{raw_zip(tmp_path / 'pets.zip', entries)}")
    assert set(found.classes) == set(kinds)
    assert len(found) == 4


def test_names_of_other_encodings_in_a_folder_are_read_and_said(tmp_path):
    folder = write(tmp_path / "pets", classes(KINDS))
    (folder / "cat").rename(folder / os.fsdecode(b"caf\xe9"))
    (folder / "dog/0000.png").rename(folder / "dog" / os.fsdecode(b"\xc3\xa8\xe8.png"))
    found = load(f"folder:{folder}")
    assert found.classes == ("caf\u00e9", "dog")
    assert len(found) == 4
    assert any("not in UTF-8" in note and "Latin-1" in note for note in found.notes)


def test_two_names_that_read_alike_stay_two(tmp_path):
    folder = write(tmp_path / "pets", classes(KINDS))
    (folder / "cat/0000.png").rename(folder / "cat" / os.fsdecode(b"\xe9.png"))
    (folder / "cat/0001.png").rename(folder / "cat" / os.fsdecode(b"\xc3\xa9.png"))
    assert len(set(load(f"folder:{folder}").files)) == 4


def test_control_characters_of_a_name_do_not_reach_a_terminal(tmp_path):
    files = {f"c\x1b[31mat/{name.rpartition('/')[2]}": c for name, c in classes({"cat": 2}).items()}
    found = load(f"folder:{write(tmp_path / 'pets', {**files, **classes({'dog': 2})})}")
    assert found.classes == (r"c\x1b[31mat", "dog")


def test_a_zip_that_points_outside_or_holds_links_names_them(tmp_path):
    path = packed(
        tmp_path / "pets.zip", {**classes(KINDS), "../out.png": encoded(9), "/abs/a.png": encoded(8)}
    )
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("cat/link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "0000.png")
    release = locate(f"folder:{path}").release
    assert release.images == 4
    told = " ".join(release.notes)
    assert all(part in told for part in ("../out.png", "/abs/a.png", "a link inside a zip): cat/link.png"))


def test_links_are_followed_once_and_circles_are_named(tmp_path):
    folder = write(tmp_path / "pets", {**classes(KINDS), "a/x.png": encoded(7), "b/y.png": encoded(8)})
    (folder / "kitten").symlink_to(folder / "cat")
    (folder / "a" / "to_b").symlink_to(folder / "b")
    (folder / "b" / "to_a").symlink_to(folder / "a")
    (folder / "dog" / "gone.png").symlink_to(folder / "nothing.png")
    release = locate(f"folder:{folder}").release
    found = load(f"folder:{folder}")
    assert set(found.classes) == {"cat", "dog", "kitten", "a", "b", "a/to_b", "b/to_a"}
    told = " ".join(release.notes)
    assert "a link to a folder that it is in" in told
    assert "a link that leads nowhere): dog/gone.png" in told
