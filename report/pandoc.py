"""Calls of pandoc: Markdown to its JSON syntax tree, and from there to a format."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import pypandoc

from report.document import Block

API_VERSION = [1, 23]
TIME_LIMIT = 600  # seconds; a study takes two
DEEPEST = 100  # of a syntax tree; those of our sections are 17 deep

#: Reads texts separated by NUL; writes of each the syntax tree, and the formulas that MathML cannot hold with
#: the reason, as two lines of JSON.
READ_MARKDOWN = r"""
local extensions = 'markdown-raw_tex-raw_html-raw_attribute-latex_macros-yaml_metadata_block'
local options = pandoc.WriterOptions({html_math_method = 'mathml'})
for text in (io.read('a') .. '\0'):gmatch('([^\0]*)\0') do
  local document, refused = pandoc.read(text, extensions), pandoc.List()
  document:walk({Math = function(formula)
    local page
    local messages = pandoc.log.silence(function()
      page = pandoc.write(pandoc.Pandoc({pandoc.Plain({formula})}), 'html5', options)
    end)
    local reason = page:find('<math', 1, true) and '' or messages[1].message
    refused:insert({formula.text, reason})
  end})
  io.write(pandoc.write(document, 'json'), '\n', pandoc.json.encode(refused), '\n')
end
"""


class Parsed(NamedTuple):
    """The blocks of a text, and each of its formulas with why MathML cannot hold it, "" where it can."""

    blocks: list[Block]
    formulas: list[tuple[str, str]]


class PandocError(RuntimeError):
    """Pandoc could not be run, or refused its input."""


class NestedTooDeep(Exception):
    """The parts of the text of that index stand deeper in each other than what reads them goes."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


def call(arguments: Sequence[str], text: str) -> str:
    """What pandoc prints for `text` on its standard input."""
    command = [pypandoc.get_pandoc_path(), *arguments]
    environment = {**os.environ, "TMPDIR": tempfile.gettempdir()}  # one that is there
    try:
        done = subprocess.run(
            command, input=text.encode(), env=environment, capture_output=True, check=True, timeout=TIME_LIMIT
        )
    except subprocess.TimeoutExpired:
        raise PandocError(
            f"pandoc did not end within {TIME_LIMIT} s; look for brackets, quotes or lists deep in each other"
        ) from None
    except OSError as error:
        raise PandocError(f"pandoc cannot be run ({error}); install pypandoc-binary again") from None
    except subprocess.CalledProcessError as error:
        message = error.stderr.decode(errors="replace").strip().partition("HasCallStack")[0].strip()
        bib = re.search(r"reading bibliography file (.+?):\s*\(line (\d+), column \d+\):\s*(.*)", message)
        if bib:
            raise PandocError(
                f"{bib[1]}:{bib[2]}: the bibliography cannot be read there ({bib[3]})"
            ) from None
        raise PandocError(f"pandoc refuses its input: {message}") from None
    return done.stdout.decode()


def read_markdown(texts: Sequence[str]) -> list[Parsed]:
    """What each text holds, all in one call; texts do not see each other's footnotes or ids."""
    output = call(["lua", "-e", READ_MARKDOWN], "\0".join(text.replace("\0", "") for text in texts))
    lines = output.removesuffix("\n").split("\n")  # no others, which may stand within a text
    trees, formulas = lines[::2], lines[1::2]
    for index, line in enumerate(trees):
        if _depth(line) > DEEPEST:
            raise NestedTooDeep(index)
    return [
        Parsed(json.loads(tree)["blocks"], [(tex, reason) for tex, reason in json.loads(found)])
        for tree, found in zip(trees, formulas, strict=True)
    ]


def _depth(tree: str) -> int:
    """How deep the parts of a syntax tree stand in each other, as JSON."""
    brackets = re.findall(r"[][{}]", re.sub(r'"(?:[^"\\]|\\.)*"', "", tree))
    return max(accumulate(1 if bracket in "[{" else -1 for bracket in brackets))


def write(blocks: Sequence[Block], *arguments: str) -> str:
    """Blocks in the format that the arguments name, such as `--to=latex`."""
    tree: dict[str, Any] = {"pandoc-api-version": API_VERSION, "meta": {}, "blocks": list(blocks)}
    return call(["--from=json", *arguments], json.dumps(tree))
