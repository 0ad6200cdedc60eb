"""A preview shows the site to this machine, and nothing else to anybody."""

from __future__ import annotations

from http.client import HTTPConnection
from threading import Thread

import pytest

from engine.preview import server_of


@pytest.fixture
def port(tmp_path):
    (tmp_path / "site" / "one").mkdir(parents=True)
    (tmp_path / "site" / "index.html").write_text("the site")
    (tmp_path / "site" / "one" / "secret.txt").write_text("a list would name it")
    (tmp_path / "beside.txt").write_text("not of the site")
    with server_of(tmp_path / "site", 0) as server:
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield server.server_address[1]
        server.shutdown()
        serving.join()


def asked(port: int, path: str, host: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/", "localhost:8000", 200),
        ("/index.html", "127.0.0.1", 200),
        ("/", "rebound.example:8000", 421),
        ("/", "localhost.example", 421),
        ("/", "", 421),
        ("/one/", "localhost", 404),
        ("/../beside.txt", "localhost", 404),
    ],
)
def test_the_site_is_shown_under_this_machines_name_and_no_folder_is_listed(port, path, host, status):
    found, content = asked(port, path, host)
    assert found == status
    assert (b"the site" in content) == (status == 200)
    assert b"secret" not in content


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/%00", 400),
        ("/one/%00.css", 400),
        ("/%ed%a0%80", 400),
        ("/%ff%fe", 404),
        (f"/{'a' * 5000}", 404),
        (f"/{'one/' * 2000}", 404),
    ],
)
def test_an_address_that_stands_for_no_file_is_refused_without_a_traceback(port, path, status, capfd):
    assert asked(port, path, "localhost")[0] == status
    assert asked(port, "/", "localhost")[0] == 200
    assert "Traceback" not in capfd.readouterr().err
