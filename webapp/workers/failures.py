"""What the pages of a run are told when something in it failed."""

from __future__ import annotations

import logging

from webapp.contract.errors import ForPeople, Problem
from webapp.contract.replies import Notice
from webapp.logs import failure

log = logging.getLogger(__name__)


def notice_of(run: str, doing: str, error: Exception) -> Notice:
    """The words of ``error`` itself if it is made for people; of any other, the number that it has in the log."""
    if isinstance(error, ForPeople):
        log.warning("run %s, %s: %s", run, doing, error)
        return Notice(run=run, code="refused", message=str(error), values={**error.values, "code": error.code})
    number = failure(log, "run %s failed in %s", run, doing)
    message = f"Something in the program failed in {doing}; the run is paused. The server's log calls it {number}."
    return Notice(run=run, code="internal_error", message=message, values={"number": number})


def refusal_of(run: str, problem: Problem) -> Notice:
    """What the pages are told of a command that only the worker could refuse."""
    return Notice(run=run, code="refused", message=problem.message, values={**problem.values, "code": problem.code})
