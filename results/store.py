"""Reading and writing results: one JSON file a result, atomic, with the hash of its content.

A file that is damaged, was edited, belongs to another analysis or comes from a newer convstudy is
refused by name, with what to do; it is never repaired or guessed at.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import ValidationError

from results.schema import Media, Outcomes, Result, upgraded

Profile = Literal["full", "quick", "custom"]
Content = TypeVar("Content", Result, Outcomes, Media)
#: Best first. Custom results, made with parameters of the user's own, are taken only when asked for.
PREFERENCE: tuple[Profile, ...] = ("full", "quick")
TOKEN = 4  # random bytes in the name of a temporary file


class ResultError(Exception):
    """A result that cannot be used. `problem` says what and where, `remedy` what to do."""

    def __init__(self, analysis: str, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.analysis = analysis
        self.problem = problem
        self.remedy = remedy


class MissingResult(ResultError):
    """No file holds the result."""


def write_atomically(path: Path, content: bytes) -> None:
    """Put `content` at `path` whole or not at all; OSError when the disk or folder refuses it.

    Where the system can, the file has no name until it is whole, so that a killed process leaves none behind;
    what one left that was killed between naming and moving goes with the next write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    temporary = path.parent / f".{path.name}.{secrets.token_hex(TOKEN)}"
    unnamed = _open_unnamed(path.parent)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644) if unnamed is None else unnamed
    try:
        with os.fdopen(handle, "wb") as file:
            with suppress(OSError):  # a file system without locks: leftovers stay there
                fcntl.flock(handle, fcntl.LOCK_EX)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            if unnamed is not None:
                _name(unnamed, temporary)
            temporary.chmod(0o644)
            temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files of `path` whose writer is gone: nobody holds their lock."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 2 * TOKEN}"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def _open_unnamed(folder: Path) -> int | None:
    """A new file that has no name yet; None where the system has no such files."""
    if not hasattr(os, "O_TMPFILE") or not Path("/proc/self/fd").is_dir():
        return None
    try:
        return os.open(folder, os.O_WRONLY | os.O_TMPFILE, 0o644)
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EOPNOTSUPP):  # an old kernel, or a file system without
            return None
        raise


