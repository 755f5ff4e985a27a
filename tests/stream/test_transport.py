"""One socket: many senders, a reader that is slow, and nothing lost, parted or kept for ever."""

from __future__ import annotations

import random
import socket
import threading
import time
from dataclasses import replace

import pytest

from tests.running import wait_until
from webapp.config import Config
from webapp.stream.flusher import Flusher
from webapp.stream.packets import TEXT, prepare_frame, ws_frame
from webapp.stream.transport import Transport, WebSocket
from webapp.threads import deaths


@pytest.fixture
def ends():
    """Both ends of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        far = socket.create_connection(listener.getsockname())
        near, _ = listener.accept()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32_768)  # soon full
    far.settimeout(10)
    yield near, far
    near.close()
    far.close()


def socket_of(near, **choices) -> WebSocket:
    return WebSocket(Transport(replace(Config(), **choices)), near)


def messages_in(data: bytes) -> list[bytes]:
    """The payloads of unmasked frames, which here are all shorter than 64 KiB."""
    found, at = [], 0
    while at < len(data):
        size, start = data[at + 1], at + 2
        if size == 126:
            size, start = int.from_bytes(data[start : start + 2], "big"), start + 2
        found.append(data[start : start + size])
        at = start + size
    assert at == len(data), "the stream ends within a frame"
    return found


def test_everything_arrives_whole_and_in_each_senders_order(ends):
    near, far = ends
    client = socket_of(near, max_outgoing=2**30)
    chance = random.Random(1)
    sizes = [[chance.choice([10, 1000, 20_000]) for _ in range(300)] for _ in range(4)]

    def send(sender: int) -> None:
        for number, size in enumerate(sizes[sender]):
            client.write(ws_frame(TEXT, f"{sender} {number} ".encode().ljust(size, b".")))
            if number % 50 == 0:
                time.sleep(0.01)  # so that the queue runs empty now and then

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
    for thread in threads:
        thread.start()
    wanted = sum(len(ws_frame(TEXT, b"." * size)) for list_ in sizes for size in list_)
    got = bytearray()
    while len(got) < wanted:
        data = far.recv(30_000)
        time.sleep(0.0005)
        assert data, "the server hung up"
        got += data
    seen: list[list[int]] = [[], [], [], []]
    for message in messages_in(bytes(got)):
        sender, number = map(int, message.split()[:2])
        seen[sender].append(number)
        assert len(message) == sizes[sender][number]
    assert seen == [list(range(300))] * 4
    for thread in threads:
        thread.join()
    client.release()


@pytest.mark.clock
def test_a_write_never_waits_and_too_much_drops_the_client(ends):
    near, far = ends
    client = socket_of(near, max_outgoing=100_000)
    start = time.monotonic()
    for _ in range(1000):
        client.write(prepare_frame(b"x" * 10_000))
    assert time.monotonic() - start < 1.0
    assert client.closed
    with pytest.raises(OSError, match="closed"):
        client.send("2")
    client.write(b"more")
    client.close()
    client.release()
    drained = 0
    while data := far.recv(65536):
        drained += len(data)
    assert drained < 1_000_000


def test_a_client_that_is_dropped_while_bytes_wait_leaves_the_flusher(ends):
    near, far = ends
    client = socket_of(near, max_outgoing=2**20)
    client.write(b"x" * 500_000)
    flusher = client._transport.flusher
    assert client in flusher._watched
    far.close()
    wait_until(lambda: client.closed and client not in flusher._watched, "the flusher to see that it is gone")
    client.release()
    client.write(b"late")
    assert client not in flusher._watched, "a released client's descriptor may belong to another one by now"


def test_what_follows_an_answer_waits_for_that_answer(ends):
    near, far = ends
    client = socket_of(near)
    done: list[str] = []
    masked = [(0x81, b'421["a"]'), (0x81, b'422["b"]'), (0x81, b'42["c"]'), (0x81, b"3")]
    for first, text in masked:
        far.sendall(bytes([first, 0x80 | len(text)]) + bytes(4) + text)
    for name in "ab":
        assert client.wait() == f'42{"12"["ab".index(name)]}["{name}"]'
        client.after_answer(lambda name=name: done.append(name))  # type: ignore[misc]
    assert done == []
    client.send('431["x"]')
    assert done == ["a"], "the second question has no answer yet"
    client.send('432["x"]')
    assert done == ["a", "b"]
    assert client.wait() == '42["c"]' and not client.wants_answer
    client.after_answer(lambda: done.append("c"))
    assert client.wait() == "3"
    assert done == ["a", "b", "c"], "a message that wants no answer isn't waited for"
    client.release()


def test_a_bug_in_what_follows_an_answer_doesnt_end_the_connection(ends, caplog):
    client = socket_of(ends[0])
    client.after_answer(lambda: 1 / 0)  # type: ignore[arg-type]
    client.send('431["x"]')
    assert not client.closed and "division by zero" in caplog.text
    client.release()


def test_what_is_written_just_when_all_seemed_sent_is_not_forgotten(ends):
    """The flusher finds nothing left, and before it stops watching somebody writes."""
    near, _ = ends

    class Client:
        fd = near.fileno()
        released = False
        flushes = 0

        def flush(self) -> bool:
            self.flushes += 1
            return self.flushes != 2  # the write came between the first look and the second

        def drop(self) -> None:
            raise AssertionError("nothing went wrong")

    client, flusher = Client(), Flusher()
    flusher.watch(client)
    wait_until(lambda: client not in flusher._watched, "the flusher to be done with it")
    assert client.flushes == 4


@pytest.mark.parametrize("bad_fd", [False, True])
def test_a_fault_in_one_clients_flush_costs_that_client_alone(ends, caplog, bad_fd):
    """One thread sends for all: it must neither end nor meet the same fault again."""
    near, _ = ends

    class Client:
        released = False
        broken = False
        flushes = 0
        dropped = False

        def __init__(self, fd: int) -> None:
            self.fd = fd

        def flush(self) -> bool:
            self.flushes += 1
            if self.broken:
                raise LookupError("a bug")
            return self.flushes > 1

        def drop(self) -> None:
            self.dropped = True

    flusher, before = Flusher(), deaths().get("flusher", 0)
    bad, good = Client(-1 if bad_fd else near.fileno()), Client(near.fileno())
    bad.broken = True
    flusher.watch(bad)
    wait_until(lambda: bad.dropped and bad not in flusher._watched, "the flusher to part from the broken one")
    flusher.forget(bad)
    flusher.watch(good)
    wait_until(lambda: good.flushes > 1 and good not in flusher._watched, "the other one to be sent on to")
    flusher.forget(good)
    assert not good.dropped and deaths()["flusher"] == before + 1
    assert caplog.text.count("the thread 'flusher' was killed by a fault") == 1
