"""What a class of pages gets from a server: ``python -m benchmarks.stream``.

Thirty pages, each with a run of its own at the speed "as fast as it goes", acknowledge every frame without
painting it.  Told are the frames a second that a page gets, how long a setting takes until a frame shows
it, and how long a server takes to be there.  ``--against`` names another checkout of Layerlab: the two
take turns, so that a disturbance of the machine meets both alike.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import selectors
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from wsproto import ConnectionType, WSConnection, events

ROOT = Path(__file__).resolve().parent.parent
ASK_EVERY = 1.0  # seconds between two changes of a setting by one page
COMPILING = 60.0  # seconds of the first turn, in which the native machine is compiled
WARM_UP = 3.0  # seconds of training before anything is counted
_COMMAND_AT = 12  # where a frame's header names the last command applied


@dataclass
class Counts:
    """What was seen of one server."""

    ready: float = 0.0  # seconds from its start to its address
    first_frame: float = 0.0  # ... to the first frame of the first page
    frames: list[float] = field(default_factory=list)  # a second, of each page
    latencies: list[float] = field(default_factory=list)  # seconds from a command to the frame that shows it


class Page:
    """One page's connection, which never blocks."""

    def __init__(self, host: str, port: int) -> None:
        with urlopen(f"http://{host}:{port}/", timeout=30) as response:
            cookie = response.headers["Set-Cookie"].split(";")[0].encode()
        self.socket = socket.create_connection((host, port))
        self._ws = WSConnection(ConnectionType.CLIENT)
        origin = f"http://{host}:{port}".encode()
        target = "/socket.io/?EIO=4&transport=websocket"
        request = events.Request(f"{host}:{port}", target, extra_headers=[(b"Cookie", cookie), (b"Origin", origin)])
        self.socket.sendall(self._ws.send(request))
        self._text = ""
        self._blob = bytearray()
        self._seq = 0
        self._asked: tuple[int, float] | None = None
        self.run: str | None = None
        self.joined = False
        self.frames = 0
        self.latencies: list[float] = []

    def command(self, type_: str, **values: object) -> int:
        self._seq += 1
        about = {} if self.run is None else {"run": self.run}
        self._emit(str(self._seq), "command", {"type": type_, "seq": self._seq, **about, **values})
        return self._seq

    def ask(self) -> None:
        """Change a setting, unless the last change is still under way."""
        if self._asked is None:
            rate = 0.01 + 0.001 * (self._seq % 2)
            self._asked = self.command("set", settings={"rate": rate}), time.perf_counter()

    def receive(self) -> None:
        self._ws.receive_data(self.socket.recv(1 << 18) or None)
        for event in self._ws.events():
            if isinstance(event, events.TextMessage):
                self._text += event.data
                if event.message_finished:
                    text, self._text = self._text, ""
                    self._hear(text)
            elif isinstance(event, events.BytesMessage):
                self._blob += event.data
                if event.message_finished:
                    self._frame(bytes(self._blob))
                    self._blob.clear()
            elif isinstance(event, events.CloseConnection):
                raise ConnectionError(f"the server closed: {event.code} {event.reason}")

    def _hear(self, text: str) -> None:
        if text == "2":
            self._send("3")
        elif text.startswith("0"):
            self._send("40")
        elif text.startswith("40"):
            self.joined = True
        elif text.startswith("43"):
            reply = json.loads(text[text.index("[") :])[0]
            if not reply.get("ok"):
                raise RuntimeError(f"the server refused: {reply}")
            self.run = reply.get("run", self.run)

    def _frame(self, blob: bytes) -> None:
        self.frames += 1
        sequence, command = struct.unpack_from("<II", blob, _COMMAND_AT - 4)
        self._emit("", "credit", {"run": self.run, "frame": sequence})
        if self._asked is not None and command >= self._asked[0]:
            self.latencies.append(time.perf_counter() - self._asked[1])
            self._asked = None

    def _emit(self, number: str, name: str, data: object) -> None:
        self._send(f"42{number}{json.dumps([name, data])}")

    def _send(self, text: str) -> None:
        self.socket.sendall(self._ws.send(events.TextMessage(text)))


