"""What is wrong in a section's template, in words for its author, and at which line."""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Iterator

import jinja2

from report.formatting import nearest
from report.macros import MACROS, Macros

#: Statement → what it ends or divides; none of a statement that does neither.
STATEMENTS: dict[str, tuple[str, ...]] = {
    "if": (), "elif": ("if",), "else": ("if", "for"), "endif": ("if",),
    "for": (), "endfor": ("for",), "do": (), "set": (),
}  # fmt: skip
SIGN = r"a line that begins with % is a statement, and \% prints the sign"
PARTS = (("{{", "}}"), ("{%", "%}"), ("{##", "##}"))
#: How Jinja says it → how it is said here.
WORDS = {
    r"unexpected char '([“”„‟‘’‚«»])'": r'\1 is no quotation mark of a program; write "…"',
    r"unexpected char '(.)'": r"\1 means nothing there",
    r"unexpected '.', expected '(.)'": r"\1 is missing",
    r"[Ee]xpected .+, got 'end of .+'": "its end is missing",
    r"expected token 'end of .+', got '(.+)'": r"'\1' stands where it should end",
    r"No (filter|test) named '(.+)'": r"there is no \1 '\2'",
    r"Unexpected end of template. .*the following tags: 'endset'": "an = with a value is missing",
}


class TemplateFault(Exception):
    """A statement that cannot stand where it does."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


def check_statements(environment: jinja2.Environment, template: str) -> None:
    """Raise TemplateFault for the first statement that there is not, or that does not pair with its own."""
    opened: list[tuple[str, int]] = []
    for tag, line in _statements(environment, template):
        if tag not in STATEMENTS:
            raise TemplateFault(line, f"there is no `% {tag}` ({SIGN}){nearest(tag, list(STATEMENTS))}")
        belongs = STATEMENTS[tag]
        within, begun = opened[-1] if opened else ("", 0)
        if belongs and not opened:
            of = " or ".join(f"`% {one}`" for one in belongs)
            raise TemplateFault(line, f"`% {tag}` belongs to no {of} above; remove it, or begin one")
        if belongs and within not in belongs:
            raise TemplateFault(
                line,
                f"`% {tag}` stands where the `% {within}` of line {begun} is not ended; write `% end{within}`"
                " before it",
            )
        if tag in ("if", "for"):
            opened.append((tag, line))
        elif tag.startswith("end"):
            opened.pop()
    if opened:
        tag, line = opened[-1]
        raise TemplateFault(line, f"`% {tag}` begins here and is never ended; write `% end{tag}` below it")


def _statements(environment: jinja2.Environment, template: str) -> Iterator[tuple[str, int]]:
    """The first word of each statement, with its line."""
    begins = False
    for line, kind, value in environment.lex(template):
        if begins and kind != "whitespace":
            if kind != "name":
                raise TemplateFault(line, f"this is no statement; {SIGN}")
            yield value, line
        begins = kind == "block_begin" or (begins and kind == "whitespace")


def described(error: Exception, name: str, template: str) -> tuple[int, str]:
    """The line at which an error arose in the template of that name, and a sentence without its full stop."""
    if isinstance(error, TemplateFault):
        return error.line, str(error)
    if isinstance(error, RecursionError):
        return deepest(template), "brackets stand too deep in each other there; write it flat"
    if isinstance(error, jinja2.TemplateSyntaxError):
        return _syntax(template, error.lineno, (error.message or "").rstrip("."))
    text = str(error).rstrip(".")
    frames = traceback.extract_tb(error.__traceback__)
    line = next((frame.lineno or 1 for frame in reversed(frames) if frame.filename == name), 1)
    return line, _of_a_call(text) if isinstance(error, TypeError) else text + _meant(text)


def deepest(text: str) -> int:
    """The line with the most signs that enclose or mark others."""
    lines = text.split("\n")
    return 1 + max(range(len(lines)), key=lambda n: len(re.findall(r"[][(){}<>*_~^'\"-]", lines[n])))


def _syntax(template: str, line: int, text: str) -> tuple[int, str]:
    for opening, closing in PARTS:
        for found in re.finditer(re.escape(opening), template):
            rest = template[found.end() :]
            begun = template.count("\n", 0, found.start()) + 1
            end, again = rest.find(closing), rest.find(opening)
            if begun <= line and (end < 0 or 0 <= again < end):
                return begun, f"{opening} begins here and is never ended; write {closing} behind it"
    reworded = [words for pattern, form in WORDS.items() if (words := _reworded(pattern, form, text))]
    what = "the statement" if template.split("\n")[line - 1].startswith("{%") else "what {{ … }} holds"
    return line, f"{what} cannot be read: {reworded[0] if reworded else text}"


def _reworded(pattern: str, form: str, text: str) -> str:
    found = re.match(pattern, text)
    return found.expand(form) if found else ""


def _of_a_call(text: str) -> str:
    """What is wrong with how a macro is called, and how it is called right."""
    text = text.replace("Macros.", "")
    name = text.partition("(")[0]
    if name not in MACROS:
        return text
    if unknown := re.search(r"unexpected keyword argument '(\w+)'", text):
        known = list(inspect.signature(getattr(Macros, name)).parameters)[1:]
        return f"{name}() has no {unknown[1]!r}{nearest(unknown[1], known)}"
    return f"{text}; it is written {MACROS[name]}"


def _meant(text: str) -> str:
    """The macro that a misspelt one resembles."""
    found = re.fullmatch(r"'(\w+)' is undefined", text)
    return nearest(found[1], list(MACROS)) if found else ""
