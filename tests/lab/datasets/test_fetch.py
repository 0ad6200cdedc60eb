"""Downloads, from a server on this machine that knows ranges, cuts connections and sends the wrong thing."""

from __future__ import annotations

import hashlib
import http.server
import re
import resource
import threading
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from lab.datasets import DataError, catalog, embedded, fetch, load
from lab.datasets.fetch import Download, fetch_file
from tests.lab.datasets.small_files import classes, packed

CONTENT = np.random.default_rng(0).integers(0, 256, 3_000_000, dtype=np.uint8).tobytes()
MD5 = "md5:" + hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT; `cut_after` bytes of each answer it hangs up, as often as `cuts` says."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.cut_after = None
        self.cuts = 0
        self.busy_after = None  # answers, after which it refuses
        self.ranges = True
        self.length = True  # whether it says how much comes
        self.asked = []

    def url(self, path="/data.bin"):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        if server.busy_after is not None and len(server.asked) > server.busy_after:
            self.send_error(503)
            return
        if urlsplit(self.path).path == "/gone":
            self.send_error(404)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and server.ranges else 0
        if start >= len(server.content) and start:
            self.send_error(416)
            return
        body = server.content[start:]
        if wanted and server.ranges:
            self.send_response(206)
            whole = len(server.content)
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        else:
            self.send_response(200)
        if server.length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.cut_after is not None and server.cuts:
            server.cuts -= 1
            body = body[: server.cut_after]
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = Server()
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def wanted(server, checksum=MD5, path="/data.bin", most=10.0):
    return Download("data.bin", server.url(path), checksum, most)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


@pytest.mark.parametrize("checksum", [MD5, SHA256])
def test_a_file_is_fetched_checked_and_reported(server, tmp_path, checksum):
    said = []
    path = fetch_file(wanted(server, checksum), tmp_path / "new", lambda *progress: said.append(progress))
    assert path.read_bytes() == CONTENT
    assert names(tmp_path / "new") == ["data.bin"]
    assert said[-1] == ("data.bin", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in said] == sorted(done for _, done, _ in said)


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    (tmp_path / "data.bin").write_bytes(CONTENT)
    fetch_file(wanted(server), tmp_path, fetch.nothing)
    assert server.asked == []


def test_a_cut_connection_is_taken_up_where_it_broke_off(server, tmp_path):
    server.cut_after, server.cuts = 1_000_000, 2
    path = fetch_file(wanted(server), tmp_path, fetch.nothing)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000000-", "bytes=2000000-"]


def test_a_server_that_is_gone_half_way_leaves_the_part_for_the_next_command(server, tmp_path):
    server.cut_after, server.cuts = 1_000_000, 1
    server.busy_after = 1
    with pytest.raises(
        DataError, match=r"Service Unavailable.*1\.0 MB are kept, and the same command goes on later"
    ):
        fetch_file(wanted(server), tmp_path, fetch.nothing)
    assert names(tmp_path) == ["data.bin.part"]
    server.busy_after = None
    server.asked.clear()
    assert fetch_file(wanted(server), tmp_path, fetch.nothing).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000000-"]
    assert names(tmp_path) == ["data.bin"]


def test_a_server_without_ranges_sends_all_of_it_again(server, tmp_path):
    server.ranges = False
    (tmp_path / "data.bin.part").write_bytes(b"the start of something else")
    assert fetch_file(wanted(server), tmp_path, fetch.nothing).read_bytes() == CONTENT


@pytest.mark.parametrize("extra", [b"", b"too long"])
def test_a_part_that_is_whole_or_too_long_is_fetched_anew(server, tmp_path, extra):
    (tmp_path / "data.bin.part").write_bytes(CONTENT + extra)
    assert fetch_file(wanted(server), tmp_path, fetch.nothing).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT + extra)}-", None]


def test_a_wrong_checksum_is_refused_and_removed(server, tmp_path):
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(DataError, match=r"is not the data\.bin that was published \(its MD5 differs\)"):
        fetch_file(wanted(server), tmp_path, fetch.nothing)
    assert names(tmp_path) == []


