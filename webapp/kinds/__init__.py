"""The kinds of pages: one folder each, found because it is there."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from types import ModuleType

from webapp import plugins
from webapp.contract.commands import Commands
from webapp.contract.kind import Kind, KindError
from webapp.contract.wire import Codes

__path__ = plugins.extended(__path__, "kinds")


class Kinds(Mapping[str, Kind]):
    """Kinds by name, in the order in which the page shows them.  Raises KindError where two are at odds."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        ordered = sorted(kinds, key=lambda kind: (kind.order, kind.name))
        self._kinds = {kind.name: kind for kind in ordered}
        paths = [kind.path for kind in ordered]
        if len(self._kinds) < len(ordered) or len(set(paths)) < len(paths):
            raise KindError(f"two kinds share a name or a path: {[(kind.name, kind.path) for kind in ordered]}")

    def __getitem__(self, name: str) -> Kind:
        return self._kinds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    @cached_property
    def commands(self) -> Commands:
        """Every command that a page may say.  Raises KindError where two are at odds."""
        try:
            return Commands({name: kind.all_commands for name, kind in self.items()})
        except TypeError as error:
            raise KindError(f"the commands of all kinds: {error}") from error

    def check(self) -> None:
        """Raise KindError for what would else fail everybody's first page."""
        _ = self.codes, self.commands  # lenses are read by it
        for kind in self.values():
            try:
                _ = kind.fields
            except (AttributeError, TypeError, ValueError) as error:
                raise KindError(f"kind {kind.name}: its settings can't be described: {error}") from error

    @cached_property
    def codes(self) -> Codes:
        """The numbers of kinds and sections in frames."""
        return Codes(self.values())


@cache
def registry() -> Kinds:
    """Every kind there is, with its lenses.  Their experiments are not imported.  Raises KindError."""
    kinds = Kinds(_kind_in(module) for module in plugins.modules_of(sys.modules[__name__]))
    kinds.check()  # what is at odds stops the start, not the first page
    return kinds


def commands() -> Commands:
    """Every command that a page may say."""
    return registry().commands


def _kind_in(module: ModuleType) -> Kind:
    kind = getattr(module, "kind", None)
    if not isinstance(kind, Kind) or kind.name != module.__name__.rpartition(".")[2]:
        raise KindError(f"{module.__name__}: its __init__.py must hold `kind = Kind(name=...)` with the folder's name")
    return kind
