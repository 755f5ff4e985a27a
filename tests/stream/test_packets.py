"""Whatever a client puts on its socket: it is refused, or it reaches our handler as a name and JSON values."""

from __future__ import annotations

import contextlib
import json
import logging
from typing import Any

import pytest
import websocket
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from socketio.packet import CONNECT, DISCONNECT, EVENT

from tests.labs import BareSocket
from webapp.stream import sockets
from webapp.stream.packets import BadPacket, parse

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
names = st.sampled_from(["command", "credit", "*", "connect", "disconnect", "event", "message", "", "__class__"])
heads = st.sampled_from(["42", "421", "42999999999", "40", "41", "43", "4", "3", "2", "0", "1", "42٣", "42/a,", "451-"])
documents = st.builds(json.dumps, st.lists(values, max_size=3) | st.tuples(names, values).map(list) | values)
texts = st.builds(str.__add__, heads, documents) | st.text(max_size=12) | st.builds(str.__add__, heads, st.text())


@settings(max_examples=1000)
@given(texts)
def test_a_packet_is_refused_or_has_a_shape_we_know(text):
    try:
        packet = parse(text)
    except BadPacket as error:
        assert str(error)
        return
    assert packet.id is None or (packet.type == EVENT and 0 <= packet.id < 10**9)
    if packet.type == EVENT:
        assert isinstance(packet.data, list) and isinstance(packet.data[0], str)
    elif packet.type == CONNECT:
        assert packet.data is None or isinstance(packet.data, dict)
    else:
        assert packet.type in {DISCONNECT, None} and packet.data is None


@pytest.mark.parametrize("packet", ['42["*",{"a":1}]', '421["*",{"a":1},2]', '42["event","command",{"a":1}]'])
def test_no_name_that_a_client_chose_finds_a_handler_of_the_library(lab, caplog, packet):
    """Under the name "*" python-socketio called the handler of unknown events with the values for (name, id)."""
    odd = BareSocket(lab.url)
    odd.ws.send(packet)
    assert odd.call(["nonsense"])["error"]["code"] == "unknown_event"
    odd.ws.close()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR], "no traceback in the log"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, min_size=1, max_size=6))
def test_whatever_is_sent_the_handler_gets_a_name_and_values(lab, caplog, monkeypatch, sent):
    seen: list[tuple[Any, ...]] = []
    handle = sockets.Sockets._event

    def spy(self: sockets.Sockets, *given: Any) -> Any:
        seen.append(given)
        return handle(self, *given)

    server = lab.app.extensions["layerlab.sockets"].socketio.server
    monkeypatch.setitem(server.handlers["/"], "event", spy.__get__(lab.app.extensions["layerlab.sockets"]))
    odd = BareSocket(lab.url)
    with contextlib.suppress(OSError, websocket.WebSocketConnectionClosedException):
        for text in [*sent, "x"]:  # by the last one the socket is closed, or has been before
            odd.ws.send(text)
    with contextlib.suppress(OSError):
        odd.closing()
    for sid, name, args in seen:
        assert isinstance(sid, str) and isinstance(name, str) and isinstance(args, list)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR], "no traceback in the log"
