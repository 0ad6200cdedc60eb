"""Where decoded and fetched data is kept, and how a file gets there: whole or not at all, by one process."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from lab.datasets.images import DataError


def cache_folder() -> Path:
    """`CONVSTUDY_CACHE`, else the user's cache folder."""
    chosen = os.environ.get("CONVSTUDY_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("convstudy"))


@contextmanager
def making(file: Path) -> Iterator[Path]:
    """A path beside `file` to write to; what is left there is removed afterwards. One process at a time.

    The caller moves it to `file` once it is whole. DataError where it cannot be written.
    """
    part = file.with_name(file.name + ".making")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(file.name + ".lock")):
            try:
                yield part
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise no_room(file.parent, error) from None


def kept_array(kind: str, identity: tuple[Any, ...], make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """What `make` gives, in the folder `kind` of the cache from then on; identity: all that decides it."""
    name = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
    file = cache_folder() / kind / f"{name}.npy"
    try:
        found: NDArray[Any] = np.load(file)
    except (OSError, ValueError):  # not made yet, or cut off
        found = make()
        with making(file) as part:
            with part.open("wb") as content:
                np.save(content, found)
            part.replace(file)
    return found


def no_room(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"{folder} cannot be written ({error.strerror or error}); make room there, or choose another folder "
        "with the environment variable CONVSTUDY_CACHE"
    )
