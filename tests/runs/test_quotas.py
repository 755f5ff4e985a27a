"""How much of the time one person's messages may take; with a clock that stands still."""

from __future__ import annotations

import pytest

from webapp.runs.quotas import Attention

COST = 0.0005  # seconds that a command takes its reader: one thousandth in all


class Room:
    """Two people, of whom one sends messages as fast as they are read."""

    def __init__(self) -> None:
        self.now = 100.0
        self.attention = Attention(lambda: self.now)
        self.attention.join("noisy")
        self.attention.join("quiet")

    def flood(self, seconds: float) -> int:
        """How many messages were read meanwhile."""
        end, read = self.now + seconds, 0
        while self.now < end:
            self.now += self.attention.pause("noisy") + COST
            self.attention.spend("noisy", COST)
            read += 1
        return read


def test_one_person_has_a_twentieth_of_the_time_while_others_are_there():
    room = Room()
    room.flood(2.0)
    assert room.flood(10.0) == pytest.approx(0.05 * 10.0 / 0.001, rel=0.03)


def test_the_others_never_wait_for_it():
    room = Room()
    room.flood(2.0)
    assert room.attention.pause("noisy") > 0.0 == room.attention.pause("quiet")


def test_what_a_hand_does_never_waits():
    room = Room()
    for _ in range(1000):
        room.now += 1 / 30
        assert room.attention.pause("noisy") == 0.0
        room.attention.spend("noisy", COST)


def test_a_burst_is_read_at_once():
    room = Room()
    for _ in range(150):
        assert room.attention.pause("noisy") == 0.0
        room.attention.spend("noisy", COST)


def test_who_is_alone_never_waits_with_two_pages_neither():
    room = Room()
    room.attention.leave("quiet")
    room.attention.join("noisy")
    room.flood(2.0)
    assert room.attention.pause("noisy") == 0.0


def test_coming_back_pays_no_debts():
    room = Room()
    room.flood(2.0)
    room.attention.leave("noisy")
    room.attention.join("noisy")
    assert room.attention.pause("noisy") > 0.0
    room.now += 10.0
    assert room.attention.pause("noisy") == 0.0


def test_one_message_waits_a_second_at_most():
    room = Room()
    room.attention.spend("noisy", 5.0)
    assert room.attention.pause("noisy") == 1.0
