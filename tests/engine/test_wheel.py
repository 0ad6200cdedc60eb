"""convstudy from a wheel, in an environment of its own, outside the repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pydantic
import pytest

HOME = Path(__file__).parents[2]
SHADOWS = ("lab", "results", "report", "analyses", "engine", "templates")


@pytest.fixture(scope="module")
def convstudy(tmp_path_factory):
    """Runs the installed command in a folder; its environment sees our packages, but no checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=HOME, capture_output=True, check=True).stdout
    for name in tracked.decode().split("\0"):
        if name and not name.startswith("tests/") and (HOME / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((HOME / name).read_bytes())
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    packages = Path(pydantic.__file__).parents[1]
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()
    Path(site, "packages.pth").write_text(f"{packages}\n", "utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", str(source)], check=True, capture_output=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "CONVSTUDY"))}

    def run(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(folder / "venv" / "bin" / "convstudy"), *arguments]
        environment["CONVSTUDY_CACHE"] = str(folder / "cache")
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)

    return run


def test_a_study_is_begun_and_built_from_a_wheel_among_folders_of_our_names(convstudy, tmp_path):
    for name in SHADOWS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(
            "raise RuntimeError('a folder hid the module')\n", "utf-8"
        )
    begun = convstudy(tmp_path, "new", "mine", "--title", "Mine")
    assert begun.returncode == 0, begun.stderr
    mine = tmp_path / "mine"
    assert (mine / "Makefile").is_file() and (mine / ".github/workflows/pages.yml").is_file()
    built = convstudy(mine, "build", "--format", "html")
    assert built.returncode == 0, built.stderr
    assert "own.squeeze: recorded" in built.stdout
    assert "1,248,424" in (mine / "site/mine/my-section.html").read_text("utf-8")
    checked = convstudy(mine, "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    counted = convstudy(tmp_path, "inspect", "squeezenet1_0", "--against", "none", "--json")
    assert counted.returncode == 0, counted.stderr
