"""Runs with a clock that stands still, and workers of paper."""

from __future__ import annotations

from typing import Any, cast

from webapp.config import Config
from webapp.runs.dispatch import Runs
from webapp.workers.messages import Create, Order


class PaperPool:
    """Notes what would be sent to workers."""

    def __init__(self):
        self.sent = []
        self.full = False

    def place(self, message, force=False):
        self.sent.append(message)
        return True

    def post(self, run, message, force=False):
        self.sent.append(message)
        return not self.full or force

    def awake(self, run):
        return False  # so nobody waits for an answer

    def drop(self, message):
        self.sent.append(message)

    def created(self) -> Any:
        return [message for message in self.sent if isinstance(message, Create)]

    def commands(self):
        return [type(message.wish) for message in self.sent if isinstance(message, Order)]


class NoClient:
    def write(self, data):
        pass


class Office:
    """Runs with a clock that stands still."""

    def __init__(self, **choices):
        self.now = 0.0
        self.pool = PaperPool()
        self.runs = Runs(Config(**choices), cast(Any, self.pool), lambda: self.now)
        self.client = NoClient()

    def command(self, type_, **values):
        return self.runs.command("person", self.client, {"type": type_, "seq": 1, **values}, lambda action: action())

    def open(self):
        return self.command("open", kind="points").run
