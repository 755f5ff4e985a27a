"""The socket's events: decoded strictly, and answered when a worker has taken what it should do, or hasn't in time.

``command`` takes one JSON object and is answered with a :class:`webapp.contract.Reply`;
``credit`` acknowledges a frame and needs no answer; everything else is refused.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Flask
from flask_socketio import SocketIO
from socketio.exceptions import ConnectionRefusedError as Refused

from webapp.config import Config
from webapp.contract.commands import decode_credit
from webapp.contract.errors import Problem, ProtocolError
from webapp.contract.replies import Notice, Reply
from webapp.logs import failure
from webapp.runs.dispatch import Runs
from webapp.runs.quotas import Attention
from webapp.stream.hub import run_topic
from webapp.stream.packets import EVENT, Json, SocketIoPacket, prepare_event
from webapp.stream.transport import ENVIRON_KEY, Transport, WebSocket

if TYPE_CHECKING:
    from webapp.web.identity import Identity

log = logging.getLogger(__name__)
_libraries = log.getChild("libraries")  # given to them, or each would write to stderr past our handler
_libraries.setLevel(logging.ERROR)


class Sockets:
    """Connects Socket.IO to the runs."""

    def __init__(self, app: Flask, config: Config, identity: Identity, runs: Runs, transport: Transport) -> None:
        self._identity = identity
        self._runs = runs
        self._attention = Attention()
        self._people: dict[str, tuple[str, WebSocket]] = {}  # by the connection's id, while it lasts
        self.socketio = SocketIO(
            app,
            async_mode="threading",
            transports=["websocket"],
            async_handlers=False,  # or commands could overtake each other
            ping_interval=config.ping_interval,
            ping_timeout=config.ping_timeout,
            cors_allowed_origins=[f"http://{host}" for host in sorted(config.hosts)],
            max_http_buffer_size=config.max_message,
            manage_session=False,
            json=Json,
            serializer=SocketIoPacket,
            logger=_libraries,
            engineio_logger=_libraries,
        )
        server = self.socketio.server
        transport.install(server)
        server.on("connect", self._connect)
        server.on("disconnect", self._disconnect)
        server.on(EVENT, self._event)

    def _connect(self, sid: str, environ: dict[str, Any], _auth: object = None) -> None:
        person = self._identity.read(environ.get("HTTP_COOKIE", ""))
        if person is None:
            sentence = "This browser has no valid cookie of this server; load the page again and allow its cookie."
            raise Refused(sentence, {"code": "no_identity"})
        client: WebSocket = environ[ENVIRON_KEY]
        client.joined()
        self._people[sid] = (person, client)
        self._attention.join(person)

    def _disconnect(self, sid: str, _reason: object = None) -> None:
        person_and_client = self._people.pop(sid, None)
        if person_and_client is not None:
            self._attention.leave(person_and_client[0])
            self._runs.hub.leave_all(person_and_client[1])

    def _event(self, sid: str, name: str, values: list[Any]) -> Any:
        """One event of a page; its answer.  Whatever the page may have sent: a name and JSON values."""
        found = self._people.get(sid)
        if found is None:
            return None  # Engine.IO gave this page up while its last message was on the way
        person, client = found
        if pause := self._attention.pause(person):
            time.sleep(pause)  # this is the page's own thread: only its messages wait
        answer = self._answer(client, self._reply(sid, person, client, name, values))
        self._attention.spend(person, client.computed())
        return answer

    def _reply(self, sid: str, person: str, client: WebSocket, name: str, values: list[Any]) -> Reply:
        if name == "command":
            return self._command(sid, person, client, values)
        if name == "credit":
            return self._credit(client, values)
        sentence = f"There is no event {name[:40]!r}; a page sends 'command' and 'credit'."
        return Reply(ok=False, error=Problem(code="unknown_event", message=sentence, values={"event": name[:40]}))

    def _command(self, sid: str, person: str, client: WebSocket, values: list[Any]) -> Reply:
        message = values[0] if len(values) == 1 else None

        def after(action: Callable[[], None]) -> None:
            client.after_answer(lambda: self._join(sid, client, action))

        try:
            if not isinstance(message, dict):
                raise ProtocolError("bad_value", "command: one JSON object is expected.", where="command")
            return self._runs.command(person, client, message, after)
        except ProtocolError as error:
            return _refusal(message, error.problem)
        except Exception:  # a bug; the page must not wait for an answer for ever
            number = failure(log, "a command: %.500r", message)
            sentence = f"The server failed with this command; the run is as it was. Its log calls it {number}."
            return _refusal(message, Problem(code="internal_error", message=sentence, values={"number": number}))

    def _join(self, sid: str, client: WebSocket, action: Callable[[], None]) -> None:
        """Do what follows an answer, in whichever thread sent that; the client may have gone meanwhile."""
        action()
        if sid not in self._people:
            self._runs.hub.leave_all(client)  # again: it was gone before it joined

    def _credit(self, client: WebSocket, values: list[Any]) -> Reply:
        try:
            if len(values) != 1:
                raise ProtocolError("bad_value", "credit: one JSON object is expected.", where="credit")
            credit = decode_credit(values[0])
        except ProtocolError as error:
            return Reply(ok=False, error=error.problem)
        self._runs.hub.credit(run_topic(credit.run), client)
        return Reply(ok=True)

    @staticmethod
    def _answer(client: WebSocket, reply: Reply) -> Any:
        """The acknowledgement; a refusal of a message that asked for none goes out as a notice."""
        if reply.error is not None and not client.wants_answer:
            error = reply.error
            notice = Notice(run="", code="refused", message=error.message, values={**error.values, "code": error.code})
            client.write(prepare_event("event", msgspec.to_builtins(notice)))
        return msgspec.to_builtins(reply)


def _refusal(message: object, problem: Problem) -> Reply:
    seq = message.get("seq") if isinstance(message, dict) else None
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq < 2**32:
        seq = 0
    return Reply(ok=False, seq=seq, error=problem)
