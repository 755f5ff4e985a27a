"""Errors written for a student: what was wrong, where, what would work."""

from __future__ import annotations

import contextlib
import copy
import inspect
import os
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar, cast

from engine.foreign import elsewhere, names, setting

# the engine, and the library's files by way of which `with` scopes are entered and copies are made
_OURS = (str(Path(__file__).parent) + os.sep, *(str(each.__file__) for each in (contextlib, copy, pickle)))


Called = TypeVar("Called", bound=Callable[..., Any])


class EngineError(Exception):
    """Anything the engine refuses.  The text names the operation, the shapes and the user's own line."""


class ShapeError(EngineError):
    """Shapes that don't fit together."""


class DtypeError(EngineError):
    """Element types that don't fit together."""


class FeedError(EngineError):
    """A placeholder that wasn't fed, or was fed something that doesn't fit."""


class GradientError(EngineError):
    """A gradient was asked for that doesn't exist."""


class DeviceError(EngineError):
    """A device that isn't there or can't be used."""


class CheckpointError(EngineError):
    """A checkpoint that can't be read or doesn't fit the graph."""


class NoSuchName(EngineError, AttributeError):
    """A name that isn't here: another library's word, most often."""


class Named:
    """What says of a name that it doesn't have where that is found."""

    __slots__ = ()

    if not TYPE_CHECKING:  # who reads the types finds out before

        def __getattr__(self, name: str) -> Any:
            own = type(self)
            if any(name in vars(each) for each in own.__mro__):  # what it is made by lacks something: that is said
                return object.__getattribute__(self, name)
            where = elsewhere(name, own.__module__.removeprefix("engine."), own.__name__)
            raise NoSuchName(f"{own.__name__} has no {name}{where} ({user_source()})")


class _Module(ModuleType):
    """A module that says what is to be called instead of it."""

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        place, name = self.__name__.rpartition(".")[::2]
        where = elsewhere(name, place.removeprefix("engine").lstrip("."), "module")
        here = where or f"; dir({self.__name__.replace('engine', 'en')}) shows what is in it"
        raise EngineError(f"{self.__name__} is a module, and isn't called{here} ({user_source()})")


def doors(place: str = "") -> tuple[Callable[[str], NoReturn], Callable[[], list[str]]]:
    """A module's ``__getattr__`` and ``__dir__``: of names that it doesn't have it says where they are found.

    It and the modules in it aren't called, and say that too.
    """
    module = f"engine.{place}".rstrip(".")
    home = sys.modules[module]
    for each in (home, *vars(home).values()):
        if type(each) is ModuleType and each.__name__.startswith("engine"):
            each.__class__ = _Module

    def missing(name: str) -> NoReturn:
        raise NoSuchName(f"{module} has no {name}{elsewhere(name, place)} ({user_source()})")

    return missing, lambda: names(place)


class GraphGrowsWarning(UserWarning):
    """One line of a program adds to the graph before each run, which makes every run slower than the last."""


class Source(NamedTuple):
    """The user's line that made a tensor."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"


_line = cache(Source)


@cache
def _is_ours(file: str) -> bool:
    return file.startswith(_OURS)


def user_source(above: int = 0) -> Source:
    """The nearest line of the call stack that lies outside the engine, as its next frames ``above`` surely don't."""
    frame = sys._getframe(1 + above)
    while (_is_ours(frame.f_code.co_filename) or _is_made(frame)) and (caller := frame.f_back) is not None:
        frame = caller
    return _line(frame.f_code.co_filename, frame.f_lineno)


def _is_made(frame: FrameType) -> bool:
    """Whether its code was made for a class of the engine: a dataclass's."""
    return frame.f_code.co_filename == "<string>" and frame.f_globals.get("__name__", "").startswith("engine.")


def placed(error: BaseException, place: str = "") -> BaseException:
    """``error``, if it is the engine's, with the user's line (or ``place``, which ends with it) unless it has it."""
    if isinstance(error, EngineError) and not str(error).endswith(f"{user_source()})"):
        error.args = (f"{error} ({place or user_source()})",)
    return error


def misfit(called: Callable[..., Any], given: Sequence[Any], settings: Mapping[str, Any]) -> EngineError | None:
    """The error for arguments that ``called`` doesn't take; None if it takes them, so that the fault lies deeper."""
    signature = inspect.signature(called)
    try:
        signature.bind(*given, **settings)
    except TypeError as error:
        known = [name for name in signature.parameters if name != "self"]
        strange = [name for name in settings if name not in known]
        why = f"there is no {strange[0]} to be set" if strange else str(error)
        here = setting(strange[0], known) if strange else ""
        what = called.__qualname__.removesuffix(".__init__").removesuffix(".__call__")
        return EngineError(f"{what}: {why}; it takes {', '.join(known) or 'nothing'}{here} ({user_source()})")
    return None


def strict(called: Called) -> Called:
    """``called``, with an EngineError for arguments that it doesn't take, and the user's line in all that it raises."""

    @wraps(called)
    def call(*given: Any, **settings: Any) -> Any:
        try:
            return called(*given, **settings)
        except (TypeError, EngineError) as error:
            raise misfit(called, given, settings) or placed(error) from None

    return cast(Called, call)


class Settings(type):
    """The class of layers and optimisers: settings that one doesn't have are refused at the user's line."""

    if not TYPE_CHECKING:  # the type of a call stays the class's own

        def __call__(cls, *given: Any, **settings: Any) -> Any:
            try:
                return super().__call__(*given, **settings)
            except TypeError:
                error = misfit(cls.__init__, (cls, *given), settings)
                if error is None:
                    raise
                raise error from None
