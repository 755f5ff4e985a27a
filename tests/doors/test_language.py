"""A language is a file in each folder of texts; nothing else lists the languages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.doors.counts import files_needed
from tests.running import ROOT
from webapp.config import Config
from webapp.web.app import create_app
from webapp.web.assets import text_folders


def test_a_language_is_there_because_its_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [ROOT / "static/i18n", *text_folders()]
    assert len(folders) == files_needed("a language")
    copies = [tmp_path / str(number) / "static/i18n" for number in range(len(folders))]
    for folder, copy in zip(folders, copies, strict=True):
        shutil.copytree(folder, copy)
        texts = json.loads((copy / "en.json").read_text(encoding="utf-8"))
        names = {"language.name": "DE", "language.html": "de"} if "language.name" in texts else {}
        (copy / "de.json").write_text(json.dumps(texts | names), encoding="utf-8")
    common = tmp_path / "0"
    monkeypatch.setattr(
        "webapp.web.pages.asset_folder", lambda name: common / name if name == "static" else ROOT / name
    )
    monkeypatch.setattr("webapp.web.pages.text_folders", lambda: copies[1:])
    client = create_app(Config(data_dir=tmp_path, device="cpu")).test_client()
    page = client.get("/?lang=de", base_url="http://127.0.0.1:8765").text
    assert '<html lang="de">' in page and '"name": "DE"' in page
    texts = client.get("/texts/de.json", base_url="http://127.0.0.1:8765").text
    assert json.loads(texts)["language.name"] == "DE"
