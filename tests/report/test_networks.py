"""Drawings of networks: nothing collides, the same bytes every time, and blocks that lead to their counts."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from pydantic import ValidationError

from report import figures, networks
from report.networks.graph import NARROW
from report.networks.pen import Pen, collisions
from report.networks.words import short, size_of, spoken
from results.schema import Arrow, Block, FeatureMap, Frame, Network, NetworkPanel
from results.store import Store
from tests.conftest import ROOT

DRAWN = Store(ROOT / "results").read("architecture.drawings", "full").figures


def network(*pairs: tuple[str, str], **options) -> Network:
    names = dict.fromkeys(name for pair in pairs for name in pair)
    blocks = tuple(Block(id=name, kind="conv", label=name) for name in names)
    arrows = tuple(Arrow(source=a, target=b) for a, b in pairs)
    return Network(
        form="graph",
        caption="Blocks.",
        alt="Boxes.",
        panels=(NetworkPanel(blocks=blocks, arrows=arrows),),
        **options,
    )


@pytest.mark.parametrize("screen", [False, True], ids=["print", "page"])
@pytest.mark.parametrize("name", DRAWN)
def test_nothing_in_a_drawing_collides_and_it_fits_the_text_block(name, screen):
    pen = Pen(screen=screen, id="x")
    width, height = networks.draw(DRAWN[name], pen)
    assert collisions(pen, (width, height)) == []
    assert width <= (430 if screen else 400)  # letters are wider on a page, which scales the drawing
    assert height <= 360


def test_a_collision_is_found():
    pen = Pen(screen=False, id="x")
    pen.block("a", (0, 0, 30, 20))
    pen.text(28, 10, "beside")
    assert any("beside" in problem for problem in collisions(pen, (100, 100)))


def test_a_skip_runs_outside_the_blocks_that_it_passes():
    drawn = network(("a", "b"), ("b", "c"), ("a", "c"), flow="right")
    pen = Pen(screen=False, id="x")
    networks.draw(drawn, pen)
    top = min(extent[1] for kind, _, extent in pen.extents if kind == "block")
    highest = min(y for path, _, gid, _ in pen.patches if gid == "arrow-0-2" for _, y in path.vertices)
    assert highest < top


def test_a_drawing_is_the_same_to_the_byte_in_another_process():
    code = (
        "import hashlib; from tests.report.test_networks import network; from report import networks; "
        "n = network(('a', 'b'), ('a', 'c'), ('b', 'd'), ('c', 'd')); "
        "print(hashlib.sha256(networks.printed(n, 'pdf') + networks.svg(n, 'x').encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PATH": "", "HOME": "/tmp"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawing_that_is_too_wide_for_a_phone_is_laid_out_for_one_too(name):
    drawn = DRAWN[name]
    pen = Pen(screen=True, id="x")
    width, height = networks.draw(drawn, pen, NARROW)
    assert collisions(pen, (width, height)) == []
    assert width <= 1.25 * NARROW < networks.draw(drawn, Pen(screen=True, id="x"))[0]
    owners = {owner for kind, owner, _ in pen.extents if kind == "block"}
    assert len(owners) == sum(len(panel.blocks) for panel in drawn.panels), "every block is there"
    wide, narrow = re.findall(r"<svg .*?</svg>", figures.svg(drawn, "fig"), flags=re.DOTALL)
    assert 'class="narrow"' in narrow and 'class="narrow"' not in wide
    across = float(re.search(r'viewBox="\S+ 0 (\S+) ', narrow)[1])
    assert NARROW <= across <= 1.25 * NARROW, "letters are as large whatever is drawn"


def test_a_page_leads_from_a_block_to_its_exact_counts_and_reads_the_whole_aloud():
    page = figures.svg(DRAWN["inception"], "fig")
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert all(id.startswith("fig") for id in ids)
    blocks = sum(len(panel.blocks) for panel in DRAWN["inception"].panels)
    assert page.count('class="block"') == 2 * blocks, "laid out for a page and for a phone"
    assert "output 32×32×192; 884,736" not in page  # parameters are left out of this drawing
    assert "MACs" in page
    assert "feeds filter concatenation" in spoken(DRAWN["inception"])


def test_counts_are_shortened_to_three_digits_and_sizes_are_written_as_in_papers():
    assert [short(count) for count in (7, 34_944, 102_764_544)] == ["7", "34.9 k", "103 M"]
    assert size_of((256, 32, 32)) == "32×32×256"
    assert size_of((197, 768)) == "197×768"
    assert size_of((1000,)) == "1,000 outputs"


def test_a_network_that_cannot_be_drawn_is_refused_by_what_is_wrong():
    block = Block(id="a", kind="conv")
    with pytest.raises(ValidationError, match="no block is called b"):
        NetworkPanel(blocks=(block,), arrows=(Arrow(source="a", target="b"),))
    with pytest.raises(ValidationError, match="two blocks are called a"):
        NetworkPanel(blocks=(block, block))
    with pytest.raises(ValidationError, match="no block is called c"):
        NetworkPanel(blocks=(block,), frames=(Frame(title="", blocks=("c",)),))
    with pytest.raises(ValidationError, match="round in a circle"):
        network(("a", "b"), ("b", "a"))
    with pytest.raises(ValidationError):
        FeatureMap(rows=65, columns=1)
