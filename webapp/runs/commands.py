"""What the web process does with each command: the table that :class:`webapp.runs.dispatch.Runs` asks.

A command that stands in neither table changes nothing here and goes on to the run's worker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from webapp.contract.commands import Close, Open, OpenLens, Pause, Play, Recover, Reset, Set, Step, Wish
from webapp.contract.replies import Reply
from webapp.contract.settings import Settings
from webapp.kinds import registry
from webapp.training.remedy import remedy

if TYPE_CHECKING:
    from webapp.runs.dispatch import Runs, Said
    from webapp.runs.record import Record


@dataclass(frozen=True)
class Effect:
    """What a command that goes on to the worker changes in the run's record once it went.

    ``settings(record, wish)`` gives those that hold from now on (None: the old ones stay, and the page isn't told);
    ``playing`` is whether it trains afterwards (None: as before); ``afresh``: what was trained is gone;
    ``forgives``: the deaths of its workers are forgotten.
    """

    settings: Callable[[Record, Any], Settings] | None = None
    playing: bool | None = None
    afresh: bool = False
    forgives: bool = False


def _patched(record: Record, wish: Set) -> Settings:
    return registry()[record.kind].settings_for(wish.settings, record.settings)


def _remedied(record: Record, _: Recover) -> Settings:
    return remedy(record.settings).settings


EFFECTS: dict[type[Wish], Effect] = {
    Set: Effect(settings=_patched),
    Play: Effect(playing=True, forgives=True),
    Pause: Effect(playing=False),
    Step: Effect(playing=False),
    Reset: Effect(playing=False, afresh=True),
    Recover: Effect(settings=_remedied, playing=True, forgives=True),
}


def effect_of(wish: Wish) -> Effect:
    """What ``wish`` changes in its run's record; nothing, for one that only the worker needs to know."""
    return EFFECTS.get(type(wish), _NO_EFFECT)


_NO_EFFECT = Effect()

# Those that never reach a worker as they are.
HANDLERS: dict[type[Wish], Callable[[Runs, Said], Reply]] = {
    Open: lambda runs, said: runs.open(said),
    Close: lambda runs, said: runs.close(said),
    OpenLens: lambda runs, said: runs.open_lens(said),
}


def handler_of(wish: Wish) -> Callable[[Runs, Said], Reply]:
    """What does ``wish`` here; by default it goes on to the run's worker."""
    return HANDLERS.get(type(wish), lambda runs, said: runs.forward(said))
