"""An experiment whose cells do what a test asks of them, in whichever process they run.

Cells share a folder: they write their names to `runs` there, and a file `NAME.misdeed` says what goes wrong.
"""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results.schema import Metric


class TrialParameters(Parameters):
    folder: str = os.environ.get("TRIAL_FOLDER", "")
    seeds: int = 3
    data: tuple[str, ...] = ()
    steps: int = 1
    best: bool = False  # whether the best seed is run again, with more steps
    scale: int = 1  # of the summary alone


class Trial(Analysis[TrialParameters]):
    id = "tests.trial"
    title = "Trial"
    question = "What becomes of cells?"
    libraries = ()

    def parameters(self, profile: Profile) -> TrialParameters:
        return TrialParameters()

    def datasets(self, parameters: TrialParameters) -> tuple[str, ...]:
        return parameters.data

    def plan(self, parameters: TrialParameters) -> list[Cell]:
        settings = {"folder": parameters.folder, "steps": parameters.steps}
        return [Cell(str(seed), settings, seed) for seed in range(parameters.seeds)]

    def plan_next(self, parameters: TrialParameters, outcomes: Mapping[str, Outcome]) -> list[Cell]:
        best = max(outcomes, key=lambda name: outcomes[name]["score"])
        settings = {"folder": parameters.folder, "steps": parameters.steps + 1}
        return [Cell("best", settings, outcomes[best]["score"])] if parameters.best else []

    def run(self, cell: Cell, context: Context) -> Outcome:
        folder = Path(cell.settings["folder"])
        with (folder / "runs").open("a") as file:
            file.write(f"{cell.id}\n")
        done = len(list(context.scratch.iterdir()))
        for step in range(done, cell.settings["steps"]):
            (context.scratch / str(step)).touch()
            context.report((step + 1) / cell.settings["steps"], f"step {step}")
        misdeed = folder / f"{cell.id}.misdeed"
        extra = _misbehave(misdeed.read_text(), folder, cell.id) if misdeed.exists() else {}
        here = {
            "process": os.getpid(),
            "threads": context.threads,
            "environment": os.environ.get("OMP_NUM_THREADS"),
        }
        return {"score": cell.seed, "taken_up_at": done, **here, **extra}

    def summarize(self, parameters: TrialParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        total = sum(outcome["score"] for outcome in outcomes.values())
        if parameters.scale == 0:
            raise KeyError("no such scale")
        return Summary({"sum": Metric(value=parameters.scale * total, title="Sum of the scores")})


ITSELF: list[Any] = []
ITSELF.append(ITSELF)
#: What no JSON file can hold, in an outcome.
UNFIT: dict[str, Any] = {
    "nan": float("nan"),
    "object": Path(),
    "huge": 10**5000,
    "itself": ITSELF,
    "key": {(1, 2): 3},
    "half": "\ud800",
}


def _misbehave(misdeed: str, folder: Path, cell: str) -> dict[str, Any]:
    match misdeed.split():
        case ["raise"]:
            raise RuntimeError("the third layer\nis missing")
        case ["die"]:
            os.kill(os.getpid(), signal.SIGKILL)
        case ["die", "once"]:
            if not (died := folder / f"{cell}.died").exists():
                died.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        case ["memory"]:
            raise MemoryError
        case ["interrupt"]:
            raise KeyboardInterrupt
        case ["exit"]:
            raise SystemExit(0)
        case ["vanish"]:
            os._exit(0)
        case ["read"]:
            Path("nowhere.txt").read_text()
        case ["unfit", what]:
            return {"history": {"losses": [1.0, UNFIT[what]]}}
        case ["sleep", seconds]:
            time.sleep(float(seconds))
        case ["go", "on", seconds]:
            while True:
                with suppress(Exception):
                    time.sleep(float(seconds))
        case ["print"]:
            print("[a word in the way")
        case ["set"]:
            import torch

            torch.set_default_dtype(torch.float64)
            torch.set_grad_enabled(False)
            warnings.simplefilter("ignore")
            os.environ.clear()
            os.chdir("/")
        case ["after", path, seconds]:
            while not Path(path).exists():
                time.sleep(0.05)
            time.sleep(float(seconds))
    return {}


class Other(Trial):
    id = "tests.other"


analysis = Trial()
other = Other()
