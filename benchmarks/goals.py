"""Measured values beside the goals that they must reach."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Goal:
    """`at_most` or `at_least`, or neither for a value that is told for comparison."""

    what: str
    value: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def holds(self) -> bool:
        above = self.at_most is not None and self.value > self.at_most
        below = self.at_least is not None and self.value < self.at_least
        return not above and not below

    def __str__(self) -> str:
        goal = f"≤ {self.at_most:g}" if self.at_most is not None else ""
        goal = f"≥ {self.at_least:g}" if self.at_least is not None else goal
        verdict = ("holds" if self.holds else "missed") if goal else ""
        return f"{self.what:55} {self.value:10.2f}  {goal:6} {verdict}".rstrip()


def report(goals: list[Goal], file: Path | None) -> None:
    """Print a line a goal, and write them all as JSON where a file is named."""
    for goal in goals:
        print(goal)
    if file:
        rows = [{**asdict(goal), "holds": goal.holds} for goal in goals]
        file.write_text(json.dumps(rows, indent=1) + "\n")


def options(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser
