"""Traps of the libraries under the stream, each found in the version of its time: closed, and closed for good."""

from __future__ import annotations

import json
import logging
import os
import socket
import struct
import threading
import time
import zlib

import psutil
import pytest
import websocket

from tests.labs import BareSocket, new_cookie
from tests.running import wait_until
from webapp.config import Config
from webapp.stream.packets import BadPacket, parse
from webapp.stream.transport import Transport

OPEN = ["command", {"type": "open", "kind": "points", "seq": 1}]


@pytest.fixture
def bare(lab):
    sockets = []

    def connect(**options):
        sockets.append(BareSocket(lab.url, **options))
        return sockets[-1]

    yield connect
    for found in sockets:
        found.ws.close()


def memory() -> int:
    return psutil.Process(os.getpid()).memory_info().rss


def test_a_message_has_a_greatest_length(lab, bare):
    """simple-websocket takes any length, and with a limit leaves its reader asleep for ever."""
    page = bare()
    before = memory()
    page.ws.send("42" + json.dumps(["command", "x" * 200_000]))
    assert (page.closing() or (0,))[0] == 1009
    wait_until(lambda: all(client.closed for client in lab_clients(lab)), "the socket's threads to end")
    assert memory() - before < 20_000_000


def lab_clients(lab):
    return list(lab.app.extensions["layerlab.transport"].clients)


def test_a_message_in_endless_pieces_has_a_greatest_length_too(bare):
    page = bare()
    page.ws.send_frame(websocket.ABNF.create_frame("42", websocket.ABNF.OPCODE_TEXT, fin=0))
    with pytest.raises((ConnectionError, websocket.WebSocketConnectionClosedException)):
        for _ in range(2000):
            page.ws.send_frame(websocket.ABNF.create_frame("x" * 1000, websocket.ABNF.OPCODE_CONT, fin=0))
            time.sleep(0.001)


def test_the_longest_message_still_passes(bare):
    page = bare()
    padding = "x" * (65_536 - 100)
    answer = page.call(["command", {"type": padding, "seq": 1}])
    assert answer["error"]["code"] == "unknown_command"


def test_compression_is_not_agreed_to_and_a_bomb_is_a_protocol_error(lab, bare):
    """simple-websocket inflates 0.4 MB to 943 MB."""
    page = bare(header=["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"])
    assert "sec-websocket-extensions" not in {name.lower() for name in page.ws.getheaders()}
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflate.compress(b"4" * 50_000_000) + deflate.flush(zlib.Z_SYNC_FLUSH)
    before = memory()
    mask = b"\0\0\0\0"
    page.ws.sock.sendall(struct.pack("!BBQ", 0xC1, 0x80 | 127, len(bomb[:-4])) + mask + bomb[:-4])
    assert (page.closing() or (0,))[0] == 1002
    assert memory() - before < 20_000_000


@pytest.mark.parametrize(
    "packet",
    [
        "x",  # int("x") is read outside python-engineio's try: its thread ended, the socket stayed
        "",
        "9",
        "b4AAAA",
        "2probe",
        "5",
        "6",
        "4",
        "4x",
        "3" + "[" * 5000,  # json.loads outside the try: RecursionError
        "42" + "[" * 20000,
        '421["command",' + '{"a":' * 5000 + "1" + "}" * 5000 + "]",
        "42",
        "42{}",
        "42[]",
        "42[{}]",
        "42[1]",
        "42null",
        '42["command"',
        '42["connect"]',  # would call the server's own handlers
        '42["disconnect"]',
        '42["connect",{}]',
        "4212345678901234567890[]",
        '42/admin,["command",{}]',
        "40/admin,",
        "431[]",
        "44",
        "451000000000-[]",  # a billion attachments
        '451-["command",{"_placeholder":true,"num":0}]',
        '461-1["x"]',
        '42["a",1e999]',
        '42["a",NaN]',
    ],
    ids=lambda packet: packet[:24],
)
def test_what_no_page_sends_closes_the_socket_and_nothing_else(lab, bare, page, caplog, packet):
    odd = bare()
    odd.ws.send(packet)
    code, reason = odd.closing() or (0, "")
    assert code == 1008 and reason
    run = page.open()
    assert page.command("play", run=run)["ok"], "the other pages never notice"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR], "no traceback in the log"


def test_binary_messages_are_not_taken(bare):
    page = bare()
    page.ws.send_binary(b"4\x00\x01")
    assert (page.closing() or (0,))[0] == 1003


def test_what_isnt_a_websocket_frame_closes_the_socket(bare):
    page = bare()
    page.ws.sock.sendall(b"GET / HTTP/1.1\r\n\r\n" * 4)
    assert (page.closing() or (1002,))[0] == 1002


def test_text_that_isnt_utf8_closes_the_socket(bare):
    page = bare()
    page.ws.send(b'42["\xff\xfe"]', websocket.ABNF.OPCODE_TEXT)
    assert (page.closing() or (1007,))[0] == 1007


def test_a_dropped_socket_leaves_no_thread_behind(lab, bare):
    alive = threading.active_count()
    pages = [bare() for _ in range(5)]
    for odd in pages:
        odd.ws.send("x")
    for odd in pages:
        odd.closing()
    # python-engineio sleeps through one ping interval in a thread of its own for each connection
    wait_until(lambda: threading.active_count() <= alive, "the threads of five closed sockets to end", 15)


def test_a_socket_that_never_joins_is_closed(make_lab):
    lab = make_lab(join_timeout=0.3)
    silent = BareSocket(lab.url, join=False)
    assert silent.closing(3.0) is not None


def test_long_polling_is_refused(lab):
    with socket.create_connection(("127.0.0.1", lab.config.port)) as plain:
        host = f"127.0.0.1:{lab.config.port}"
        cookie = new_cookie(lab.url)
        request = (
            f"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: {host}\r\n"
            f"Origin: http://{host}\r\nCookie: layerlab={cookie}\r\n\r\n"
        )
        plain.sendall(request.encode())
        assert b" 400 " in plain.makefile("rb").readline()


def test_header_and_blob_of_a_frame_stay_together(page):
    """Two threads that emit to one client could part them, on which socket.io-client drops the connection."""
    run = page.open(speed="max")
    page.command("play", run=run)
    for number in range(300):  # answers, statuses and frames from four threads
        page.client.emit("command", {"type": "play" if number % 2 else "pause", "run": run, "seq": number})
    wait_until(lambda: page.command("play", run=run)["ok"], "the worker to be less busy")
    count = len(page.frames)
    wait_until(lambda: len(page.frames) > count + 5, "frames to come on")
    assert page.client.connected


def test_no_send_ever_waits(lab, page):
    """python-engineio gives a socket of the name ``_sock`` a timeout: then one stalled client stalls all."""
    page.open()
    assert [client._peer.gettimeout() for client in lab_clients(lab) if not client.closed] == [0.0]


def test_nagle_is_off(lab, page):
    page.open()
    for client in lab_clients(lab):
        assert client._peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_private_table_we_lean_on_is_there():
    with pytest.raises(RuntimeError, match=r"constraints\.txt"):
        Transport(Config()).install(object())


def test_pings_are_ten_seconds_apart(bare):
    hello = bare().hello
    assert (hello["pingInterval"], hello["pingTimeout"], hello["maxPayload"]) == (10000, 5000, 65536)


@pytest.mark.parametrize(
    ("packet", "asks"),
    [
        ("3", False),
        ("1", False),
        ("41", False),
        ("40", False),
        ('40{"a":1}', False),
        ('42["a"]', False),
        ('420["a"]', True),
    ],
)
def test_what_a_page_sends_passes(packet, asks):
    assert (parse(packet).id is not None) is asks


def test_brackets_in_strings_dont_count_as_depth_for_sane_messages():
    assert parse('421["command",{"type":"' + "[" * 60 + '"}]').id == 1
    with pytest.raises(BadPacket, match="deep"):
        parse("42" + "[" * 100 + "]" * 100)
