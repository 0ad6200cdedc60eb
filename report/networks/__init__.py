"""Drawings of networks from counted layers: one declaration becomes vector graphics for print and for a page.

The layout is our own and takes the standard library only: layered, deterministic, with ports, lanes for skips
and columns for chains, which the layouts of common graph libraries do not have.
"""

from __future__ import annotations

import html
import re

from report.drawings import Format, presentation_attributes, smaller
from report.networks.graph import NARROW, WIDTH, draw_graph
from report.networks.pen import QUIET, Pen
from report.networks.volumes import draw_volumes
from report.networks.words import details_of, spoken
from results.schema import Network


def draw(network: Network, pen: Pen, room: float = WIDTH) -> tuple[float, float]:
    """Draw with `pen`, at best within `room`; width and height in points."""
    width, height = (draw_volumes if network.form == "volumes" else draw_graph)(network, pen, room)
    return round(width + 2, 2), round(height + 3, 2)


def printed(network: Network, format: Format) -> bytes:
    pen = Pen(screen=False, id="network")
    return pen.save(*draw(network, pen), format)


def svg(network: Network, id: str) -> str:
    """<svg> elements for a page: text in its font, ink `currentColor`, fills translucent; what
    has an id begins with `id`. A block is a group of class "block" with data-row, which names its row of the
    figure's table, and its title its exact counts. A drawing that is too wide for a phone is laid out a
    second time, of class "narrow".
    """
    words = (
        f'<title id="{id}-title">{html.escape(network.caption)}</title>\n'
        f'<desc id="{id}-desc">{html.escape(network.alt)} {html.escape(spoken(network))}</desc>\n'
    )
    found, width = _element(network, id, WIDTH, f'id="{id}" aria-labelledby="{id}-title {id}-desc"', words)
    if width <= NARROW:
        return found
    alike = f'class="narrow" aria-labelledby="{id}-narrow-title {id}-desc"'
    title = f'<title id="{id}-narrow-title">{html.escape(network.caption)}</title>\n'
    return found + _element(network, f"{id}-narrow", NARROW, alike, title)[0]


def _element(network: Network, id: str, room: float, named: str, words: str = "") -> tuple[str, float]:
    """The element with attributes and words that name it, and the width of the drawing; one for a phone has
    the same scale however wide it is.
    """
    pen = Pen(screen=True, id=id)
    width, height = draw(network, pen, room)
    drawn = pen.save(width, height, "svg").decode()
    body = re.sub(r"<(metadata|style).*?</\1>\s*", "", drawn[drawn.index("<svg") :], flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'\sstyle="([^"]*)"', presentation_attributes, body)
    body = re.sub(rf'\bid="(?!{re.escape(id)}-)', f'id="{id}-', body)
    body = re.sub(r' id="[^"]*-(?:patch|text|figure|axes|PathPatch)_?\d*"', "", body)
    body = smaller(body).replace(' stroke-linejoin="miter"', "").replace("\nL ", "L").replace('\n"', '"')
    body = re.sub(r"<g>((?:<text [^>]*>[^<]*</text>)+)</g>", r"\1", body)
    quiet = rf'(fill|stroke)="{QUIET}"'
    body = re.sub(quiet, r'\1="currentColor" \1-opacity="0.8"', body, flags=re.IGNORECASE)
    body = body.replace("#000000", "currentColor")
    for number, panel in enumerate(network.panels):
        for block in panel.blocks:
            group = f'<g id="{id}-block-{number}-{block.id}"'
            details = html.escape(details_of(block))
            row = html.escape(block.row or block.id)
            body = body.replace(
                f"{group}>",
                f'{group} class="block" data-row="{row}" tabindex="0" role="img"><title>{details}</title>',
                1,
            )
    size = f'font-size="{pen.size:g}px"'
    body = re.sub(rf' (?:id="[^"]*"|text-anchor="middle"|stroke-dashoffset="0"|{size})', "", body)
    left, across = ((width - NARROW) / 2, NARROW) if width < room == NARROW else (0.0, width)
    root = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {named} viewBox="{left:g} 0 {across:g} {height:g}" '
        f'role="group" fill="currentColor" text-anchor="middle" {size}>\n{words}'
    )
    return root + body[body.index(">") + 1 :].strip() + "\n", width
