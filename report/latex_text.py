"""Any text as LaTeX in ASCII: specials escaped, every character beyond given a form that pdflatex prints.

Nothing is dropped in silence: letters that need fonts of other scripts are marked for `latex_scripts`, and a
character without a form is printed as its code and reported in the log.
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
DOT_OR_LINE_BELOW = frozenset("\u0323\u0331")
LATIN_1 = 0xFF  # up to there the text font has its letters whole
BELOW = "\u0323\u0327\u0328\u0331"
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
CYRILLIC = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i", "й": "j",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u",
    "ф": "f", "х": "h", "ц": "c", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "”", "ы": "y", "ь": "’", "э": "e",
    "ю": "yu", "я": "ya", "і": "i", "ї": "yi", "є": "ye", "ґ": "g", "ў": "u", "ё": "yo", "ј": "j", "љ": "lj",
    "њ": "nj", "ћ": "ć", "ђ": "đ", "џ": "dž",
}  # fmt: skip
#: By the first word of a letter's Unicode name, the fonts that `latex_scripts` sets it in.
SCRIPTS = {
    "LATIN": "latin", "HEBREW": "hebrew", "DEVANAGARI": "devanagari",
    "ARABIC": "arabic", "ARABIC-INDIC": "arabic",
    **dict.fromkeys(("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "FULLWIDTH", "HALFWIDTH"), "cjk"),
    **dict.fromkeys(("KATAKANA-HIRAGANA", "IDEOGRAPHIC"), "cjk"),
}  # fmt: skip
RIGHT_TO_LEFT = ("arabic", "hebrew")
NEUTRAL = re.compile(r"[\s\d.,:;!?]*")  # between words from right to left, what runs as they do
LONG_WORD = 24  # letters
GREEK = re.compile(r"[\u0370-\u03ff\u1f00-\u1fff\u0300-\u036f]+")
CLUSTER = re.compile(r".[\u0300-\u036f]*", re.DOTALL)  # a character with its combining marks


def escape(text: str) -> str:
    """Plain text as LaTeX."""
    return only_ascii(_escaped(" ".join(text.split())))


def _escaped(text: str) -> str:
    return str(escape_latex(text)).replace(r"\^{}", r"\textasciicircum{}")


def code(text: str) -> str:
    """Text in the typewriter face that may break after its separators."""
    broken = re.sub(r"(?<=\w)(\\_|[./:|=]|\{-\})(?=\w)", r"\1\\allowbreak{}", breakable(text))
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


def breakable(text: str) -> str:
    """Plain text as LaTeX in which long words, such as addresses, may break."""
    parts = re.split(rf"(\S{{{LONG_WORD},}})", " ".join(text.split()))
    return "".join(_broken(part) if n % 2 else only_ascii(_escaped(part)) for n, part in enumerate(parts))


def _broken(word: str) -> str:
    return r"\allowbreak{}".join(map(escape, re.findall(r"\w{1,12}\W*|\W+", word)))


def only_ascii(latex: str) -> str:
    r"""LaTeX whose characters beyond ASCII are replaced by commands, in text and in mathematics alike.

    What only fonts of other scripts have becomes \foreign{script}{codes}, which `latex_scripts` sets.
    """
    if latex.isascii():
        return latex
    return "".join(
        rf"\foreign{{{script}}}{{{' '.join(f'{ord(c):04X}' for c in text)}}}" if script else text
        for script, text in _runs(unicodedata.normalize("NFC", latex))
    )


def _runs(text: str) -> list[tuple[str, str]]:
    """Text by the fonts that it is set in; "" for what is LaTeX already."""
    greek = {n for word in GREEK.finditer(text) if _is_greek_word(word[0]) for n in range(*word.span())}
    runs: list[tuple[str, str]] = []
    for cluster in CLUSTER.finditer(text):
        last, written = runs[-1] if runs else ("", "")
        script = last
        if cluster[0].isascii() or unicodedata.category(cluster[0][0]) not in ("Mn", "Mc", "Cf"):
            script = "serif" if cluster.start() in greek else _script(cluster[0], last)
        added = cluster[0] if script or cluster[0].isascii() else form(cluster[0])
        if script in RIGHT_TO_LEFT and runs[-2:-1] and runs[-2][0] == script and NEUTRAL.fullmatch(written):
            runs[-2:] = [(script, runs[-2][1] + written + added)]  # the order of its words is its own
        elif runs and script == last:
            runs[-1] = (script, written + added)
        else:
            runs.append((script, added))
    return runs


def _is_greek_word(letters: str) -> bool:
    """Whether it is a name rather than symbols: of three letters or more, or with an accent."""
    return len(letters) > 2 or unicodedata.normalize("NFD", letters) != letters


def _script(cluster: str, last: str) -> str:
    """The fonts that a letter needs behind one of the script `last`; "" where pdflatex has a form that is
    true to it."""
    name = unicodedata.name(cluster[0], "").split(" ")[0]
    if last == SCRIPTS.get(name) == "cjk":
        return last  # as wide as its neighbours, where pdflatex has a narrow form
    if cluster.isascii():
        return ""
    if not DOT_OR_LINE_BELOW.isdisjoint(unicodedata.normalize("NFD", cluster)):
        return "latin"  # pdflatex prints it, and its text layer has a space behind
    if _true_form(cluster):
        return ""
    return SCRIPTS.get(name) or ("serif" if unicodedata.category(cluster[0])[0] in "LN" else "")


def form(cluster: str) -> str:
    """What pdflatex prints of a character: itself, or Latin letters, or its code, which the log reports."""
    if cluster in SPACES or cluster == " ":
        return SPACES.get(cluster, " ")
    if true := _true_form(cluster):
        return true
    if len(cluster) > 1:
        return "".join(map(form, cluster))
    code = f"{ord(cluster):04X}"
    if latin := CYRILLIC.get(cluster.lower()):
        return rf"\uni{{{only_ascii(latin if cluster.islower() else latin.capitalize())}}}{{{code}}}"
    base = unicodedata.normalize("NFD", cluster)[0]
    if base != cluster and (plain := base if base.isascii() else _true_form(base)):
        return rf"\uni{{{plain}}}{{{code}}}"
    return rf"\nofont{{{code}}}"


def _true_form(cluster: str) -> str:
    """The command that prints a character as it is; "" where pdflatex has none."""
    if len(cluster) == 1 and (mathematics := MATH.get(cluster) or _greek(cluster)):
        return rf"\uni{{\ensuremath{{{mathematics}}}}}{{{ord(cluster):04X}}}"
    if command := TEXT.get(cluster):
        return f"{{{command}}}"
    if accented := _accented(cluster):
        return accented
    if len(cluster) == 1 and (latin := _compatible(cluster)):
        return rf"\uni{{{latin}}}{{{ord(cluster):04X}}}"
    return ""


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


def _accented(cluster: str) -> str:
    """A letter with its accents, such as {\\'e} or {\\~{\\^e}}; empty for what is none."""
    whole = unicodedata.normalize("NFD", cluster)
    letter, marks = whole[0], whole[1:]
    if not marks or not letter.isascii() or not letter.isalpha() or set(marks) - set(ACCENTS):
        return ""
    above = any(mark not in BELOW for mark in marks)
    accented = {"i": r"\i", "j": r"\j"}.get(letter, letter) if above else letter
    for mark in sorted(marks, key=BELOW.__contains__):  # those below are put under the whole
        accented = rf"\{ACCENTS[mark]}{{{accented}}}"
    composed = unicodedata.normalize("NFC", whole)
    if len(composed) > 1 or ord(composed) <= LATIN_1:
        return f"{{{accented}}}"
    if _reads_otherwise(letter, marks):
        return rf"\actual{{{accented}}}{{{ord(composed):04X}}}"
    return rf"\uni{{{accented}}}{{{ord(composed):04X}}}" if len(marks) > 1 else f"{{{accented}}}"


def _reads_otherwise(letter: str, marks: str) -> bool:
    """Whether the parts of an accented letter are something else in the text layer of a PDF."""
    return (
        not set(marks).isdisjoint(BELOW)
        or letter in "ij"
        or (letter in "dlLt" and marks == "\u030c")
        or (len(marks) > 1 and letter.isupper())
    )


def _compatible(character: str) -> str:
    """The ASCII of a compatibility character such as a ligature; empty where there is none."""
    plain = unicodedata.normalize("NFKD", character)
    return str(escape_latex(plain)) if plain != character and plain.isascii() else ""
