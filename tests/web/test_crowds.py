"""More connections than there is room for, and requests that never end: the page still answers."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
import time
import urllib.error
from collections.abc import Iterator
from urllib.request import urlopen

import pytest

import webapp.web.handles
from tests.labs import Page, new_cookie
from tests.running import Server, wait_until
from webapp.config import Config, ConfigError
from webapp.web.app import create_app
from webapp.web.connections import Connections
from webapp.web.handles import most_connections, raise_limit

posix = pytest.mark.skipif(sys.platform == "win32", reason="sockets are no file handles on Windows")


def half_a_request(port: int) -> socket.socket:
    found = socket.create_connection(("127.0.0.1", port), timeout=5)
    found.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow:")
    return found


@contextlib.contextmanager
def crowd(port: int, count: int) -> Iterator[list[socket.socket]]:
    """So many connections that never finish their request."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(half_a_request(port)) for _ in range(count)]


@posix
def test_a_server_that_runs_out_of_handles_answers_and_keeps_its_log_short(tmp_path):
    server = Server(tmp_path, "--workers", "1", "--device", "cpu", "--executor", "numpy", handles=220)
    port = int(server.url.rsplit(":", 1)[1])
    with crowd(port, 600):
        for path in ("/", "/static/css/base.css", "/nothing") * 5:
            with contextlib.suppress(urllib.error.HTTPError), urlopen(server.url + path, timeout=10) as answer:
                assert answer.status == 200
        page = Page(server.url)
        assert page.command("play", run=page.open())["ok"], "and a page trains meanwhile"
        page.close()
    with urlopen(server.url, timeout=10) as answer:
        assert answer.status == 200
    server.stop()
    assert sum(map(len, server.output)) < 3000, "\n".join(server.output)


@pytest.mark.clock
def test_a_head_that_drips_is_dropped_however_steadily(make_lab):
    lab = make_lab(head_timeout=1.0)
    with half_a_request(lab.config.port) as slow:
        start = time.monotonic()
        with pytest.raises(OSError, match=r"."):
            while time.monotonic() - start < 10:
                slow.sendall(b"x")
                time.sleep(0.1)
        assert 0.9 < time.monotonic() - start < 5


@pytest.mark.clock
def test_a_request_with_more_behind_it_doesnt_hold_on_either(make_lab):
    lab = make_lab(head_timeout=1.0)
    with socket.create_connection(("127.0.0.1", lab.config.port), timeout=5) as slow:
        slow.sendall(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{lab.config.port}\r\n\r\nx".encode())
        start = time.monotonic()
        with pytest.raises(OSError, match=r"."):
            while time.monotonic() - start < 10:
                slow.sendall(b"x")
                time.sleep(0.1)
        assert time.monotonic() - start < 5


def test_half_sent_requests_give_way_to_new_ones(make_lab):
    lab = make_lab(max_connections=4)
    with crowd(lab.config.port, 4) as waiting:
        with urlopen(f"{lab.url}/healthz", timeout=5) as answer:
            assert answer.status == 200
        assert waiting[0].recv(1) == b"", "the oldest one went"


def test_where_nobody_gives_way_a_sentence_says_why(make_lab, caplog):
    lab = make_lab(max_connections=3)
    cookies = [new_cookie(lab.url) for _ in range(3)]
    wait_until(lambda: not lab.server.connections._open, "the requests to end")
    pages = [Page(lab.url, cookie) for cookie in cookies]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urlopen(lab.url, timeout=5)
    text = refused.value.read().decode()
    assert refused.value.code == 503 and "All 3 connections" in text and "3 个连接" in text
    assert "refused: all 3 are in use" in caplog.text
    run = pages[0].open()
    pages[0].command("play", run=run)
    assert pages[0].wait_frame(), "who is there is served as before"
    for page in pages:
        page.close()
    wait_until(lambda: not lab.server.connections._open, "the sockets to end")
    with urlopen(lab.url, timeout=5) as answer:
        assert answer.status == 200


def test_an_answer_that_nobody_takes_gives_way_when_it_is_late():
    ends = [socket.socketpair() for _ in range(3)]
    near = [end[0] for end in ends]
    connections = Connections(2, patience=0.05)
    assert connections.admit(near[0]) and connections.admit(near[1])
    connections.keep(near[0])
    connections.answering(near[1])
    assert not connections.admit(near[2]), "one is a page, the other is just being answered"
    wait_until(lambda: connections.admit(near[2]), "the answer to be late")
    assert ends[1][1].recv(1) == b""
    for end in near:
        connections.end(end)
    for pair in ends:
        pair[0].close()
        pair[1].close()


@posix
def test_an_accept_that_fails_is_one_line_and_no_busy_loop(lab, monkeypatch, caplog):
    def fail(_: socket.socket) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "accept", fail)
        waiting = socket.create_connection(("127.0.0.1", lab.config.port), timeout=5)
        wait_until(lambda: "no connection can be taken" in caplog.text, "the failure to be told")
        time.sleep(0.5)
    assert 1 <= caplog.text.count("no connection can be taken: Too many open files") <= 8
    assert "Traceback" not in caplog.text
    waiting.close()
    with urlopen(f"{lab.url}/healthz", timeout=5) as answer:
        assert answer.status == 200


def test_a_file_that_cant_be_opened_for_want_of_handles_is_a_sentence(tmp_path, monkeypatch, caplog):
    app = create_app(Config(data_dir=tmp_path, device="cpu"))

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    app.view_functions["static"] = fail  # type: ignore[assignment]
    answer = app.test_client().get("/static/js/main.js", base_url="http://127.0.0.1:8765")
    assert answer.status_code == 503 and answer.text.count("\n") == 2
    assert "Traceback" not in caplog.text and "can't be answered" in caplog.text


@posix
def test_the_limit_is_raised_as_far_as_it_goes_and_too_low_a_one_is_told(monkeypatch):
    limits = [256, 100_000]
    monkeypatch.setattr(webapp.web.handles, "_limits", lambda: tuple(limits))

    def set_soft(number: int) -> None:
        limits[0] = number

    monkeypatch.setattr(webapp.web.handles, "_set_soft_limit", set_soft)
    config = Config(workers=2, max_connections=1000)
    assert most_connections(config) < 100
    raise_limit(config)
    assert 2000 < limits[0] < 3000 and most_connections(config) == 1000
    limits[:] = [1024, 1024]
    raise_limit(config)
    assert limits[0] == 1024 and 200 < most_connections(config) < 500
    limits[:] = [64, 64]
    with pytest.raises(ConfigError, match=r"only 64 files at once; allow it \d+ \('ulimit -n \d+'\)"):
        raise_limit(config)
