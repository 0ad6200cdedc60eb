"""One process at a time: a hold on a folder, which ends with the process, however that ends."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOG = logging.getLogger("convstudy")


class Held(RuntimeError):
    """Another process holds the folder."""


@contextmanager
def holding(folder: Path, *, wait_for: str = "") -> Iterator[None]:
    """Hold `folder`, made where it is not there, by a file `lock` in it. While another process holds it, say
    that it does what is waited for, and wait; or raise Held where nothing is. Afterwards a folder that is
    empty is removed.
    """
    lock = folder / "lock"
    descriptor = _locked(lock, wait_for)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)
        with suppress(OSError):  # not empty
            folder.rmdir()


def _locked(lock: Path, wait_for: str) -> int:
    waits = False
    while True:
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # its last holder has just removed the folder
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            if not wait_for:
                raise Held(f"another process holds {lock.parent}") from None
            LOG.warning("another process %s; this one goes on when that has ended", wait_for)
            waits = True
            continue
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # of a lock that its last holder removed
