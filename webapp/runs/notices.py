"""What pages are told of runs that can't be had, and of workers that ended."""

from __future__ import annotations

from webapp.contract.errors import ProtocolError
from webapp.contract.replies import Notice


def unknown_run(run: str, seq: int) -> ProtocolError:
    """There is none of this id, or it isn't theirs."""
    sentence = f"run: there is no run {run} of yours on this server; open a new one."
    return ProtocolError("unknown_run", sentence, run=run, seq=seq)


def no_answer() -> ProtocolError:
    """The worker didn't take a command in time."""
    sentence = "The process that trains this network doesn't answer just now; try again in a moment."
    return ProtocolError("no_answer", sentence)


def restarted(run: str) -> Notice:
    """Its worker ended, and it has a new one."""
    return Notice(
        run=run,
        code="worker_restarted",
        message="The process that trained this network ended and was started again; training goes on.",
    )


def crashing(run: str, deaths: int) -> Notice:
    """Its workers end again and again."""
    return Notice(
        run=run,
        code="worker_crashing",
        message=f"The process that trains this network ended {deaths} times within a minute. The run is paused; "
        "Play goes on, Reset starts afresh.",
        values={"deaths": deaths},
    )
