"""Pages, their headers, Host and Origin, and the command line."""

from __future__ import annotations

import importlib
import json
import re
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import websocket

import webapp.config
from tests.labs import new_cookie
from tests.running import ROOT, Server, free_port, wait_until
from webapp.config import Config, ConfigError, resolve_device
from webapp.contract import wire
from webapp.kinds import registry
from webapp.web.app import create_app
from webapp.web.identity import COOKIE


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    config = Config(data_dir=tmp_path_factory.mktemp("data"), device="cpu", workers=1)
    return create_app(config)


@pytest.fixture
def http(app):
    """Flask's test client, asking the right host."""
    client = app.test_client()
    get = client.get
    client.get = lambda path, **options: get(path, **{"base_url": "http://127.0.0.1:8765", **options})
    return client


@pytest.mark.parametrize(("path", "kind"), [("/", "points"), ("/digits", "digits")])
def test_a_page_carries_what_its_scripts_need_to_know(http, path, kind):
    response = http.get(path)
    assert response.status_code == 200 and response.mimetype == "text/html"
    block = re.search(r'<script type="application/json" id="describe">(.*?)</script>', response.text, re.DOTALL)
    assert block is not None
    described = json.loads(block[1], parse_constant=lambda word: pytest.fail(f"{word} in JSON"))
    assert described["page"] == kind
    assert [kind["name"] for kind in described["kinds"]] == list(registry())
    for told in described["kinds"]:
        assert told["settings"] == json.loads(json.dumps(registry()[told["name"]].fields))
        assert http.get(told["path"]).status_code == http.get(told["module"]).status_code == 200
    assert described["wire"] == json.loads(json.dumps(wire.describe(registry().codes)))


@pytest.mark.parametrize(
    ("language", "sentence"), [("en", "There is no page at this address."), ("zh-CN,zh;q=0.9", "这个地址没有页面。")]
)
def test_an_address_without_a_page_says_so_and_leads_back(http, language, sentence):
    response = http.get("/nope", headers={"Accept-Language": language})
    assert response.status_code == 404 and response.mimetype == "text/html"
    assert sentence in response.text and 'href="/"' in response.text
    assert f'lang="{language[:2]}' in response.text
    assert "Set-Cookie" not in response.headers


def test_healthz(http):
    assert http.get("/healthz").json["status"] == "ok"


@pytest.mark.parametrize("path", ["/", "/digits", "/healthz", "/static/js/main.js", "/nothing"])
def test_every_answer_has_the_headers(http, path):
    headers = http.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "font-src": "'self'",
        "connect-src": "'self' ws://127.0.0.1:8765",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765"])
def test_the_servers_own_names(http, host):
    assert http.get("/healthz", base_url=f"http://{host}").status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example:8765", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:87650", "127.0.0.1.evil.example:8765", ""]
)
@pytest.mark.parametrize("path", ["/", "/healthz", "/static/js/main.js", "/socket.io/?EIO=4&transport=websocket"])
def test_any_other_host_is_refused_in_one_sentence(http, host, path):
    response = http.get(path, headers={"Host": host})
    assert response.status_code == 400
    assert response.text.count("\n") == 1 and "open 127.0.0.1:8765" in response.text
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "https://{host}", "http://localhost:1", "http://{host}.evil.example"]
)
def test_another_sites_script_may_not_open_the_socket(lab, origin):
    host = f"127.0.0.1:{lab.config.port}"
    url = f"ws://{host}/socket.io/?EIO=4&transport=websocket"
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        options = {"origin": origin.format(host=host)} if origin else {"suppress_origin": True}
        websocket.create_connection(url, cookie=f"{COOKIE}={new_cookie(lab.url)}", **options)
    assert refused.value.status_code == 403


def test_too_many_pages_are_told(make_lab):
    lab = make_lab(max_clients=0)
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        websocket.create_connection(f"ws://127.0.0.1:{lab.config.port}/socket.io/?EIO=4&transport=websocket")
    assert refused.value.status_code == 503


def test_a_body_is_refused_before_it_is_read(lab):
    with socket.create_connection(("127.0.0.1", lab.config.port), timeout=5) as plain:
        head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{lab.config.port}\r\nContent-Length: 1000000000\r\n\r\n"
        plain.sendall(head.encode())
        assert b" 413 " in plain.makefile("rb").readline()


@pytest.mark.parametrize(
    ("path", "headers", "language"),
    [
        ("/", {}, "en"),
        ("/?lang=zh", {}, "zh"),
        ("/?lang=xx", {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}, "zh"),
        ("/", {"Accept-Language": "de,en;q=0.5"}, "en"),
        ("/", {"Accept-Language": "de"}, "en"),
        ("/", {"Accept-Language": "en", "chosen": "zh"}, "zh"),
        ("/?lang=en", {"chosen": "zh"}, "en"),
        ("/", {"chosen": "../../secret"}, "en"),
    ],
)
def test_the_language(http, path, headers, language):
    headers = dict(headers)
    if chosen := headers.pop("chosen", None):
        http.set_cookie("layerlab_lang", chosen, domain="127.0.0.1")
    response = http.get(path, headers=headers)
    assert f'"lang": "{language}"' in response.text
    told = [cookie for cookie in response.headers.getlist("Set-Cookie") if cookie.startswith("layerlab_lang=")]
    assert bool(told) == (path in {"/?lang=zh", "/?lang=en"})


