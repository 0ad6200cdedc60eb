"""Calls of pandoc: Markdown to its JSON syntax tree, and from there to a format."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Any

import pypandoc

from report.document import Block

API_VERSION = [1, 23]

#: Reads texts separated by NUL; writes the syntax tree of each as one line of JSON.
READ_MARKDOWN = r"""
local extensions = 'markdown-raw_tex-raw_html-raw_attribute-latex_macros'
for text in (io.read('a') .. '\0'):gmatch('([^\0]*)\0') do
  io.write(pandoc.write(pandoc.read(text, extensions), 'json'), '\n')
end
"""


class PandocError(RuntimeError):
    """Pandoc could not be run, or refused its input."""


def call(arguments: Sequence[str], text: str) -> str:
    """What pandoc prints for `text` on its standard input."""
    command = [pypandoc.get_pandoc_path(), *arguments]
    environment = {**os.environ, "TMPDIR": tempfile.gettempdir()}  # one that is there
    try:
        done = subprocess.run(command, input=text.encode(), env=environment, capture_output=True, check=True)
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


def read_markdown(texts: Sequence[str]) -> list[list[Block]]:
    """The blocks of each text, all in one call; texts do not see each other's footnotes or ids."""
    output = call(["lua", "-e", READ_MARKDOWN], "\0".join(text.replace("\0", "") for text in texts))
    return [json.loads(line)["blocks"] for line in output.splitlines()]


def write(blocks: Sequence[Block], *arguments: str) -> str:
    """Blocks in the format that the arguments name, such as `--to=latex`."""
    tree: dict[str, Any] = {"pandoc-api-version": API_VERSION, "meta": {}, "blocks": list(blocks)}
    return call(["--from=json", *arguments], json.dumps(tree))
