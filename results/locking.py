"""One process at a time: a hold on a folder, which ends with the process, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Held(RuntimeError):
    """Another process holds the folder."""


@contextmanager
def holding(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold `folder`, made where it is not there, by a file `lock` in it; while another process holds it, wait
    or raise Held. Afterwards a folder that is empty is removed.
    """
    lock = folder / "lock"
    descriptor = _locked(lock, wait)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)
        with suppress(OSError):  # not empty
            folder.rmdir()


def _locked(lock: Path, wait: bool) -> int:
    while True:
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # its last holder has just removed the folder
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise Held(f"another process holds {lock.parent}") from None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # of a lock that its last holder removed