def test_the_catalogue_is_handed_to_the_template(app, tmp_path, monkeypatch):
    """With folders of its own: what the real template says is the page's business."""
    (tmp_path / "static/i18n").mkdir(parents=True)
    catalogue = '{"app.title": "层实验室", "language.name": "中文", "language.html": "zh-CN"}'
    (tmp_path / "static/i18n/zh.json").write_text(catalogue, encoding="utf-8")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/page.html").write_text('{{ t("app.title") }} {{ lang }}', encoding="utf-8")
    for module in ("app", "pages", "assets"):
        monkeypatch.setattr(f"webapp.web.{module}.asset_folder", lambda name: tmp_path / name)
    monkeypatch.setattr("webapp.web.pages.modules_of", lambda page: [])  # there are no scripts either
    monkeypatch.setattr("webapp.web.pages._check_words", lambda texts: None)  # nor the kinds' names
    other = create_app(Config(data_dir=tmp_path, device="cpu"))
    assert other.test_client().get("/?lang=zh", base_url="http://127.0.0.1:8765").text == "层实验室 zh-CN"


def test_static_and_templates_are_found_in_a_wheel_too(tmp_path, monkeypatch):
    monkeypatch.setattr(webapp.config, "_HERE", tmp_path / "webapp")
    assert webapp.config.asset_folder("static") == tmp_path / "static"
    (tmp_path / "webapp/static").mkdir(parents=True)
    assert webapp.config.asset_folder("static") == tmp_path / "webapp/static"


def test_a_server_for_a_class_answers_to_its_own_names_alone():
    hosts = Config(host="0.0.0.0", port=80).hosts
    assert {"127.0.0.1:80", "127.0.0.1", "localhost", f"{socket.gethostname().lower()}:80"} <= hosts
    assert Config(host="192.0.2.7", port=81).hosts == {"192.0.2.7:81"}
    assert Config(host="192.0.2.7", port=81, extra_hosts=("Lab.Example",)).hosts == {"192.0.2.7:81", "lab.example"}
    assert Config(host="0.0.0.0").address == "http://127.0.0.1:8765"
    assert Config(host="::1", port=80).address == "http://[::1]:80"


# ---- the command line


def layerlab(*options: str, code: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "webapp", *options]
    return subprocess.run(command, cwd=code, capture_output=True, text=True, timeout=60, check=False)


def test_a_port_in_use_is_one_line_and_exit_1(lab, tmp_path):
    done = layerlab("--no-browser", "--port", str(lab.config.port), "--data-dir", str(tmp_path))
    assert done.returncode == 1 and done.stdout == ""
    expected = f"Port {lab.config.port} is in use by another program; choose another one with --port."
    assert done.stderr.splitlines() == [expected]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--port", "70000"], "--port 70000"),
        (["--host", "not.a.host.invalid"], "--host"),
        (["--workers", "0"], "--workers 0"),
        (["--fps", "0"], "--fps 0"),
        (["--plugins", "/nowhere"], "--plugins /nowhere"),
        (["--fps", "nan"], "--fps nan"),
        (["--fps", "121"], "--fps 121"),
        (["--port", "-1"], "--port -1"),
        (["--workers", "257"], "--workers 257"),
        (["--host", ""], "127.0.0.1 for this computer"),
        (["--host", "a" * 70], "--host"),
        (["--data-dir", ""], "name a folder"),
        (["--data-dir", "~nobody-of-this-name/x"], "write the whole path"),
        (["--plugins", ""], "name a folder"),
        (["--data-dir", "/dev/null/x"], "--data-dir"),
    ],
)
def test_what_cant_be_had_is_one_line_and_exit_1(options, named, tmp_path):
    given = ["--port", "0", "--data-dir", str(tmp_path)]
    done = layerlab("--no-browser", *given, *options)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and named in done.stderr, done.stderr


def test_a_gpu_that_isnt_there_is_one_line(monkeypatch):
    engine_device = importlib.import_module("engine.devices")
    monkeypatch.setattr(engine_device, "gpu_problem", lambda: "CuPy isn't installed")
    assert resolve_device("auto") == resolve_device("cpu") == "cpu:0"
    with pytest.raises(ConfigError, match=r"^--device gpu: CuPy isn't installed\. Use --device cpu"):
        resolve_device("gpu")
    monkeypatch.setattr(engine_device, "gpu_problem", lambda: None)
    assert resolve_device("auto") == resolve_device("gpu") == "gpu:0"


def test_the_version():
    done = layerlab("--version")
    assert done.returncode == 0 and re.fullmatch(r"layerlab \S+\n", done.stdout)


def test_a_free_port_is_taken_and_told(tmp_path):
    server = Server(tmp_path, "--port", "0", "--workers", "1", "--device", "cpu")
    port = int(server.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)):
        assert port != 0
    server.stop()
    assert server.output == [f"Layerlab is ready: http://127.0.0.1:{port}"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("soon", [True, False])
def test_ctrl_c_ends_everything_without_a_traceback(tmp_path, how, soon):
    server = Server(tmp_path, "--workers", "2", "--device", "cpu")
    if not soon:
        wait_until(lambda: len(server.workers()) == 2, "two workers")
    if how == signal.SIGINT:  # a terminal's Ctrl-C reaches the workers too
        for worker in server.workers():
            worker.send_signal(how)
    server.process.send_signal(how)
    assert server.process.wait(10) == 0
    server.stop()
    assert server.output == [f"Layerlab is ready: {server.url}"], "\n".join(server.output)


def test_the_same_port_again_at_once(tmp_path):
    port = free_port()
    for _ in range(2):
        server = Server(tmp_path, "--port", str(port), "--workers", "1", "--device", "cpu")
        assert server.url.endswith(f":{port}")
        server.stop()


def test_nothing_is_read_from_the_working_folder():
    """The real template and script are where a checkout keeps them, wherever the command is typed."""
    assert Path(webapp.config.asset_folder("templates"), "page.html").is_file()
    assert replace(Config(), port=1).port == 1
