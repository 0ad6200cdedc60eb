"""Finders of official layouts that are not class folders: GTSRB, DTD, MeGlass, Omniglot, Visual Decathlon."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from lab.datasets.decoding import Damaged, Size
from lab.datasets.files import Files, first_of, is_image, open_files
from lab.datasets.images import DataError, ImageSet
from lab.datasets.layouts import Content, Listed, Release, folder_release, listed_release

DECATHLON = (
    "aircraft",
    "cifar100",
    "daimlerpedcls",
    "dtd",
    "gtsrb",
    "omniglot",
    "svhn",
    "ucf101",
    "vgg-flowers",
)


def _text(files: Files, name: str) -> str:
    with files.reading() as reader:
        return reader.content(name).decode("utf-8", errors="replace")


def gtsrb(root: Path, name: str) -> Release | None:
    """The official archives, unpacked or not: frames with `GT-000NN.csv`, from which the box of the sign."""
    places = [path for path in (root / "GTSRB", root / "gtsrb") if path.is_dir()][:1]
    found = [open_files(path) for path in (*places, *sorted(root.glob("GTSRB*.zip")))]
    training: dict[tuple[str, str], Listed] = {}  # by class and frame: archives may repeat each other
    test: list[Listed] = []
    images = {PurePosixPath(n).name: (files, n) for files in found for n in files.names if "Final_Test/" in n}
    for files in found:
        for annotation in sorted(n for n in files.names if re.search(r"(^|/)GT-(\d{5}|final_test)\.csv$", n)):
            folder = annotation.rpartition("/")[0]
            for row in csv.DictReader(_text(files, annotation).splitlines(), delimiter=";"):
                frame, label, box = _annotated(row, f"{annotation} in {files.path}")
                if annotation.endswith("final_test.csv"):
                    if frame in images:
                        test.append(Listed(*images[frame], label, box))
                elif f"{folder}/{frame}" in files.names:
                    training.setdefault((label, frame), Listed(files, f"{folder}/{frame}", label, box))
    splits = {"train": tuple(training.values()), "test": tuple(test)}
    splits = {split: entries for split, entries in splits.items() if entries}
    return listed_release("official frames with boxes", found, splits) if splits else None


def _annotated(row: dict[str, str], where: str) -> tuple[str, str, tuple[int, int, int, int]]:
    try:
        left, top, right, bottom = (int(row[f"Roi.{corner}"]) for corner in ("X1", "Y1", "X2", "Y2"))
        return row["Filename"], f"{int(row['ClassId']):05d}", (left, top, right, bottom)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where} is no annotation of GTSRB ({error}); fetch it again") from None


def tracks(images: ImageSet) -> tuple[str, ...]:
    """The track of each training image of GTSRB, from names such as `00009/00003_00012`.

    The frames of a track show one sign, moments apart: split by track, never by frame.
    """
    found = [re.search(r"(\d{5}/\d{5})_\d{5}\.\w+$", file) for file in images.files]
    if not all(found):
        raise DataError(f"the files of {images.name} ({images.split}) are not named CLASS/TRACK_FRAME")
    return tuple(match.group(1) for match in found if match)


def dtd(root: Path, name: str) -> Release | None:
    """`dtd/images/CLASS/*.jpg` with `labels/train1.txt`…: ten folds, the first as train, validation, test."""
    place = first_of(root, "dtd", "dtd-r1.0.1")
    files = open_files(place) if place else None
    if files is None or "labels/train1.txt" not in files.names:
        return None
    splits = {}
    for fold in range(1, 11):
        for kind, split in (("train", "train"), ("val", "validation"), ("test", "test")):
            listing = f"labels/{kind}{fold}.txt"
            if listing in files.names:
                entries = tuple(_textures(files, listing))
                splits[split if fold == 1 else f"{split}{fold}"] = entries
    return listed_release("official lists", [files], splits)


def _textures(files: Files, listing: str) -> Iterator[Listed]:
    for line in _text(files, listing).split():
        if f"images/{line}" not in files.names:
            raise DataError(f"{files.path} lacks images/{line}, which {listing} names; fetch it again")
        yield Listed(files, f"images/{line}", line.partition("/")[0])


def meglass(root: Path, name: str) -> Release | None:
    """`meta.txt` (file, glasses 0 or 1) with the images in any folder; the class is the person."""
    place = first_of(root, "MeGlass", "meglass", "MeGlass_120x120")
    files = open_files(place) if place else None
    if files is None or not any(PurePosixPath(n).name == "meta.txt" for n in files.names):
        return None
    meta = next(n for n in sorted(files.names) if PurePosixPath(n).name == "meta.txt")
    listed = {line.split()[0] for line in _text(files, meta).splitlines() if line.strip()}
    by_name: dict[str, Listed] = {}
    for member in files.members:
        file = PurePosixPath(member.name).name
        if file in listed and is_image(file):
            by_name.setdefault(file, Listed(files, member.name, file.rpartition("@")[0]))
    if not by_name:
        return None
    note = f"{len(by_name)} of the {len(listed)} images that meta.txt names are here"
    return listed_release("official lists", [files], {"all": tuple(by_name.values())}, notes=(note,))


#: The protocols of MeGlass: lists of the gallery, and of the probes that are looked for in it.
MEGLASS_PROTOCOLS = {
    "none/none": (("gallery_no_glass",), ("probe_no_glass",)),
    "with/with": (("gallery_black_glass",), ("probe_black_glass",)),
    "none/with": (("gallery_no_glass",), ("probe_black_glass",)),
    "mixed": (("gallery_no_glass", "gallery_black_glass"), ("probe_no_glass", "probe_black_glass")),
}


def meglass_lists(release: Release) -> dict[str, tuple[str, ...]]:
    """The files of each of the four official lists, one image a person."""
    names = sorted({name for ends in MEGLASS_PROTOCOLS.values() for end in ends for name in end})
    return {name: tuple(release.text(f"{name}.txt").split()) for name in names}


def omniglot(root: Path, name: str) -> Release | None:
    """`images_background_small1/ALPHABET/characterNN/*.png` and small2 as one, as folders or zips."""
    for base in (root, root / "omniglot", root / "omniglot" / "python"):
        small = [first_of(base, f"images_background_small{number}") for number in (1, 2)]
        there = [path for path in small if path]
        if there:
            return folder_release(there, ["all"] * len(there))
    return None


def decathlon(domain: str, root: Path, name: str) -> Release | None:
    """`DOMAIN/train/NNNN/*.jpg` and `val/`; the test images of the challenge have no public labels."""
    for base in (root / "decathlon-1.0-data", root / "decathlon", root):
        place = first_of(base, domain) if base.is_dir() else None
        found = folder_release([place]) if place else None
        if found and set(found.splits) == {"train", "validation"}:
            return found
    return None


def labels_only(root: Path, name: str) -> Release | None:
    """The lists of the Transformed CIFAR-10: `train.txt` and `test.txt`, without images."""
    place = first_of(root, name, f"{name}_labels")
    files = open_files(place) if place else None
    if files is None or not any(PurePosixPath(n).name == "train.txt" for n in files.names):
        return None

    def read(split: str, size: Size, grey: bool, damaged: Damaged) -> Content:
        raise DataError(f"{name} holds labels only; its images are those of cifar10")

    return Release(files.origin, "lists", (), 0, read, (files,))


DECATHLON_FINDERS = {f"decathlon-{domain}": partial(decathlon, domain) for domain in DECATHLON}
