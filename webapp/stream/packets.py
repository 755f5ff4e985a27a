"""What a page may put on its socket, read once and strictly; and how ours is put there.

python-engineio and python-socketio parse some packets outside any ``try``, take binary
attachments by the billion, let a client trigger any handler by its name (``connect``, ``*``)
and log a traceback for each malformed message.  So they never see what a client wrote: only
what the page has reason to send is read here (*connect*, *disconnect*, *pong* and events with
a JSON list), and Socket.IO is handed what was read (:class:`Packet`).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Any

import msgspec
from socketio import packet as library

_EVENT = re.compile(r"42([0-9]{1,9})?(\[.*)", re.DOTALL)
_CONNECT = re.compile(r"40(\{.*)?", re.DOTALL)
_RESERVED = {"connect", "disconnect", "connect_error", "__disconnect_final"}
_MAX_DEPTH = 16

TEXT, BINARY, CLOSE, PONG = 0x81, 0x82, 0x88, 0x8A  # first byte of a final WebSocket frame


class Json:
    """The JSON of the stream.  Numbers that aren't finite are read as errors and written as null."""

    @staticmethod
    def dumps(data: Any, **_: object) -> str:
        return msgspec.json.encode(data).decode()

    @staticmethod
    def loads(text: str | bytes, **_: object) -> Any:
        try:
            return msgspec.json.decode(text)
        except RecursionError:
            raise ValueError("JSON is nested too deep") from None


class BadPacket(ValueError):
    """A packet that no page of ours sends; the message says what was wrong."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet that passed :func:`parse`; ``type`` is Socket.IO's, None where it is Engine.IO's alone."""

    type: int | None = None
    id: int | None = None  # of the answer (acknowledgement) that is asked for
    data: Any = None  # an event: its name, then JSON values; a connect: a JSON object or None


_CONTROL = {"3": Packet(), "1": Packet(), "41": Packet(library.DISCONNECT)}  # pong, close, disconnect


def parse(text: str) -> Packet:
    """Read what a client sent.  Raises :class:`BadPacket`."""
    if text in _CONTROL:
        return _CONTROL[text]
    if match := _EVENT.fullmatch(text):
        return Packet(library.EVENT, None if match[1] is None else int(match[1]), _event(match[2]))
    if match := _CONNECT.fullmatch(text):
        return Packet(library.CONNECT, data=None if match[1] is None else _load(match[1]))
    raise BadPacket("only Socket.IO events without attachments are taken")


def _event(text: str) -> list[Any]:
    data: list[Any] = _load(text)
    if not data or not isinstance(data[0], str):
        raise BadPacket("an event is a JSON list that starts with the event's name")
    if data[0] in _RESERVED:
        raise BadPacket(f"the event {data[0]!r} is the server's own")
    return data


class SocketIoPacket(library.Packet):  # type: ignore[misc]
    """Socket.IO's packet, made of a :class:`Packet` instead of text.

    Every event is called :data:`EVENT` and carries (name, values): the library looks handlers
    up by name, and a name that a client chose must not find one.
    """

    def decode(self, encoded_packet: Packet) -> int:
        """Take over what was read; the number of attachments to come is 0."""
        self.packet_type, self.id, self.data = encoded_packet.type, encoded_packet.id, encoded_packet.data
        if encoded_packet.type == library.EVENT:
            self.data = [EVENT, encoded_packet.data[0], encoded_packet.data[1:]]
        return 0


EVENT = "event"  # the name under which each event of a client reaches our one handler, with (name, values)


def _load(text: str) -> Any:
    # Counting brackets (also those in strings: no page sends so many) keeps the parser from deep recursion.
    if text.count("[") + text.count("{") > 64 and _depth(text) > _MAX_DEPTH:
        raise BadPacket("JSON is nested too deep")
    try:
        return Json.loads(text)
    except ValueError as error:
        raise BadPacket(str(error)) from None


def _depth(text: str) -> int:
    depth = deepest = 0
    for char in re.findall(r"[\[\]{}]", text):
        depth += 1 if char in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


_FRAME_HEADER = b'451-["frame",{"_placeholder":true,"num":0}]'  # Socket.IO: event with one attachment


def ws_frame(first: int, payload: bytes) -> bytes:
    """One unmasked, final WebSocket frame (RFC 6455, section 5.2); ``first`` is its first byte."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, size)
    elif size < 65536:
        head = struct.pack("!BBH", first, 126, size)
    else:
        head = struct.pack("!BBQ", first, 127, size)
    return head + payload


def prepare_frame(blob: bytes) -> bytes:
    """The bytes on the wire of the Socket.IO event ``frame`` with ``blob``; the same for every client."""
    return ws_frame(TEXT, _FRAME_HEADER) + ws_frame(BINARY, blob)


def prepare_event(name: str, data: Any) -> bytes:
    """The bytes on the wire of a Socket.IO event with one JSON value."""
    return ws_frame(TEXT, f"42{Json.dumps([name, data])}".encode())
