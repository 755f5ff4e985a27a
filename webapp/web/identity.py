"""Who is who: a signed cookie names the person, a random id names the run."""

from __future__ import annotations

import contextlib
import os
import secrets
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from flask import Response
from itsdangerous import BadSignature, Signer

from webapp.config import ConfigError

COOKIE = "layerlab"
_YEAR = 365 * 24 * 3600
_SECRET_BYTES = 32


def load_secret(data_dir: Path) -> bytes:
    """The server's signing secret, made on first use and readable by its owner alone.

    Raises ConfigError if ``data_dir`` can't be written or the file isn't a secret.
    """
    path = data_dir / "secret"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with contextlib.suppress(FileExistsError):
                _write_secret(path)
        secret = path.read_bytes()
        path.chmod(0o600)
    except OSError as error:
        message = f"--data-dir {data_dir}: {error.strerror or error}. Name a folder that can be written."
        raise ConfigError(message) from None
    if len(secret) != _SECRET_BYTES:
        raise ConfigError(f"{path} is damaged ({len(secret)} of {_SECRET_BYTES} bytes). Delete it and start again.")
    return secret


def _write_secret(path: Path) -> None:
    """Write the whole file under another name first: a second server that starts now never reads half of it."""
    draft = path.with_name(f"secret.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_SECRET_BYTES))
        os.link(draft, path)  # fails if another server was quicker; a rename would replace its secret
    finally:
        draft.unlink(missing_ok=True)


class Identity:
    """Reads and writes the cookie that names a person."""

    def __init__(self, secret: bytes) -> None:
        self._signer = Signer(secret, salt="layerlab.person")

    def read(self, cookie_header: str) -> str | None:
        """The person that a request's Cookie header names; None if it names nobody or isn't our signature."""
        try:
            morsel = SimpleCookie(cookie_header).get(COOKIE)
        except CookieError:
            return None
        return None if morsel is None else self.verify(morsel.value)

    def verify(self, token: str) -> str | None:
        """The person whom ``token`` names, or None for a forged one."""
        try:
            return self._signer.unsign(token).decode()
        except (BadSignature, UnicodeDecodeError):
            return None

    def issue(self, person: str | None = None) -> tuple[str, str]:
        """A person (new without ``person``) and the cookie's value."""
        person = person or secrets.token_urlsafe(16)
        return person, self._signer.sign(person).decode()

    def write(self, response: Response, person: str) -> None:
        """Give ``response`` the cookie: not for scripts, not for other sites' requests, for a year from now.

        SameSite is Lax: with Strict, opening the page from a link on another site would
        start a new person and lose sight of the old one's runs.
        """
        _, token = self.issue(person)
        response.set_cookie(COOKIE, token, max_age=_YEAR, httponly=True, samesite="Lax", path="/")
