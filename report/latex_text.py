"""Any text as LaTeX that pdflatex can set: specials escaped, every character beyond ASCII given a form.

Nothing is dropped in silence: letters of other scripts become their Latin transliteration, and a character
without a form is printed as its code and reported in the log.
"""

from __future__ import annotations

import re
import unicodedata

from pylatex.utils import escape_latex

#: Combining mark → accent command.
ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0327": "c", "\u0328": "k",
    "\u0331": "b",
}  # fmt: skip
#: Characters that the text font has.
TEXT = {
    "ł": r"\l", "Ł": r"\L", "ø": r"\o", "Ø": r"\O", "æ": r"\ae", "Æ": r"\AE", "œ": r"\oe", "Œ": r"\OE",
    "ß": r"\ss", "đ": r"\dj", "Đ": r"\DJ", "ð": r"\dh", "Ð": r"\DH", "þ": r"\th", "Þ": r"\TH", "ŋ": r"\ng",
    "Ŋ": r"\NG", "ı": r"\i", "ȷ": r"\j", "«": r"\guillemotleft", "»": r"\guillemotright",
    "‘": r"\textquoteleft",
    "’": r"\textquoteright", "“": r"\textquotedblleft", "”": r"\textquotedblright", "„": r"\quotedblbase",
    "‚": r"\quotesinglbase", "‹": r"\guilsinglleft", "›": r"\guilsinglright", "–": r"\textendash",
    "—": r"\textemdash", "…": r"\textellipsis", "•": r"\textbullet", "©": r"\textcopyright",
    "®": r"\textregistered", "™": r"\texttrademark", "§": r"\S", "¶": r"\P", "°": r"\textdegree",
    "†": r"\dag", "‡": r"\ddag", "€": r"\texteuro", "£": r"\textsterling", "¡": r"\textexclamdown",
    "¿": r"\textquestiondown", "\u2010": "-", "\u2011": "-",
}  # fmt: skip
#: Characters of mathematics, set as such in text too.
MATH = {
    "×": r"\times", "·": r"\cdot", "⋅": r"\cdot", "÷": r"\div", "±": r"\pm", "∓": r"\mp", "\u2212": "-",
    "→": r"\rightarrow", "←": r"\leftarrow", "↔": r"\leftrightarrow", "⇒": r"\Rightarrow", "⇐": r"\Leftarrow",
    "⇔": r"\Leftrightarrow",
    "↑": r"\uparrow", "↓": r"\downarrow", "↦": r"\mapsto", "≤": r"\leq", "≥": r"\geq",
    "≠": r"\neq", "≈": r"\approx", "≡": r"\equiv", "∼": r"\sim", "∝": r"\propto", "∞": r"\infty", "∈": r"\in",
    "∉": r"\notin", "⊂": r"\subset", "⊆": r"\subseteq", "∪": r"\cup", "∩": r"\cap", "∅": r"\emptyset",
    "∀": r"\forall", "∃": r"\exists", "¬": r"\neg", "∧": r"\wedge", "∨": r"\vee", "⊕": r"\oplus",
    "⊗": r"\otimes", "⊙": r"\odot", "∘": r"\circ", "∗": r"\ast", "√": r"\surd", "∑": r"\textstyle\sum",
    "∏": r"\textstyle\prod", "∫": r"\textstyle\int", "∂": r"\partial", "∇": r"\nabla", "⌊": r"\lfloor",
    "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil", "⟨": r"\langle", "⟩": r"\rangle", "‖": r"\Vert",
    "ℓ": r"\ell", "ℝ": r"\mathbb{R}", "ℕ": r"\mathbb{N}", "ℤ": r"\mathbb{Z}", "µ": r"\mu", "′": r"^\prime",
    "½": r"\frac12", "¼": r"\frac14", "¾": r"\frac34", "✓": r"\checkmark", "■": r"\blacksquare",
    "□": r"\square", "▲": r"\blacktriangle", "△": r"\triangle", "★": r"\bigstar", "ϵ": r"\epsilon",
    "ϕ": r"\phi", "ε": r"\varepsilon", "φ": r"\varphi", "ς": r"\varsigma", "ο": "o",
    **{raised: f"^{{{digit}}}" for digit, raised in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{lowered: f"_{{{digit}}}" for digit, lowered in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}  # fmt: skip
#: Spaces, and characters that print nothing.
SPACES = {
    "\u00a0": "~", "\u2002": r"\enskip{}", "\u2003": r"\quad{}", "\u2009": r"\,", "\u200a": r"\,",
    "\u202f": r"\,", "\u200b": r"\allowbreak{}", "\u00ad": r"\-", "\ufeff": "", "\u200d": "", "\u200c": "",
}  # fmt: skip
CYRILLIC = dict(
    zip(
        "абвгдежзийклмнопрстуфхцчшщъыьэюяіїєґўёјљњћђџ",
        (
            *(
                "a",
                "b",
                "v",
                "g",
                "d",
                "e",
                "zh",
                "z",
                "i",
                "j",
                "k",
                "l",
                "m",
                "n",
                "o",
                "p",
                "r",
                "s",
                "t",
                "u",
                "f",
            ),
            *("h", "c", "ch", "sh", "shch", "”", "y", "’", "e", "yu", "ya"),
            *("i", "yi", "ye", "g", "u", "yo", "j", "lj", "nj", "ć", "đ", "dž"),
        ),
        strict=True,
    )
)


def escape(text: str) -> str:
    """Plain text as LaTeX."""
    return only_ascii(_escaped(" ".join(text.split())))


def _escaped(text: str) -> str:
    return str(escape_latex(text)).replace(r"\^{}", r"\textasciicircum{}")


def code(text: str) -> str:
    """Text in the typewriter face that may break after its separators."""
    broken = re.sub(r"(?<=\w)(\\_|[./:|=]|\{-\})(?=\w)", r"\1\\allowbreak{}", escape(text))
    return rf"\code{{{broken}}}"


def verbatim(text: str) -> str:
    """Lines of code that can be copied as they are; one that is too long goes on in the next."""
    lines = "\n".join(only_ascii(_escaped_code(line)) for line in text.splitlines())
    options = r"fontsize=\small,breaklines,breakanywhere,commandchars=\\\{\}"
    return f"\\begin{{Verbatim}}[{options}]\n{lines}\n\\end{{Verbatim}}"


def _escaped_code(line: str) -> str:
    """A line between whose commands spaces and quotes stay what they are."""
    specials = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}"}
    return "".join(specials.get(character, character) for character in line.expandtabs(4))


def arithmetic(text: str) -> str:
    """An expression such as "(3·3·64)·64" as mathematics; other text as text."""
    if not re.fullmatch(r"[0-9 ()·×*+\-−/,.=]+", text):
        return escape(text)
    for sign, command in (("·", r"\cdot "), ("×", r"\times "), ("*", r"\cdot "), ("−", "-"), (",", "{,}")):
        text = text.replace(sign, command)
    return f"${text}$"


def only_ascii(latex: str) -> str:
    """LaTeX whose characters beyond ASCII are replaced by commands, in text and in mathematics alike."""
    if latex.isascii():
        return latex
    return re.sub(r"[^\x00-\x7f]", lambda found: _form(found[0]), unicodedata.normalize("NFC", latex))


def _form(character: str) -> str:
    if character in SPACES:
        return SPACES[character]
    mathematics = MATH.get(character) or _greek(character)
    if mathematics:
        return rf"\uni{{\ensuremath{{{mathematics}}}}}{{{ord(character):04X}}}"
    if command := TEXT.get(character):
        return f"{{{command}}}"
    if accented := _accented(character):
        return accented
    if latin := _transliterated(character):
        return rf"\uni{{{latin}}}{{{ord(character):04X}}}"
    return rf"\nofont{{{ord(character):04X}}}"


def _greek(character: str) -> str:
    """ "\\alpha" or, for a capital that looks Latin, "\\mathrm{A}"; empty for other letters."""
    found = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER ([A-Z]+)", unicodedata.name(character, ""))
    if not found:
        return ""
    name = {"LAMDA": "lambda"}.get(found[2], found[2].lower())
    if found[1] == "SMALL":
        return rf"\{name}"
    if name in ("gamma", "delta", "theta", "lambda", "xi", "pi", "sigma", "upsilon", "phi", "psi", "omega"):
        return rf"\{name.capitalize()}"
    latin = {"eta": "H", "rho": "P", "chi": "X"}.get(name, name[0].upper())
    return rf"\mathrm{{{latin}}}"


def _accented(character: str) -> str:
    """A letter with one accent, such as {\\'e}; empty for what is none."""
    parts = unicodedata.normalize("NFD", character)
    if len(parts) != 2 or not parts[0].isascii() or parts[1] not in ACCENTS:
        return ""
    base = (
        {"i": r"\i", "j": r"\j"}.get(parts[0], parts[0])
        if parts[1] not in "\u0323\u0327\u0328\u0331"
        else parts[0]
    )
    return rf"{{\{ACCENTS[parts[1]]}{{{base}}}}}"


def _transliterated(character: str) -> str:
    """Latin letters for a Cyrillic or compatibility character; empty where there are none."""
    if latin := CYRILLIC.get(character.lower()):
        return only_ascii(latin if character.islower() else latin.capitalize())
    plain = unicodedata.normalize("NFKD", character)
    if plain == character or not all(part.isascii() or part in ACCENTS for part in plain):
        return ""
    return str(escape_latex("".join(part for part in plain if part.isascii())))
