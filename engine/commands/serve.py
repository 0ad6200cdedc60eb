"""`serve`: a preview of the site at localhost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.common import fail, out, site, work_in_named


def serve(
    folder: Annotated[
        str | None, typer.Argument(metavar="FOLDER", help="The folder of a study of your own")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The site to show (default: site)")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
) -> None:
    """Preview the site at localhost."""
    from engine.preview import server_of

    if folder and work_in_named([folder]):
        fail(2, f"there is no folder {folder} of a study of your own; --output names that of a site")
    output = site(output)
    if not (output / "index.html").is_file():
        fail(1, f"there is no site in {output}; make it with `python runner.py build`")
    try:
        server = server_of(output, port)
    except OSError as error:
        fail(1, f"port {port} cannot be used ({error.strerror}); choose another with --port")
    with server:
        out.print(f"http://localhost:{server.server_address[1]}/ shows {output} (Ctrl-C ends it)")
        server.serve_forever()
