"""How long a build takes: cold, with nothing changed, and after one changed sentence.

    python -m benchmarks.building [--json FILE]

Works on a copy of the tracked files in a temporary folder, with the recorded results; everything that a user
installs is installed. Each time is the whole command, from typing it to its end.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.goals import Goal, options, report

ROOT = Path(__file__).resolve().parent.parent


def copy_of_the_project(folder: Path) -> None:
    files = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, files):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())


def build(folder: Path, *arguments: str) -> tuple[float, list[str]]:
    started = time.perf_counter()
    finished = subprocess.run(
        [sys.executable, "runner.py", "build", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return time.perf_counter() - started, finished.stdout.splitlines()


def bare_import() -> float:
    """Seconds that Python and the packages behind every command take to start."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import pydantic, jinja2, typer, rich"], check=True)
    return time.perf_counter() - started


def main() -> None:
    file = options(__doc__).parse_args().json
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_of_the_project(folder)
        cold, lines = build(folder)
        ran = [line for line in lines if line.endswith("recorded")]
        build(folder)
        warm = min(build(folder)[0] for _ in range(5))
        bare = min(bare_import() for _ in range(5))
        sentences = []
        section = folder / "templates" / "sections" / "conclusion.md"
        for number in range(3):
            section.write_text(section.read_text() + f"\nAnd one sentence more{'!' * number}.\n")
            taken, lines = build(folder, "architectures", "--format", "pdf")
            assert lines == ["architectures.pdf: built"], lines
            sentences.append(taken)
    report(
        [
            Goal(f"cold build, {len(ran)} analyses run, s", cold, at_most=60),
            Goal("nothing changed, s (best of 5)", warm),
            Goal("nothing changed ÷ a bare import of what it needs", warm / bare, at_most=4),
            Goal("one changed sentence to its PDF, s (best of 3)", min(sentences), at_most=3),
        ],
        file,
    )


if __name__ == "__main__":
    main()
