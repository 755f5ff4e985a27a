"""Sentences: merged once, and a damaged file stops the start in one line that names it."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.running import ROOT
from tests.web.test_http import layerlab
from webapp.config import Config, ConfigError
from webapp.web.app import create_app
from webapp.web.assets import text_folders
from webapp.web.texts import Texts

LANGUAGES = {"en": ("EN", "en"), "zh": ("中文", "zh-CN")}


@pytest.fixture
def folders(tmp_path):
    """Two folders of texts, the common one first."""
    for name in ("common", "kind"):
        (tmp_path / name).mkdir()
        for code, (button, html) in LANGUAGES.items():
            names = {"language.name": button, "language.html": html} if name == "common" else {}
            write(tmp_path / name / f"{code}.json", {f"{name}.key": code, **names})
    return tmp_path / "common", tmp_path / "kind"


def write(path, texts):
    path.write_text(json.dumps(texts), encoding="utf-8")


def refusal(common, *others):
    with pytest.raises(ConfigError) as refused:
        Texts(common, others)
    assert len(str(refused.value).splitlines()) == 1
    return str(refused.value)


def test_texts_are_merged_by_language(folders):
    texts = Texts(folders[0], folders[1:])
    assert texts["zh"]["common.key"] == texts["zh"]["kind.key"] == "zh"
    assert [(each.code, each.name, each.html) for each in texts.languages] == [
        ("en", "EN", "en"),
        ("zh", "中文", "zh-CN"),
    ]
    assert json.loads(texts.json["en"]) == texts["en"]


def test_a_file_that_is_cut_short_is_named(folders):
    path = folders[0] / "en.json"
    path.write_text(path.read_text(encoding="utf-8")[:-3], encoding="utf-8")
    assert str(path) in refusal(*folders)


def test_a_missing_file_is_named(folders):
    (folders[1] / "zh.json").unlink()
    assert str(folders[1] / "zh.json") in refusal(*folders)


def test_a_key_that_is_given_twice_is_named_with_both_files(folders):
    write(folders[1] / "en.json", {"kind.key": "en", "common.key": "again"})
    said = refusal(*folders)
    assert str(folders[1] / "en.json") in said and str(folders[0] / "en.json") in said and "common.key" in said


def test_a_key_twice_in_one_file_is_named(folders):
    (folders[1] / "en.json").write_text('{"kind.key": "a", "kind.key": "b"}', encoding="utf-8")
    said = refusal(*folders)
    assert "kind.key" in said and str(folders[1] / "en.json") in said


def test_a_key_that_one_language_lacks_is_named(folders):
    write(folders[1] / "en.json", {"kind.key": "en", "kind.more": "more"})
    said = refusal(*folders)
    assert str(folders[1] / "zh.json") in said and "kind.more" in said


def test_a_language_is_there_because_its_file_is(folders):
    for folder in folders:
        shutil.copy(folder / "en.json", folder / "de.json")
    texts = Texts(folders[0], folders[1:])
    assert [language.code for language in texts.languages] == ["de", "en", "zh"] and texts.default == "en"


def test_the_pages_catalogue_is_one_file_a_language(tmp_path):
    client = create_app(Config(data_dir=tmp_path, device="cpu")).test_client()
    base = "http://127.0.0.1:8765"
    expected = Texts(ROOT / "static/i18n", text_folders())
    for code in LANGUAGES:
        response = client.get(f"/texts/{code}.json", base_url=base)
        assert response.json == expected[code] and response.headers["Cache-Control"] == "no-cache"
        known = {"If-None-Match": response.headers["ETag"]}
        assert client.get(f"/texts/{code}.json", base_url=base, headers=known).status_code == 304
    assert client.get("/texts/xx.json", base_url=base).status_code == 404


def test_a_damaged_catalogue_stops_the_start_in_one_line(tmp_path):
    """It used to be a bare 500 on every page of that language."""
    code = tmp_path / "code"
    for folder in ("engine", "webapp", "static", "templates"):
        shutil.copytree(ROOT / folder, code / folder, ignore=shutil.ignore_patterns("__pycache__"))
    path = code / "static/i18n/en.json"
    path.write_text(path.read_text(encoding="utf-8")[:1000], encoding="utf-8")
    done = layerlab("--no-browser", "--port", "0", "--data-dir", str(tmp_path / "data"), code=code)
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and str(path) in done.stderr, done.stderr


def test_catalogues_and_templates_are_read_once(tmp_path, monkeypatch):
    """Out of file handles every page answered 500."""
    client = create_app(Config(data_dir=tmp_path, device="cpu")).test_client()

    def refuse(*_args, **_options):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("io.open", refuse)
    base = "http://127.0.0.1:8765"
    for path, status in (("/", 200), ("/digits", 200), ("/texts/en.json", 200), ("/nope", 404)):
        assert client.get(path, base_url=base).status_code == status
