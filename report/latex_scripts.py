"""Names in every script: which fonts a document needs beyond those of pdflatex, and whether they are here.

`latex_text` marks letters that only other fonts have as \\foreign{script}{codes}. A document with such marks
is set by lualatex, where its fonts are installed; else the marks become Latin letters or codes, and one
sentence says what to install. Every other document is left to pdflatex, which is four times as fast.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from typing import Literal

from report.formatting import listing
from report.latex_text import RIGHT_TO_LEFT, form

Engine = Literal["pdflatex", "lualatex"]

FOREIGN = re.compile(r"\\foreign\{(\w+)\}\{([0-9A-F ]+)\}")
#: The line of the preamble behind which lualatex finds the fonts.
PLACE = "% fonts of other scripts\n"
SERIF = "FreeSerif.otf"
#: The font file of a script, which `scripts.sty` loads.
FONTS = {
    "latin": "texgyretermes-regular.otf", "serif": SERIF, "arabic": SERIF, "hebrew": SERIF,
    "devanagari": SERIF, "cjk": "wqy-zenhei.ttc",
}  # fmt: skip
#: What lualatex needs for any of them, and the packages of Debian and Ubuntu that hold it.
BASE = ("luaotfload-main.lua", "fontspec.sty", FONTS["latin"])
PACKAGES = {
    "luaotfload-main.lua": "texlive-luatex", "fontspec.sty": "texlive-latex-recommended",
    FONTS["latin"]: "fonts-texgyre", SERIF: "fonts-freefont-otf", FONTS["cjk"]: "fonts-wqy-zenhei",
}  # fmt: skip
NAMES = {
    "latin": "Latin letters with rare accents", "serif": "Greek, Cyrillic and the like", "arabic": "Arabic",
    "hebrew": "Hebrew", "devanagari": "Devanagari", "cjk": "Chinese, Japanese or Korean",
}  # fmt: skip
LONGEST_RUN = 4  # signs that no line breaks, where a script has no spaces
#: A sign with what no line begins with behind it, and what none ends with before it.
UNBROKEN = re.compile(r"[（「『《〈【〔［]*.[、。，．：；！？）」』》〉】〕］ー・々]*")
NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


def engine(latex: str) -> Engine:
    """What the document is to be set by."""
    return "lualatex" if _scripts(latex) and not _missing(BASE) else "pdflatex"


def advice(latex: str) -> str:
    """The sentence on scripts whose fonts are not installed; "" where all are."""
    missing = {script: _missing((*BASE, FONTS[script])) for script in _scripts(latex)}
    lacking = [NAMES[script] for script, files in missing.items() if files]
    if not lacking:
        return ""
    packages = sorted({PACKAGES[file] for files in missing.values() for file in files})
    return (
        f"its text has {listing(lacking)}, printed as Latin letters or codes; to have it as it is written, "
        f"run: sudo apt-get install --no-install-recommends {' '.join(packages)}"
    )


def marks(latex: str) -> str:
    """The marks alone."""
    return "".join(mark[0] for mark in FOREIGN.finditer(latex))


def resolve(latex: str, with_engine: Engine) -> str:
    """LaTeX for that engine, without marks; of the same number of lines."""
    if with_engine == "pdflatex":
        return FOREIGN.sub(lambda mark: "".join(map(form, _text(mark))), latex)
    latex = latex.replace(PLACE, rf"\usepackage[{','.join(_scripts(latex))}]{{scripts}}" + "\n")
    return FOREIGN.sub(lambda mark: _set(mark[1], _text(mark)), latex)


def plain(latex: str) -> str:
    """With the letters themselves in place of the marks, for a document of the reader's own."""
    return FOREIGN.sub(_text, latex)


def _text(mark: re.Match[str]) -> str:
    return "".join(chr(int(code, 16)) for code in mark[2].split())


def _scripts(latex: str) -> list[str]:
    return sorted({mark[1] for mark in FOREIGN.finditer(latex)})


def _set(script: str, text: str) -> str:
    """The letters in the font of their script; in the form of pdflatex those that it does not have."""
    if _missing((FONTS[script],)):
        return "".join(map(form, text))
    has = _characters(FONTS[script])
    written = run = ""
    for character in text:
        if character == " " or ord(character) in has:
            run += character
        else:
            written += _switched(script, run) + form(character)
            run = ""
    return written + _switched(script, run)


def _switched(script: str, run: str) -> str:
    if not run or script == "latin":
        return run
    if script == "cjk" and len(run) > LONGEST_RUN:
        return r"\allowbreak{}".join(rf"{{\in{script}{{{part}}}}}" for part in UNBROKEN.findall(run))
    if script in RIGHT_TO_LEFT:
        run = NUMBER.sub(r"\\innumber{\g<0>}", run)
    return rf"{{\in{script}{{{run}}}}}"


def _missing(files: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(file for file in files if not _found(file))


@cache
def _found(file: str) -> str:
    """Where TeX finds a file; "" where it does not."""
    if not (shutil.which("kpsewhich") and shutil.which("lualatex")):
        return ""
    command = ["kpsewhich", "--progname=lualatex", file]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


@cache
def _characters(file: str) -> frozenset[int]:
    """The code points that a font has."""
    from fontTools.ttLib import TTFont

    with TTFont(_found(file), fontNumber=0, lazy=True) as font:
        return frozenset(font.getBestCmap())