def _name(handle: int, path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:  # given a folder, os.link follows the link in /proc to the file itself
        os.link(f"/proc/self/fd/{handle}", path.name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.close(folder)


def canonical_json(data: Any) -> bytes:
    """The one JSON text of `data` that hashes are taken of: sorted keys, no spaces."""
    return json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest(data: Any) -> str:
    return hashlib.sha256(canonical_json(data)).hexdigest()


def encode(content: Result | Outcomes | Media) -> bytes:
    """What is written of it: JSON, with the hash of that."""
    data = content.model_dump(mode="json")
    text = json.dumps({"content_hash": digest(data), **data}, indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def _verified(path: Path, model: type[Content], analysis: str, remedy: str) -> Content:
    """What a file holds, once its version, its hash and its schema were seen to be right."""
    if path.exists() and not path.is_file():  # a pipe, say, of which nobody knows when it ends
        raise ResultError(analysis, f"{path} is no file", remedy)
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, OSError) as error:
        raise ResultError(analysis, f"{path} cannot be read ({error})", remedy) from None
    except RecursionError:
        raise ResultError(analysis, f"{path} cannot be read (it is nested too deep)", remedy) from None
    if not isinstance(data, dict):
        raise ResultError(analysis, f"{path} holds no result", remedy)
    version, newest = data.get("schema_version"), model.model_fields["schema_version"].default
    if isinstance(version, int) and version > newest:
        raise ResultError(
            analysis,
            f"{path} is of a newer convstudy (schema {version}, this one reads {newest})",
            "update convstudy, or " + remedy,
        )
    content_hash = data.pop("content_hash", None)
    try:
        intact = content_hash == digest(data)
    except (ValueError, RecursionError):  # a number or a text that none was written with
        intact = False
    if not intact:
        raise ResultError(
            analysis, f"{path} was changed after it was written (its hash does not match)", remedy
        )
    try:
        return model.model_validate(upgraded(data) if model is Result else data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ResultError(
            analysis, f"{path} does not follow the schema ({where}: {first['msg']})", remedy
        ) from None


@dataclass(frozen=True)
class Store:
    """The results below one folder: `<root>/<profile>/<analysis>.json`.

    What is not there is read from the folder `behind`, where one is given; nothing is written to that.
    `analyses` are those that can make a result; none where that is not known.
    """

    root: Path
    behind: Path | None = None
    analyses: frozenset[str] = frozenset()

    @property
    def program(self) -> str:
        """How its user calls convstudy."""
        return "convstudy" if self.behind else "python runner.py"

    def path(self, analysis: str, profile: Profile) -> Path:
        """Where the result is read."""
        return self._found(_file(analysis, profile))

    def _found(self, file: Path) -> Path:
        here = self.root / file
        if self.behind is None or here.exists() or not (self.behind / file).exists():
            return here
        return self.behind / file

    def write(self, result: Result) -> Path:
        path = self.root / _file(result.analysis, result.profile)
        write_atomically(path, encode(result))
        return path

    def read(self, analysis: str, profile: Profile) -> Result:
        """The result of one profile; MissingResult or ResultError where there is none to trust."""
        path = self.path(analysis, profile)
        remedy = f"make it again with `{self.program} run {analysis} --profile {profile} --force`"
        if not path.exists():
            raise MissingResult(
                analysis,
                f"there is no {profile} result of {analysis}",
                f"make it with `{self.program} run {analysis} "
                f"{'--set KEY=VALUE' if profile == 'custom' else f'--profile {profile}'}`",
            )
        result = _verified(path, Result, analysis, remedy)
        if (result.analysis, result.profile) != (analysis, profile):
            raise ResultError(
                analysis,
                f"{path} holds the {result.profile} result of {result.analysis}, not of {analysis}",
                remedy,
            )
        return result

    def write_outcomes(self, outcomes: Outcomes, profile: Profile) -> Path:
        path = self.root / _outcomes_file(outcomes.analysis, profile)
        write_atomically(path, encode(outcomes))
        return path

    def outcomes_path(self, analysis: str, profile: Profile) -> Path:
        """Where the cells behind a result are read."""
        return self._found(_outcomes_file(analysis, profile))

    def read_outcomes(self, analysis: str, profile: Profile) -> Outcomes | None:
        """The cells behind a result, None where there are none; ResultError where they are not to be trusted:
        they are dear, and not to be measured again unasked.
        """
        path = self.outcomes_path(analysis, profile)
        remedy = "restore it from version control, or delete it to measure its cells again"
        return _verified(path, Outcomes, analysis, remedy) if path.exists() else None

    def write_media(self, media: Media, profile: Profile) -> Path:
        path = self.root / _media_file(media.analysis, profile)
        write_atomically(path, encode(media))
        return path

    def media_path(self, analysis: str, profile: Profile) -> Path:
        """Where the pictures are read that were drawn on this machine."""
        return self._found(_media_file(analysis, profile))

    def illustrated(self, result: Result) -> Result:
        """The result with the pictures of its data, where they were drawn on this machine."""
        path = self.media_path(result.analysis, result.profile)
        if not path.exists():
            return result
        again = f"--profile {result.profile} --media" if result.profile != "custom" else "--media"
        remedy = f"draw it again with `{self.program} run {result.analysis} {again}`, or delete it"
        media = _verified(path, Media, result.analysis, remedy)
        return result.model_copy(update={"figures": {**result.figures, **media.figures}})

    def best(self, analysis: str, prefer: Profile | None = None) -> Result:
        """The preferred profile's result, else the full, else the quick one.

        A damaged file is refused, not passed over.
        """
        for profile in (prefer, *PREFERENCE) if prefer else PREFERENCE:
            if self.path(analysis, profile).exists():
                return self.read(analysis, profile)
        raise MissingResult(
            analysis, f"there is no result of {analysis}", f"make it with `{self.program} run {analysis}`"
        )

    def known(self) -> frozenset[str]:
        """The analyses that a result may be asked of; none where any may."""
        return self.analyses and self.analyses | {name for name, _ in self.recorded()}

    def recorded(self) -> list[tuple[str, Profile]]:
        """Analyses and profiles for which a file exists, sorted."""
        folders = (self.root, self.behind) if self.behind else (self.root,)
        return sorted(
            {
                (path.stem, profile)
                for profile in get_args(Profile)
                for folder in folders
                for path in (folder / profile).glob("*.json")
            }
        )


def _file(analysis: str, profile: Profile) -> Path:
    return Path(profile, f"{analysis}.json")


def _outcomes_file(analysis: str, profile: Profile) -> Path:
    return Path(profile, "outcomes", f"{analysis}.json")


def _media_file(analysis: str, profile: Profile) -> Path:
    return Path(profile, "media", f"{analysis}.json")
