"""A small site, and a real Chromium that shows its pages."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from report import html
from results.store import Store
from tests.report.conftest import TEMPLATES, open_workshop, vgg19
from tests.report.pages import put, site

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workshop = open_workshop(tmp_path_factory.mktemp("workshop"))
    workshop.section(
        "lost",
        "# A section that rests on something_rather_long_that_was_never_run\n\n"
        '{{ value("no.such/metric") }}\n',
    )
    made = site(
        workshop.document("layers", "training", "trained", "lost"), workshop.templates, pdf="small.pdf"
    )
    alone = html.table_page("VGG-19, layer by layer", vgg19().tables.values())
    drawings = html.write_result(Store(TEMPLATES.parent / "results").read("architecture.drawings", "full"))
    made |= {"small.pdf": b"%PDF", "alone.html": alone}
    return put({**drawings, **made}, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed; `apt-get install chromium` gets it")
    driver = pytest.importorskip("playwright._impl._driver", reason="playwright is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    starts = [driver.compute_driver_executable()[0], "--version"]
    if subprocess.run(starts, capture_output=True, check=False).returncode:
        pytest.skip("playwright's driver does not start; `apt-get install libatomic1` may help")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def show(chromium: Any, folder: Path) -> Iterator[Any]:
    """Opens a page of the site; afterwards, nothing may have been requested from outside or gone wrong."""
    contexts, requests, faults = [], [], []

    def opened(name: str, width: int = 1280, **settings: Any) -> Any:
        size = {"width": width, "height": 900}
        context = chromium.new_context(viewport=size, reduced_motion="reduce", **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto((folder / name).as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert requests
    inside = (folder.as_uri(), "data:")
    assert [address for address in requests if not address.startswith(inside)] == []
    assert faults == []
