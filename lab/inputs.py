"""What a model is given, as a person writes it: `3x224x224`, `ids=16:long`, `image=3x32x32`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

REVISION = 1

#: Word → the name of torch's type.
TYPES = {
    "float": "float32",
    "float32": "float32",
    "double": "float64",
    "float64": "float64",
    "half": "float16",
    "float16": "float16",
    "bfloat16": "bfloat16",
    "long": "int64",
    "int64": "int64",
    "int": "int32",
    "int32": "int32",
    "uint8": "uint8",
    "bool": "bool",
}


class InputError(ValueError):
    """A text that describes no input."""


@dataclass(frozen=True)
class Input:
    """One argument of a forward, without the batch axis; `type` is "" for the model's own numbers."""

    shape: tuple[int, ...]
    name: str = ""
    type: str = ""

    def __str__(self) -> str:
        text = "x".join(map(str, self.shape)) or "1"
        return f"{self.name}{'=' * bool(self.name)}{text}{':' * bool(self.type)}{self.type}"


def parse(text: str) -> Input:
    """One input; InputError says what is wrong and shows an example."""
    name, equals, rest = text.rpartition("=")
    shape, colon, kind = rest.partition(":")
    sizes = shape.lower().replace("×", "x").replace(",", "x").split("x")
    if equals and not name.strip().isidentifier():
        raise InputError(f"--input {text}: {name!r} is no name of an argument; an example is image=3x32x32")
    if not all(re.fullmatch(r"\s*[1-9][0-9]*\s*", size, re.ASCII) for size in sizes):
        raise InputError(
            f"--input {text} is no shape; write sizes without the batch axis such as 3x224x224, "
            f"image=3x32x32 "
            "or ids=16:long"
        )
    if colon and kind.strip() not in TYPES:
        raise InputError(f"--input {text}: {kind!r} is none of the types {', '.join(TYPES)}")
    return Input(tuple(int(size) for size in sizes), name.strip(), TYPES.get(kind.strip(), ""))


def parse_all(texts: Sequence[str]) -> tuple[Input, ...]:
    """Several inputs: all with a name, or those without one first."""
    inputs = tuple(parse(text) for text in texts)
    named = [bool(entry.name) for entry in inputs]
    if named != sorted(named):
        raise InputError("an --input without a name stands behind one with a name; write those without first")
    twice = {entry.name for entry in inputs if entry.name and [e.name for e in inputs].count(entry.name) > 1}
    if twice:
        raise InputError(f"the --input {', '.join(sorted(twice))} is given twice")
    return inputs
