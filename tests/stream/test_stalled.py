"""A client that stops reading costs the server nothing."""

from __future__ import annotations

import json
import socket
import time

import psutil
import pytest
import websocket

from tests.labs import BareSocket, Page
from tests.running import Server, wait_until

LONGEST = 60
MOST = 5 * 1024 * 1024


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path, "--workers", "1", "--device", "cpu")
    yield server
    server.stop()


def memory(server: Server) -> int:
    used: int = psutil.Process(server.process.pid).memory_info().rss
    return used


def join(url: str, cookie: str) -> tuple[BareSocket, str]:
    bare = BareSocket(
        url, cookie, sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)]
    )  # the system reads little ahead
    run = bare.call(["command", {"type": "open", "kind": "points", "seq": 1, "settings": {"speed": "max"}}])["run"]
    return bare, run


def watch(server: Server, seconds: int, act, gone: list[Exception]) -> int:
    """The most memory that the server took beyond what it has: for ``seconds``, and until ``gone``."""
    before, most = memory(server), 0
    start = time.monotonic()
    while (now := time.monotonic() - start) < seconds or (not gone and now < LONGEST):
        act()
        most = max(most, memory(server) - before)
        time.sleep(0.1)
    return most


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seconds", [5, pytest.param(30, marks=pytest.mark.soak)])
def test_clients_that_stop_reading_dont_grow_the_server(server, seconds):
    """Two at once, beside a page that reads: one falls silent, one goes on talking and acknowledging.

    All are one person's: messages of one of several people would wait, and that wouldn't be as bad.
    """
    page = Page(server.url)
    run = page.open(speed="max")
    page.command("play", run=run)
    page.wait_frame(lambda frame: frame.sequence > 60, seconds=20)  # by then everything is imported and warm
    silent, silent_run = join(server.url, page.cookie)
    talking, talking_run = join(server.url, page.cookie)
    for bare, its_run in ((silent, silent_run), (talking, talking_run)):
        assert bare.call(["command", {"type": "play", "run": its_run, "seq": 2}])["ok"]
    credit = "42" + json.dumps(["credit", {"run": talking_run, "frame": 0}])
    command = '427["command",{"type":"' + "x" * 500 + '","seq":1}]'  # the answer says what was wrong, twice
    gone: list[Exception] = []

    def talk() -> None:
        """Everything that makes the server send, and nothing is ever read."""
        if gone:
            return
        try:
            talking.ws.send("3")
            for _ in range(240):
                talking.ws.send(credit)
                talking.ws.send(command)
        except (OSError, websocket.WebSocketConnectionClosedException) as error:
            gone.append(error)

    most = watch(server, seconds, talk, gone)
    print(f"the server grew by {most / 1e6:.2f} MB")
    assert gone, "megabytes wait for the talking client, and it still isn't dropped"
    assert most < MOST, f"the server grew by {most / 1e6:.1f} MB in {seconds} s"
    count = len(page.frames)
    wait_until(lambda: len(page.frames) > count + 10, "the page that reads to be served as before")
    page.close()
