"""What a browser does, without one: a page with a cookie, a Socket.IO client, and bare sockets for worse manners."""

from __future__ import annotations

import itertools
import json
import threading
import time
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import engineio
import socketio
import websocket

from tests.running import wait_until
from webapp.config import Config
from webapp.contract.wire import Codes, Frame, unpack
from webapp.kinds import registry
from webapp.runs.dispatch import Runs
from webapp.web.app import create_app, make_pool
from webapp.web.identity import COOKIE
from webapp.web.serving import HttpServer, listen
from webapp.workers.pool import Pool

FAKE = {"points": "tests.fake_experiment:FakeExperiment", "digits": "tests.fake_experiment:FakeExperiment"}


class Lab:
    """A server in this process, on a free port, with fake experiments in real worker processes."""

    def __init__(self, data_dir: Path, experiments: dict[str, str] | None = FAKE, **choices: Any) -> None:
        """``choices`` are the config's; with ``experiments`` None the kinds' own train."""
        config = Config(workers=2, device="cpu", executor="numpy", port=0, data_dir=data_dir)
        config = replace(config, **choices)
        listener = listen(config)
        self.config = replace(config, port=listener.getsockname()[1])
        self.app = create_app(self.config, make_pool(self.config, experiments))
        self.runs: Runs = self.app.extensions["layerlab"]
        self.server = HttpServer(listener, self.config, self.app)
        self.runs.start()
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return self.config.address

    @property
    def pool(self) -> Pool:
        assert isinstance(self.runs._cluster, Pool)
        return self.runs._cluster

    def stop(self) -> None:
        self.server.shutdown()
        self._thread.join(5)
        self.server.server_close()
        self.runs.stop()


def new_cookie(url: str) -> str:
    """The cookie that loading the page gives a new person."""
    with urlopen(url, timeout=10) as response:
        found: str = SimpleCookie(response.headers["Set-Cookie"])[COOKIE].value
        return found


class _InOrder(engineio.Client):  # type: ignore[misc]
    """python-engineio's client hands each message to a thread of its own; then a blob can overtake its header."""

    def _trigger_event(self, event: str, *args: Any, **kwargs: Any) -> Any:
        return super()._trigger_event(event, *args, **{**kwargs, "run_async": False})


class _Client(socketio.Client):  # type: ignore[misc]
    def _engineio_client_class(self) -> type[engineio.Client]:
        return _InOrder


class Page:
    """One open page.  Paints (acknowledges) every frame unless ``paints`` is switched off."""

    def __init__(self, url: str, cookie: str | None = None, codes: Codes | None = None) -> None:
        """``codes``: the numbers of the server's kinds and sections, if it has others than we."""
        self.url = url
        self._codes = codes or registry().codes
        self.cookie = cookie or new_cookie(url)
        self.paints = True
        self.frames: list[Frame] = []
        self.events: list[dict[str, Any]] = []
        self.heard: list[str] = []  # the order in which things came
        self._seq = itertools.count(1)
        self.client = _Client(reconnection=False)
        self.client.on("frame", self._frame)
        self.client.on("event", self._event)
        self.client.connect(url, transports=["websocket"], headers={"Cookie": f"{COOKIE}={self.cookie}"})

    def _frame(self, blob: bytes) -> None:
        frame = unpack(self._codes, blob)
        self.frames.append(frame)
        self.heard.append("frame")
        if self.paints:
            self.credit(frame)

    def _event(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self.heard.append(event["type"])

    def credit(self, frame: Frame) -> None:
        self.client.emit("credit", {"run": frame.run, "frame": frame.sequence})

    def call(self, event: str, *data: Any) -> Any:
        """Emit and wait for the answer."""
        return self.client.call(event, data if len(data) != 1 else data[0], timeout=10)

    def command(self, type: str, **values: Any) -> dict[str, Any]:
        reply: dict[str, Any] = self.call("command", {"type": type, "seq": next(self._seq), **values})
        return reply

    def open(self, kind: str = "points", run: str | None = None, **settings: Any) -> str:
        """Open a run, which has to work; its id."""
        reply = self.command("open", kind=kind, settings=settings, **({} if run is None else {"run": run}))
        assert reply["ok"], reply
        found: str = reply["run"]
        return found

    def steer(self, run: str, value: float) -> dict[str, Any]:
        """A weight command, by which the fake experiment is told what to do."""
        return self.command("weight", run=run, layer=1, source=0, target=0, value=value)

    def wait_frame(self, wanted: Any = None, what: str = "a frame", seconds: float = 10.0) -> Frame:
        """The first frame for which ``wanted(frame)`` holds."""

        def find() -> Frame | None:
            return next((frame for frame in self.frames if wanted is None or wanted(frame)), None)

        found: Frame = wait_until(find, what, seconds)
        return found

    def wait_event(self, seconds: float = 10.0, **wanted: Any) -> dict[str, Any]:
        """The first event with these values."""

        def find() -> dict[str, Any] | None:
            return next((event for event in list(self.events) if wanted.items() <= event.items()), None)

        found: dict[str, Any] = wait_until(find, f"an event with {wanted}; there were {self.events}", seconds)
        return found

    def close(self) -> None:
        self.client.disconnect()


def metric(frame: Frame, index: int) -> float:
    return float(frame.parts["metrics"][index])


class BareSocket:
    """A WebSocket without a library's manners; by itself it joins as a page does."""

    def __init__(self, url: str, cookie: str | None = None, *, join: bool = True, **options: Any) -> None:
        cookie = new_cookie(url) if cookie is None else cookie
        address = url.replace("http://", "ws://") + "/socket.io/?EIO=4&transport=websocket"
        choices: dict[str, Any] = {"origin": url, "cookie": f"{COOKIE}={cookie}", "timeout": 10, **options}
        self.ws = websocket.create_connection(address, **choices)
        self.hello = json.loads(self.ws.recv()[1:])
        if join:
            self.ws.send("40")
            assert str(self.ws.recv()).startswith("40")

    def call(self, data: list[Any]) -> dict[str, Any]:
        """Emit an event and wait for its answer."""
        self.emit(1, data)
        return self.answer()

    def emit(self, number: int, data: list[Any]) -> None:
        """Emit an event that asks for the answer of this number."""
        self.ws.send(f"42{number}" + json.dumps(data))

    def answer(self) -> dict[str, Any]:
        """The next answer; pings are answered, all else is ignored."""
        while True:
            message = self.ws.recv()
            if message == "2":
                self.ws.send("3")
            elif isinstance(message, str) and message.startswith("43"):
                answer: dict[str, Any] = json.loads(message[message.index("[") :])[0]
                return answer

    def closing(self, seconds: float = 5.0) -> tuple[int, str] | None:
        """Wait for the server to close; its code and reason, or None if it just hung up."""
        self.ws.settimeout(seconds)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                opcode, data = self.ws.recv_data()
            except (websocket.WebSocketConnectionClosedException, ConnectionError):
                return None
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(data[:2], "big"), data[2:].decode()
        raise AssertionError("the server kept the connection open")
