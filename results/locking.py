"""One process at a time: a hold on a folder, which ends with the process, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Held(RuntimeError):
    """Another process holds the folder."""


@contextmanager
def holding(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold `folder`, made where it is not there; while another process holds it, wait or raise Held.

    The holder may remove the folder.
    """
    descriptor = _open(folder, wait)
    try:
        yield
    finally:
        os.close(descriptor)


def _open(folder: Path, wait: bool) -> int:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # its last holder has just removed it
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if os.path.samestat(os.fstat(descriptor), folder.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise Held(f"another process holds {folder}") from None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
