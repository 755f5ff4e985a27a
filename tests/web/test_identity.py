"""Who is who: the cookie, the secret behind it, and runs that are nobody else's."""

from __future__ import annotations

import socket
import stat
from urllib.request import Request, urlopen

import pytest
from flask import Flask
from socketio.exceptions import ConnectionError as Refused
from websocket import WebSocketTimeoutException

from tests.labs import BareSocket, Page, new_cookie
from webapp.config import ConfigError
from webapp.contract.wire import new_run_id
from webapp.kinds import commands
from webapp.web.identity import COOKIE, Identity, load_secret


def test_the_cookie_is_for_this_server_alone_and_lasts(lab):
    with urlopen(lab.url) as response:
        cookie = response.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=31536000"):
        assert part in cookie


def test_a_person_stays_the_same_person(lab):
    cookie = new_cookie(lab.url)
    with urlopen(Request(lab.url, headers={"Cookie": f"{COOKIE}={cookie}"})) as response:
        assert f"{COOKIE}={cookie};" in response.headers["Set-Cookie"]


def test_a_forged_cookie_is_replaced(lab):
    with urlopen(Request(lab.url, headers={"Cookie": f"{COOKIE}=teacher.forged"})) as response:
        assert "forged" not in response.headers["Set-Cookie"]


FORGED = ["", "teacher", "teacher.", ".x", "a.b.c", "teacher.5bKaGVEY6kjKJPYSg6aucYdbfoo", "é", '"']


@pytest.mark.parametrize("cookie", FORGED)
def test_without_a_valid_cookie_the_socket_is_refused(lab, cookie):
    bare = BareSocket(lab.url, cookie.encode().decode("latin-1"), join=False)
    bare.ws.send("40")
    answer = str(bare.ws.recv())
    assert answer.startswith("44") and "no_identity" in answer and "load the page again" in answer
    bare.ws.send('421["command",{"type":"open","kind":"points","seq":1}]')
    bare.ws.settimeout(0.3)
    with pytest.raises(WebSocketTimeoutException):
        bare.ws.recv()
    assert len(lab.runs._book.store.of("teacher")) == 0


def test_a_real_client_is_told_so_too(lab):
    with pytest.raises(Refused):
        Page(lab.url, "teacher.forged")


def test_a_signature_of_another_secret_is_forged():
    person, token = Identity(b"a" * 32).issue()
    assert Identity(b"a" * 32).verify(token) == person
    assert Identity(b"b" * 32).verify(token) is None


def test_anothers_run_and_no_run_get_the_same_answer(open_page):
    owner, thief = open_page(), open_page()
    run = owner.open(rate=0.5)
    forged = new_run_id()
    for command in ("play", "pause", "reset", "close", "recover"):
        theft = thief.command(command, run=run)
        nothing = thief.command(command, run=forged)
        assert theft["error"]["code"] == nothing["error"]["code"] == "unknown_run"
        assert theft["error"]["message"].replace(run, forged) == nothing["error"]["message"]
    assert thief.command("open", kind="points", run=run)["error"]["code"] == "unknown_run"
    thief.client.emit("credit", {"run": run, "frame": 0})
    assert thief.frames == []
    assert owner.command("set", run=run, settings={})["settings"]["rate"] == 0.5


def test_a_server_that_started_anew_knows_no_run_and_the_page_opens_another(make_lab, open_page):
    secret = b"s" * 32
    before = make_lab(secret=secret)
    page = open_page(before)
    run = page.open(rate=0.25)
    page.close()
    after = make_lab(secret=secret)
    again = open_page(after, page.cookie)
    lost = again.command("open", kind="points", run=run)
    assert lost["error"]["code"] == "unknown_run" and "open a new one" in lost["error"]["message"]
    assert again.open(rate=0.25) != run


def test_the_secret_is_kept_and_readable_by_its_owner_alone(tmp_path):
    folder = tmp_path / "new" / "folder"
    secret = load_secret(folder)
    assert len(secret) == 32 and load_secret(folder) == secret
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["secret"]
    assert load_secret(tmp_path / "other") != secret


def test_a_secret_that_others_could_read_is_closed_to_them(tmp_path):
    load_secret(tmp_path)
    (tmp_path / "secret").chmod(0o644)
    load_secret(tmp_path)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_damaged_secret_and_a_bad_folder_are_told_in_one_line(tmp_path):
    (tmp_path / "secret").write_bytes(b"short")
    with pytest.raises(ConfigError, match="damaged"):
        load_secret(tmp_path)
    with pytest.raises(ConfigError, match="--data-dir"):
        load_secret(tmp_path / "secret" / "folder")


def test_run_ids_are_random_and_of_the_protocols_form():
    ids = {new_run_id() for _ in range(1000)}
    assert len(ids) == 1000
    for run in ids:
        commands().decode({"type": "play", "run": run, "seq": 0})


def test_a_cookie_is_never_taken_from_a_header_that_isnt_one():
    identity = Identity(b"a" * 32)
    _, token = identity.issue()
    assert identity.read(f"x=1; {COOKIE}={token}; y=2") is not None
    assert identity.read(f"x{COOKIE}={token}") is None
    assert identity.read("") is None
    assert identity.read("\x00=;;;=") is None
    response = Flask("test").response_class()
    identity.write(response, "person")
    assert "Secure" not in response.headers["Set-Cookie"], "the page comes by plain HTTP from this very machine"


def test_the_test_server_listens_on_this_machine_alone(lab):
    assert lab.server.socket.getsockname()[0] == "127.0.0.1"
    assert lab.server.socket.family == socket.AF_INET
