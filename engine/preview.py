"""The site as a preview at localhost serves it."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class SiteHandler(SimpleHTTPRequestHandler):
    """The files of a folder, asked for under this machine's own name; no list of what a folder holds.

    A page of someone else's, whose name was made to lead here, asks under that name and gets nothing.
    """

    def send_head(self) -> Any:
        host = self.headers.get("Host", "").split(":")[0]
        if host not in ("localhost", "127.0.0.1"):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "this is localhost alone")
            return None
        try:
            return super().send_head()
        except ValueError:  # an address that stands for no path, such as /%00
            self.send_error(HTTPStatus.BAD_REQUEST)
            return None

    def list_directory(self, path: Any) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)


def server_of(site: Path, port: int) -> ThreadingHTTPServer:
    """On the loopback address; any free port for 0. OSError where the port cannot be used."""
    return ThreadingHTTPServer(("127.0.0.1", port), partial(SiteHandler, directory=str(site)))
