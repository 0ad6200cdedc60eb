"""Every fault that a site can have is named with its page; a sound site has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from report.site_checks import LARGEST_PAGE, check_site

HEAD = (
    '<!DOCTYPE html><html lang="en"><head><meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'\"><title>T</title>"
)


def write(folder: Path, body: str, head: str = "", name: str = "page.html") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEAD}{head}</head><body><h1>Title</h1>{body}</body></html>", "utf-8")
    return folder


SOUND = """
<h2 id="a/b:c">One</h2><h3>Two</h3><h2>Three</h2>
<a href="#a/b:c">here</a> <a href="deep/other.html#%CE%B1">there</a> <a href="data.csv" download>file</a>
<a href="https://doi.org/10.1000/1">paper</a>
<img src="data:image/png;base64,AA" alt="A dot">
<svg role="img"><title>Drawing</title><g><title>a bar</title></g><use href="#a/b:c"/></svg>
<svg aria-hidden="true"></svg><span id="name">n</span><p aria-labelledby="name">x</p>
"""


def test_a_sound_site_has_no_problem(tmp_path: Path) -> None:
    write(tmp_path, SOUND, '<link rel="stylesheet" href="site.css"><link rel="icon" href="data:,">')
    write(tmp_path, '<a href="../page.html">up</a><p id="α"></p>', name="deep/other.html")
    (tmp_path / "data.csv").write_text("a")
    (tmp_path / "site.css").write_text("p { background: url(data:image/png;base64,AA) }")
    assert check_site(tmp_path) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<a href="gone.html">x</a>', "leads to no file"),
        ('<a href="../page.html">x</a>', "leads to no file"),
        ('<a href="#gone">x</a>', "leads to no place"),
        ('<a href="page.html#gone">x</a>', "leads to no place"),
        ('<a href="/root.html">x</a>', "leaves the folder"),
        ('<a href="javascript:f()">x</a>', "leaves the folder"),
        ('<img src="https://a.org/p.png" alt="p">', "from outside"),
        ('<script src="//a.org/s.js"></script>', "from outside"),
        ('<img srcset="https://a.org/p.png 2x" alt="p">', "from outside"),
        ('<p style="color: red">x</p>', "a style of its own, which the content policy forbids"),
        ('<style>@import "https://a.org/s.css";</style>', "from outside"),
        ('<svg><title>t</title><image xlink:href="https://a.org/p.png"/></svg>', "from outside"),
        ('<iframe src="gone.html"></iframe>', "which is not there"),
        ('<img src="data:,">', "no alt text"),
        ("<svg><path d=''/></svg>", "1 drawings have no title"),
        ("<h1>Again</h1>", "2 headings of the first level"),
        ("<h3>Deep</h3>", "level 3 follows one of level 1"),
        ('<p id="x"></p><p id="x"></p>', "used twice"),
        ('<p aria-labelledby="gone">x</p>', "labelled by the id 'gone'"),
        ('<p onclick="f()">x</p>', "script in its attribute onclick"),
        (f"<p>{'x' * LARGEST_PAGE}</p>", "bytes, more than"),
    ],
)
def test_a_fault_is_named_with_its_page(tmp_path: Path, body: str, problem: str) -> None:
    (found,) = check_site(write(tmp_path, body))
    assert found.startswith("page.html: ")
    assert problem in found


def test_a_page_without_policy_language_title_or_heading_is_reported(tmp_path: Path) -> None:
    (tmp_path / "bare.html").write_text("<!DOCTYPE html><html><body><p>x</p></body></html>")
    problems = " ".join(check_site(tmp_path))
    for part in ("its language", "no title", "content policy", "0 headings of the first level"):
        assert part in problems


def test_style_sheets_are_checked_too(tmp_path: Path) -> None:
    write(tmp_path, "")
    (tmp_path / "site.css").write_text('@import url("https://a.org/f.css"); p { background: url(gone.png) }')
    assert check_site(tmp_path) == [
        "site.css: it loads https://a.org/f.css from outside the site",
        "site.css: it loads gone.png, which is not there",
    ]


def test_a_folder_without_pages_is_no_site(tmp_path: Path) -> None:
    assert check_site(tmp_path) == [f"there is no page in {tmp_path}"]
