"""Downloads from the official sources: checked by their hash, taken up again where they broke off."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from lab.datasets import cache, embedded
from lab.datasets.catalog import CATALOG
from lab.datasets.images import DataError

Report = Callable[[str, int, int | None], None]  # file, bytes there, bytes in all where the server says so
RANGE_NOT_SATISFIABLE = 416
PIECE = 1 << 18
PATIENCE = 30  # seconds without a byte


@dataclass(frozen=True)
class Download:
    """One file of a source, kept under the name `file`. `checksum` is `md5:…` or `sha256:…`; `most` is a size
    in MB that the file is known to be below: more is not taken from a server.
    """

    file: str
    url: str
    checksum: str
    most: float


_TORONTO = "https://www.cs.toronto.edu/~kriz"
_ERDA = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370"
_LAKE = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
_FIGSHARE = "https://ndownloader.figshare.com/files"
# The authors' own servers, with checksums that torchvision, TensorFlow Datasets, Bob and scikit-learn state.
# Those of AT&T and LFW no longer answer; Idiap and scikit-learn keep copies.
SOURCES: dict[str, tuple[Download, ...]] = {
    "cifar10": (
        Download(
            "cifar-10-python.tar.gz",
            f"{_TORONTO}/cifar-10-python.tar.gz",
            "md5:c58f30108f718f92721af3b95e74349a",
            200,
        ),
    ),
    "cifar100": (
        Download(
            "cifar-100-python.tar.gz",
            f"{_TORONTO}/cifar-100-python.tar.gz",
            "md5:eb9058c3a382ffc7106e4002c42a8d85",
            200,
        ),
    ),
    "att_faces": (
        Download(
            "orl_faces.zip",
            "https://www.idiap.ch/software/bob/data/bob/att_faces.zip",
            "md5:6efb25cb0d40755e9492b9c012e3348d",
            10,
        ),
    ),
    "lfw": (
        Download(
            "lfw.tgz",
            f"{_FIGSHARE}/5976018",
            "sha256:055f7d9c632d7370e6fb4afc7468d40f970c34a80d4c6f50ffec63f5a8d536c0",
            300,
        ),
        Download(
            "pairs.txt",
            f"{_FIGSHARE}/5976006",
            "sha256:ea42330c62c92989f9d7c03237ed5d591365e89b3e649747777b70e692dc1592",
            1,
        ),
    ),
    "gtsrb": (
        Download(
            "GTSRB-Training_fixed.zip",
            f"{_ERDA}/GTSRB-Training_fixed.zip",
            "md5:513f3c79a4c5141765e10e952eaa2478",
            300,
        ),
        Download(
            "GTSRB_Final_Test_Images.zip",
            f"{_ERDA}/GTSRB_Final_Test_Images.zip",
            "md5:c7e4e6327067d32654124b0fe9e82185",
            150,
        ),
        Download(
            "GTSRB_Final_Test_GT.zip",
            f"{_ERDA}/GTSRB_Final_Test_GT.zip",
            "md5:fe31e9c9270bbcd7b84b7f21a9d9d9e5",
            1,
        ),
    ),
    "dtd": (
        Download(
            "dtd-r1.0.1.tar.gz",
            "https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz",
            "md5:fff73e5086ae6bdbea199a49dfb8a4c1",
            800,
        ),
    ),
    "omniglot": (
        Download(
            "images_background_small1.zip",
            f"{_LAKE}/images_background_small1.zip",
            "sha256:f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4",
            20,
        ),
        Download(
            "images_background_small2.zip",
            f"{_LAKE}/images_background_small2.zip",
            "sha256:3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f",
            20,
        ),
    ),
}
# For what no server offers as one checked file: what to do instead.
_FOLDERS = "put the class folders at ROOT/{name}/CLASS/FILE.jpg, or a zip of them at ROOT/{name}.zip"
BY_HAND = {
    "artists": f"ask the course (MIT 6.867) for its paintings and {_FOLDERS}",
    "facescrub": "its authors give a list of addresses only (vintage.winklerbros.net/facescrub.html); put "
    "the list as ROOT/facescrub/facescrub.txt and the pictures under any names in ROOT/facescrub/",
    "facescrub9": f"cut the faces out of facescrub and {_FOLDERS}",
    "dtd10": f"choose ten classes of dtd and {_FOLDERS}",
    "meglass": "follow https://github.com/cleardusk/MeGlass and put MeGlass_120x120/, meta.txt and test/ "
    "into ROOT/MeGlass/",
    "transformed_cifar10": "ask the course for train.txt and test.txt and put them into "
    "ROOT/transformed_cifar10/",
    "decathlon": "fetch decathlon-1.0-data.tar.gz from https://www.robots.ox.ac.uk/~vgg/decathlon/ and "
    "unpack it and the tars within as ROOT/decathlon-1.0-data/DOMAIN/train/…",
}


def nothing(file: str, done: int, total: int | None) -> None:
    """A report to nobody."""


def fetch(name: str, folder: Path | None = None, report: Report = nothing) -> list[Path]:
    """The files of a data set, in `folder` or the user's cache. What is there and whole is not fetched again.

    DataError where there is no source, where it does not answer, or answers something else.
    """
    if name in embedded.SETS:
        raise DataError(f"{name} comes with the program; there is nothing to fetch")
    if name not in CATALOG:
        raise DataError(f"there is no data set {name!r} to fetch; there are {', '.join(SOURCES)}")
    if name not in SOURCES:
        how = BY_HAND["decathlon" if name.startswith("decathlon-") else name].format(name=name)
        raise DataError(
            f"{name} cannot be fetched by a program; {how}, where ROOT is the folder that --data-root names"
        )
    folder = folder or cache.cache_folder() / "data"
    return [fetch_file(download, folder, report) for download in SOURCES[name]]


def fetch_file(download: Download, folder: Path, report: Report) -> Path:
    """One file under its final name: whole and with the right checksum, or not there."""
    target, part = folder / download.file, folder / f"{download.file}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with cache.alone(target, "fetches"):
            if not target.exists():
                _download(download, part, target, report)
                if not matches(part, download.checksum):
                    part.unlink()
                    raise DataError(
                        f"what {download.url} sent is not the {download.file} that was published (its "
                        f"{_kind(download)} differs), so it was removed; try again later"
                    )
                part.replace(target)
    except OSError as error:
        raise cache.no_room(folder, error) from None
    if not matches(target, download.checksum):
        raise DataError(
            f"{target} is not the file that was published (its {_kind(download)} differs); "
            "remove it and fetch again"
        )
    return target


def _kind(download: Download) -> str:
    return download.checksum.partition(":")[0].upper()


def matches(file: Path, checksum: str) -> bool:
    kind, _, expected = checksum.partition(":")
    digest = hashlib.new(kind, usedforsecurity=False)
    with file.open("rb") as opened:
        while piece := opened.read(PIECE):
            digest.update(piece)
    return digest.hexdigest() == expected


def _download(download: Download, part: Path, target: Path, report: Report) -> None:
    """Complete `part`, again and again as long as each connection brings something."""
    url = download.url
    while True:
        before = _size(part)
        reason = "the connection was cut off"
        try:
            if _continued(download, part, report):
                return
        except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
            reason = str(getattr(error, "reason", None) or error)
        if _size(part) <= before:
            kept = f"{before / 1e6:.1f} MB are kept, and the same command goes on" if before else "try again"
            raise DataError(
                f"{url} cannot be fetched ({reason}); {kept} later, or put the file at {target} by hand"
            )


def _continued(download: Download, part: Path, report: Report) -> bool:
    """Append what is missing, or all of it where the server does not know ranges; whether it is complete.

    DataError where the server has or sends more than the file can be.
    """
    most = int(download.most * 1e6)
    done = _size(part)
    headers = {"User-Agent": "convstudy", "Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    with _opened(Request(download.url, headers=headers), part) as response:
        continues = response.headers.get("Content-Range", "").startswith(f"bytes {done}-")
        done = done if continues else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        if total and total > most:
            raise _too_much(download, part)
        with part.open("ab" if continues else "wb") as opened:
            while piece := response.read1(PIECE):
                done += len(piece)
                if done > most:
                    raise _too_much(download, part)
                opened.write(piece)
                report(download.file, done, total)
    return total is None or done >= total


def _too_much(download: Download, part: Path) -> DataError:
    part.unlink(missing_ok=True)
    return DataError(
        f"{download.url} sends more than the {download.most:g} MB that {download.file} can be at most, so it "
        "is another file, and nothing was kept; try again later"
    )


def _opened(request: Request, part: Path) -> Any:
    try:
        return urlopen(request, timeout=PATIENCE)
    except HTTPError as error:
        if error.code != RANGE_NOT_SATISFIABLE:
            raise
        error.close()  # the part is as long as the file, or longer: only a fresh start tells which
        part.unlink()
        request.remove_header("Range")
        return urlopen(request, timeout=PATIENCE)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
