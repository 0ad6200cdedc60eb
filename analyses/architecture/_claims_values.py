"""Claimed numbers as people write them: signs, words for powers of ten, units, ranges and rounding."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True)
class Value:
    """low, high: what the writing says at least and at most; rounded: because of its last digit alone."""

    value: float | str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    rounded: bool = False


_SCALES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9, "t": 1e12}
_WORDS = {
    **{"thousand": 1e3, "million": 1e6, "mio": 1e6, "billion": 1e9, "bn": 1e9, "mrd": 1e9, "trillion": 1e12},
    **{"kilo": 1e3, "mega": 1e6, "giga": 1e9, "tera": 1e12},
}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_NUMBER = r"[0-9][0-9.,_'\u00a0\u202f\u2009 ]*(?:[eE][+-]?[0-9]+)?"
_SUFFIX = r"[A-Za-z%]*\.?(?:\s*[A-Za-z-]+\.?)?"
_ONE = re.compile(rf"\s*({_NUMBER})\s*({_SUFFIX})\s*$")
_RANGE = re.compile(
    rf"\s*({_NUMBER})\s*({_SUFFIX}?)\s*(?:–|—|-|\bto\b|\.\.\.|…)\s*({_NUMBER})\s*({_SUFFIX})\s*$"
)
_AROUND = re.compile(rf"\s*({_NUMBER})\s*({_SUFFIX}?)\s*(?:±|\+/-|\+-)\s*({_NUMBER})\s*({_SUFFIX})\s*$")
_BEFORE = re.compile(r"\s*(<=|>=|[≈~≃∼<>≤≥±]|about|approx\.?|ca\.?|c\.)\s*", re.IGNORECASE)


def read_value(text: str, comma: bool | None = None) -> Value:
    """What a claimed number says; ValueError with the reason. `comma`: whether decimals stand behind a
    comma; None where the file does not show it."""
    written, sign, text = text, "", _plain(text)
    if match := _BEFORE.match(text):
        sign, text = match[1], text[match.end() :]
    plain = text.lower().replace("×", "x").replace(" ", "").strip("()")
    listed = re.fullmatch(r"[(\[]\s*([0-9]+(?:,\s*[0-9]+)+)\s*[)\]]", text.strip())
    if listed or re.fullmatch(r"[0-9]+(?:[x,][0-9]+)*x[0-9]+", plain):
        return Value(re.sub(r",\s*", "x", listed[1] if listed else plain))
    if match := _AROUND.match(text):
        middle, step, factor, unit = *_number(match[1], comma), *_unit(match[2] or match[4])
        if match[4].strip() == "%" and match[2].strip() != "%":
            wide = middle * factor * _number(match[3], comma)[0] / 100
        else:
            wide = _number(match[3], comma)[0] * factor
        return Value(middle * factor, middle * factor - wide, middle * factor + wide, unit)
    if match := _RANGE.match(text):
        _, unit = _unit(match[4] or match[2])
        ends = []
        for number, suffix in ((match[1], match[2] or match[4]), (match[3], match[4] or match[2])):
            found, step = _number(number, comma)
            factor = _unit(suffix)[0]
            ends.append((found * factor, step * factor / 2 if step * factor != 1 else 0))
        if ends[0][0] > ends[1][0]:
            raise ValueError(f"{text.strip()!r} is a range whose end is below its beginning")
        return Value((ends[0][0] + ends[1][0]) / 2, ends[0][0] - ends[0][1], ends[1][0] + ends[1][1], unit)
    match = _ONE.match(text)
    if not match:
        raise ValueError(
            f"{written.strip()!r} is neither a number (25.6M, 4.1 GMACs, 97.8 MB, 76.1%, a range) "
            f"nor a shape such as 55x55x96"
        )
    found, step = _number(match[1], comma)
    factor, unit = _unit(match[2])
    value, half = found * factor, step * factor / 2
    if not isfinite(value):
        raise ValueError(f"{text.strip()!r} is no number that could hold")
    if sign in ("<", "≤", "<="):
        return Value(value, 0.0, value, unit)
    if sign in (">", "≥", ">="):
        return Value(value, value, MOST, unit)
    if half <= 0.5 and value.is_integer() and not unit:
        return Value(value, None, None, unit)  # written out: it must be exact
    return Value(value, value - half, value + half, unit, rounded=True)


def _plain(text: str) -> str:
    """Without marks of footnotes and citations, and with powers of ten as exponents: 1.8·10⁹ is 1.8e9."""
    text = re.sub(r"(?<=\S)\s*(?:[*†‡§¶]+|\[[0-9, ]+\])\s*$", "", text)
    text = re.sub(r"10([⁻⁰¹²³⁴-⁹]+)", lambda match: "10^" + match[1].translate(_SUPERSCRIPTS), text)
    text = re.sub(r"(?<=[0-9])\s*[×x*·]\s*10\s*\^\s*\{?([+-]?[0-9]+)\}?", r"e\1", text, flags=re.IGNORECASE)
    return re.sub(r"^(\W*)10\s*\^\s*\{?([0-9]+)\}?", r"\g<1>1e\2", text)


def _number(text: str, comma: bool | None) -> tuple[float, float]:
    """The number, and the step of its last digit."""
    text = re.sub(r"[_'\u00a0\u202f\u2009 ]", "", text).rstrip(".,")
    mantissa, _, exponent = text.lower().partition("e")
    last_comma, last_point = mantissa.rfind(","), mantissa.rfind(".")
    if last_comma >= 0 and last_point >= 0:
        decimal = "," if last_comma > last_point else "."
        if comma is not None and (decimal == ",") != comma:
            raise ValueError(f"{text!r} has another decimal sign than the rest of the file")
    elif last_comma >= 0:
        decimal = _meaning(mantissa, ",", comma)
    elif last_point >= 0:
        decimal = _meaning(mantissa, ".", None if comma is None else not comma)
    else:
        decimal = ""
    for other in {",", "."} - {decimal}:
        parts = mantissa.split(decimal)[0].split(other) if decimal else mantissa.split(other)
        if len(parts) > 1 and (not 1 <= len(parts[0]) <= 3 or any(len(part) != 3 for part in parts[1:])):
            raise ValueError(f"{text!r} is no number: thousands are groups of three digits")
    whole, _, digits = mantissa.partition(decimal) if decimal else (mantissa, "", "")
    whole = whole.replace(",", "").replace(".", "")
    power = int(exponent) if exponent else 0
    if abs(power) > 200:
        raise ValueError(f"{text!r} is no number that could hold")
    return float(f"{whole}.{digits or 0}e{power}"), 10.0 ** (power - len(digits))


def _meaning(text: str, mark: str, decimal: bool | None) -> str:
    """Whether a lone kind of mark sets off decimals or thousands: the mark, or "" for thousands."""
    parts = text.split(mark)
    thousands = all(len(part) == 3 for part in parts[1:]) and 1 <= len(parts[0]) <= 3 and parts[0] != "0"
    if len(parts) > 2 or (decimal is False and thousands):
        return ""
    if decimal is False:
        raise ValueError(f"{text!r} has another decimal sign than the rest of the file")
    if decimal or not thousands or mark == ".":
        return mark
    return ""


def _unit(suffix: str) -> tuple[float, str]:
    """The factor and the unit of what stands behind a number."""
    word = suffix.strip().rstrip(".")
    lower = word.lower().replace(" ", "")
    if lower == "%":
        return 0.01, "percent"
    if lower in _WORDS:
        return _WORDS[lower], ""
    if match := re.fullmatch(r"([kmgt]?)(i?)(?:bytes|byte)|([kmgt])(i?)b", lower):
        scale, binary = (match[1] or match[3] or ""), bool(match[2] or match[4])
        return _SCALES[scale] if not binary else 1024.0 ** "kmgt".index(scale) * 1024, "bytes"
    if match := re.fullmatch(
        r"([kmgbt]?)(macs?|mult-adds?|multadds?|madds?|flops?|flop/s|ops?|params?|parameters?|weights?|activations?)?",
        lower,
    ):
        if "flop/s" in lower or (
            re.search(r"FLOPS$", word) and lower.endswith("flops") and word.startswith("FLOPS/")
        ):
            raise ValueError(f"{word!r} is a speed")
        return _SCALES[match[1]], "flops" if (match[2] or "").startswith("flop") else ""
    for name, factor in _WORDS.items():
        if lower.startswith(name):
            return factor, _unit(lower.removeprefix(name))[1]
    raise ValueError(f"the unit {word!r} is not known; write M, G, GMACs, GFLOPs, MB, MiB or %")


MOST = 1e300  # above every count