@pytest.mark.parametrize("length", [True, False], ids=["said", "not said"])
def test_no_more_is_taken_than_the_file_can_be(server, tmp_path, length):
    """A server that never ends would fill the disk before the checksum was looked at."""
    server.length, reached = length, []
    for there in (b"", CONTENT[:100]):
        (tmp_path / "data.bin.part").write_bytes(there)
        with pytest.raises(DataError, match=r"sends more than the 1\.5 MB that data\.bin can be at most"):
            fetch_file(wanted(server, most=1.5), tmp_path, lambda *progress: reached.append(progress[1]))
        assert names(tmp_path) == []
    assert max(reached, default=0) <= 1_500_000


def test_a_file_of_the_users_that_is_another_is_left_alone_and_named(server, tmp_path):
    (tmp_path / "data.bin").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"data\.bin is not the file that was published .*remove it"):
        fetch_file(wanted(server), tmp_path, fetch.nothing)
    assert (tmp_path / "data.bin").read_bytes() == b"mine"


def test_a_missing_page_and_a_silent_host_are_one_sentence(server, tmp_path):
    with pytest.raises(
        DataError, match=r"/gone cannot be fetched \(.*Not Found.*put the file at .*data\.bin"
    ):
        fetch_file(wanted(server, path="/gone"), tmp_path, fetch.nothing)
    address = server.url()
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match="refused"):
        fetch_file(Download("data.bin", address, MD5, 10.0), tmp_path, fetch.nothing)
    assert names(tmp_path) == []


def test_no_room_is_said_and_what_is_there_is_kept(server, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(DataError, match=r"cannot be written \(File too large\); make room"):
            fetch_file(wanted(server), tmp_path, fetch.nothing)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == ["data.bin.part"]
    assert fetch_file(wanted(server), tmp_path, fetch.nothing).read_bytes() == CONTENT


def test_what_is_fetched_is_found_where_data_is_looked_for(server, tmp_path, monkeypatch, own_cache):
    """The whole way, from this server instead of the authors'."""
    packs = []
    for number in (1, 2):
        path = packed(
            tmp_path / f"images_background_small{number}.zip",
            classes({f"small{number}/Latin/character0{number}": 3}),
        )
        packs.append((path.name, path.read_bytes()))
    downloads = []
    for name, content in packs:
        server.content = content
        downloads.append(Download(name, server.url(), "sha256:" + hashlib.sha256(content).hexdigest(), 1.0))
        monkeypatch.setitem(fetch.SOURCES, "omniglot", (downloads[-1],))
        (found,) = fetch.fetch("omniglot")
        assert found == own_cache / "data" / name
    assert load("omniglot").classes == ("Latin/character01", "Latin/character02")


def test_every_data_set_can_be_fetched_or_says_what_to_do():
    for name in catalog.CATALOG:
        if name in fetch.SOURCES:
            assert all(
                re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", d.checksum) for d in fetch.SOURCES[name]
            )
            assert all(d.url.startswith("https://") and d.most <= 1_000 for d in fetch.SOURCES[name])
        else:
            with pytest.raises(DataError, match=rf"{name} cannot be fetched by a program; .*ROOT"):
                fetch.fetch(name)
    for name in embedded.SETS:
        with pytest.raises(DataError, match="comes with the program"):
            fetch.fetch(name)
    with pytest.raises(DataError, match="no data set 'cifar11' to fetch"):
        fetch.fetch("cifar11")


def test_the_checksums_are_those_that_torchvision_and_scikit_learn_state():
    from sklearn.datasets import _lfw
    from torchvision import datasets

    assert fetch.SOURCES["cifar10"][0].checksum == f"md5:{datasets.CIFAR10.tgz_md5}"
    assert fetch.SOURCES["cifar10"][0].url == datasets.CIFAR10.url
    assert fetch.SOURCES["cifar100"][0].checksum == f"md5:{datasets.CIFAR100.tgz_md5}"
    assert fetch.SOURCES["dtd"][0].checksum == f"md5:{datasets.DTD._MD5}"
    assert fetch.SOURCES["dtd"][0].url == datasets.DTD._URL
    stated = {_lfw.ARCHIVE.filename: _lfw.ARCHIVE, **{target.filename: target for target in _lfw.TARGETS}}
    for download in fetch.SOURCES["lfw"]:
        assert download.url == stated[download.file].url
        assert download.checksum == f"sha256:{stated[download.file].checksum}"
