"""Numbers and lists as text, for the alternative texts of figures as for everything that a report prints."""

from __future__ import annotations

import re
from collections.abc import Sequence

MINUS = "−"
_SIGNED_ZERO = re.compile(r"[+-](0[0.,]*)(e[+-]?\d+)?(%?)")


def number(value: int | float, spec: str = "") -> str:
    """Thousands separators for integers, four significant digits otherwise; `spec` is Python's own.

    A minus is a real one, and what is rounded to zero has no sign. spec "words": "three", or "12".
    """
    if spec == "words":
        if value != int(value):
            raise ValueError(f"{value} is no count")
        return count(int(value))
    if not spec:
        whole = isinstance(value, int) or (value.is_integer() and abs(value) < 1e15)
        value, spec = (int(value), ",") if whole else (value, ",.4g")
    text = format(value, spec)
    return (text[1:] if _SIGNED_ZERO.fullmatch(text) else text).replace("-", MINUS)


def listing(words: Sequence[str]) -> str:
    """ "a", "a and b" or "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def count(n: int) -> str:
    """ "three", or "12": numbers below ten in words."""
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return words[n] if 0 <= n < len(words) else number(n)


def counted(n: int, plural: str) -> str:
    """ "one seed", "three seeds", "one person", "240 test images"."""
    return f"{count(n)} {singular(plural) if n == 1 else plural}"


def singular(plural: str) -> str:
    """ "test image" of "test images"."""
    head, space, noun = plural.rpartition(" ")
    irregular = {"people": "person", "classes": "class", "identities": "identity", "canvases": "canvas"}
    return head + space + irregular.get(noun, noun.removesuffix("s"))