def measure(code: Path, pages: int, seconds: float, kind: str, machine: Path) -> Counts:
    """Start the server of the checkout ``code`` and let ``pages`` pages train on it."""
    found = Counts()
    with tempfile.TemporaryDirectory() as data:
        (Path(data) / "machine").symlink_to(machine)
        command = [sys.executable, "-m", "webapp", "--no-browser", "--port", "0", "--data-dir", data]
        began = time.perf_counter()
        server = subprocess.Popen(command, cwd=code, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            address = re.search(r"http://([\d.]+):(\d+)", server.stdout.readline())
            assert address is not None
            found.ready = time.perf_counter() - began
            class_ = Class(address[1], int(address[2]), kind)
            class_.add(1)
            class_.until(lambda: class_.pages[0].frames > 0)
            found.first_frame = time.perf_counter() - began
            class_.add(pages - 1)
            class_.until(lambda: all(page.frames > 0 for page in class_.pages))
            class_.go(WARM_UP)
            before = [page.frames for page in class_.pages]
            for page in class_.pages:
                page.latencies.clear()
            spent = class_.go(seconds, asks=True)
            found.frames = [(page.frames - n) / spent for page, n in zip(class_.pages, before, strict=True)]
            found.latencies = [each for page in class_.pages for each in page.latencies]
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(20)
    return found


class Class:
    """Pages of one server, served in one loop."""

    def __init__(self, host: str, port: int, kind: str) -> None:
        self._where, self._kind = (host, port), kind
        self._selector = selectors.DefaultSelector()
        self.pages: list[Page] = []

    def add(self, count: int) -> None:
        """So many further pages, which train."""
        new = [Page(*self._where) for _ in range(count)]
        for page in new:
            self._selector.register(page.socket, selectors.EVENT_READ, page)
        self.pages += new
        self.until(lambda: all(page.joined for page in new))
        for page in new:
            page.command("open", kind=self._kind, settings={"speed": "max"})
        self.until(lambda: all(page.run is not None for page in new))
        for page in new:
            page.command("play")

    def until(self, done: Callable[[], bool], seconds: float = 60.0) -> None:
        end = time.perf_counter() + seconds
        while not done():
            if time.perf_counter() > end:
                raise TimeoutError("the server took too long")
            self._serve(0.05)

    def go(self, seconds: float, asks: bool = False) -> float:
        """Serve the pages for so long; with ``asks`` each changes a setting now and then."""
        began = now = time.perf_counter()
        due = [began + ASK_EVERY * at / len(self.pages) for at in range(len(self.pages))]
        while now < began + seconds:
            for at, page in enumerate(self.pages if asks else ()):
                if due[at] <= now:
                    page.ask()
                    due[at] += ASK_EVERY
            self._serve(0.005)
            now = time.perf_counter()
        return now - began

    def _serve(self, wait: float) -> None:
        for key, _ in self._selector.select(wait):
            key.data.receive()


def table(results: dict[str, list[Counts]]) -> list[str]:
    """Medians over the rounds, one line a checkout."""
    lines = [
        "| checkout | ready, s | first frame, s | frames a second, mean | slowest page | latency ms, median | p95 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, rounds in results.items():
        cells = [
            [each.ready for each in rounds],
            [each.first_frame for each in rounds],
            [statistics.mean(each.frames) for each in rounds],
            [min(each.frames) for each in rounds],
            [1000 * statistics.median(each.latencies) for each in rounds],
            [1000 * statistics.quantiles(each.latencies, n=20)[-1] for each in rounds],
        ]
        medians = [f"{statistics.median(cell):.3g}" for cell in cells]
        lines.append(f"| {name} | {' | '.join(medians)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream", description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout, to take turns with")
    parser.add_argument("--pages", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=15.0, help="of one turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kind", default="points")
    chosen = parser.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    checkouts = {"this": ROOT} | ({} if chosen.against is None else {"other": chosen.against.resolve()})
    results: dict[str, list[Counts]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory() as machines:
        for name in checkouts:
            (Path(machines) / name).mkdir()
        for turn in range(chosen.rounds + 1):
            for name, code in checkouts.items():
                seconds = chosen.seconds if turn else COMPILING
                found = measure(code, chosen.pages, seconds, chosen.kind, Path(machines) / name)
                if turn:  # in the first, the native machine was compiled
                    results[name].append(found)
                print(f"{name}, turn {turn}: {statistics.mean(found.frames):.3g} frames a second", flush=True)
    print(*table(results), sep="\n")


if __name__ == "__main__":
    main()
