"""How a template calls a macro: its arguments are of their types, and a result that is missing where a
section borrows from it costs that place alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from typing import Any

from report.formatting import markdown
from report.macros import MACROS, MacroError, Macros
from results.store import ResultError


def namespace(macros: Macros) -> dict[str, Callable[..., Any]]:
    """The macros by name, for a template."""
    return {name: _callable(macros, name) for name in MACROS}


def _callable(macros: Macros, name: str) -> Callable[..., Any]:
    """The macro, which says in its place what is missing where the section is not about that."""
    macro: Callable[..., Any] = getattr(macros, name)

    def printed(*given: Any, **named: Any) -> Any:
        _check_types(name, macro, given, named)
        if name not in SPARED:
            return macro(*given, **named)
        try:
            return macro(*given, **named)
        except ResultError as error:
            if error.analysis in macros.subjects:
                raise
            macros.lacking[error.analysis] = error
            return SPARED[name](macros.full(given[0] if given else error.analysis), error)

    return printed


#: What a macro may be given, as it is declared → the types of such a value, and how an error calls it.
GIVEN: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), 'a text in quotation marks, "…"'),
    "bool": ((bool,), "True or False"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "list[str]": ((list, tuple), 'a list of texts, ["…", "…"]'),
}


def _check_types(
    name: str, macro: Callable[..., Any], given: Sequence[Any], named: Mapping[str, Any]
) -> None:
    """MacroError where an argument is not of its type; of one that is missing or unknown the call tells."""
    call = signature(macro)
    try:
        arguments = call.bind(*given, **named).arguments
    except TypeError:
        return
    for key, value in arguments.items():
        several = call.parameters[key].kind is Parameter.VAR_POSITIONAL
        declared = call.parameters[key].annotation.removesuffix(" | None")
        types, wanted = GIVEN[declared]
        for one in value if several else [value]:
            texts = one if declared == "list[str]" and isinstance(one, list | tuple) else [""]
            if one is not None and not (isinstance(one, types) and all(isinstance(t, str) for t in texts)):
                raise MacroError(f"{key} of {name}() is {wanted}, not {one!r}; it is written {MACROS[name]}")


def missing_note(error: ResultError, what: str) -> str:
    """In the place of a section, table or figure: what is missing, and what to do."""
    problem, remedy = (
        "`".join(part if n % 2 else markdown(part) for n, part in enumerate(text.split("`")))
        for text in (error.problem, error.remedy)
    )
    return f"\n\n::: {{.missing}}\n{what} cannot be shown: {problem}; {remedy}.\n:::\n\n"


def _missing_words(target: str, _: ResultError) -> str:
    return f"*(missing: `{target}`)*"


#: Macros that print what a section may borrow from a result that it is not about → what else they print.
SPARED: dict[str, Callable[[str, ResultError], str]] = {
    **dict.fromkeys(
        ("value", "percent", "points", "parameter", "sentence", "data", "licence"), _missing_words
    ),
    "plain": lambda target, error: r"\text{(missing)}",
    "table": lambda target, error: missing_note(error, f"The table `{target}`"),
    "figure": lambda target, error: missing_note(error, f"The figure `{target}`"),
}
