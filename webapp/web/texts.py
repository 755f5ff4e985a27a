"""The page's sentences, by language: merged from their files once, when the server starts.

What all pages say lies in ``static/i18n``, what only a kind or a lens says in ``texts`` in its folder. Every such
folder has one file a language, named after it; a language is there because its file in ``static/i18n`` is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webapp.config import ConfigError

DEFAULT = "en"  # for a reader who prefers none of the languages


@dataclass(frozen=True)
class Language:
    """A language as its own file names it."""

    code: str  # the file's name
    name: str  # what the button that chooses it says
    html: str  # the value of the attribute ``lang``


class Texts:
    """Sentences by language and key.  ``common`` and ``others`` are folders.

    Raises ConfigError, which names the file, for one that is damaged, gives a key that another gives, or lacks a key
    that it has in another language.
    """

    def __init__(self, common: Path, others: Iterable[Path] = ()) -> None:
        codes = sorted(path.stem for path in common.glob("*.json"))
        if not codes:
            raise ConfigError(f"{common}: there are no texts. Installing Layerlab again mends it.")
        folders = [common, *others]
        self._texts = {code: _merged(code, folders) for code in codes}
        _compare(codes, folders)
        self.json = {code: json.dumps(texts, ensure_ascii=False).encode() for code, texts in self._texts.items()}
        self.languages = tuple(
            Language(code, texts["language.name"], texts["language.html"]) for code, texts in self._texts.items()
        )
        self.default = DEFAULT if DEFAULT in codes else codes[0]

    def __getitem__(self, code: str) -> dict[str, str]:
        return self._texts[code]

    def __contains__(self, code: object) -> bool:
        return code in self._texts


def _merged(code: str, folders: Sequence[Path]) -> dict[str, str]:
    found: dict[str, str] = {}
    where: dict[str, Path] = {}
    for folder in folders:
        path = folder / f"{code}.json"
        for key, sentence in _read(path).items():
            if key in found:
                raise ConfigError(f"{path}: the key {key!r} is given in {where[key]} already.")
            found[key], where[key] = sentence, path
    for key in ("language.name", "language.html"):
        if key not in found:
            raise ConfigError(f"{folders[0] / f'{code}.json'}: the key {key!r} is missing.")
    return found


def _read(path: Path) -> dict[str, str]:
    try:
        texts = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_without_repeats)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{path}: {reason}. Installing Layerlab again mends a damaged file.") from None
    if not isinstance(texts, dict) or not all(isinstance(sentence, str) for sentence in texts.values()):
        raise ConfigError(f"{path}: one JSON object of sentences is expected.")
    return texts


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is given twice")
    return found


def _compare(codes: Sequence[str], folders: Sequence[Path]) -> None:
    """See that every folder has the same keys in all languages."""
    for folder in folders:
        keys = {code: _read(folder / f"{code}.json").keys() for code in codes}
        for code in codes:
            for other in codes:
                if missing := sorted(keys[other] - keys[code]):
                    raise ConfigError(f"{folder / f'{code}.json'}: the key {missing[0]!r} of {other}.json is missing.")
