"""What is refused, and the one place where untrusted data becomes a checked value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec
from msgspec import Struct


class Problem(Struct, frozen=True, kw_only=True):
    """A refusal.  The page shows its catalogue's sentence ``error.<code>`` filled with ``values``."""

    code: str
    message: str  # the English sentence: what was wrong, where, what would work
    values: dict[str, Any] = {}


class ProtocolError(ValueError):
    """A message that is refused; carries what the page is told."""

    def __init__(self, code: str, message: str, **values: Any) -> None:
        super().__init__(message)
        self.problem = Problem(code=code, message=message, values=values)


@runtime_checkable
class ForPeople(Protocol):
    """An exception made for the person at the page, who is shown ``error.<code>`` filled with ``values``.

    Whoever raises one needs to know nothing of pages (:class:`engine.datasets.mnist.DataError`); any other exception
    is told as a failure with a number that stands in the log too.
    """

    code: str
    values: Mapping[str, Any]


def convert(message: object, wanted: Any, where: str) -> Any:
    """``message`` (plain JSON data) as a ``wanted``.  Raises ProtocolError, which names the field or else ``where``."""
    try:
        return msgspec.convert(message, wanted, strict=True)
    except msgspec.ValidationError as error:
        text, _, path = _one_line(error).partition(" - at `$")
        field = path.rstrip("`").lstrip(".") or where
        code = "unknown_command" if "Invalid value" in text and field == "type" else "bad_value"
        raise ProtocolError(code, f"{field}: {text}.", where=field, detail=text) from None
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ProtocolError(
            "bad_value", f"{where}: {_one_line(error)}.", where=where, detail=_one_line(error)
        ) from None


def _one_line(error: Exception) -> str:
    """What ``error`` says, which may repeat what was sent: printable, and no longer than a person would read."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(error))
    return text if len(text) <= 200 else f"{text[:120]} … {text[-60:]}"
