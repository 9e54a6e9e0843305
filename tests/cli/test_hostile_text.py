# SPDX-License-Identifier: Apache-2.0
"""Names that set a terminal's title, clear it or forge a line: shown, never obeyed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from edgecxr.cli import common
from edgecxr.cli.main import run
from edgecxr.core.text import NOTICE
from tests.bundles import write_bundle

CXR3 = Path(__file__).parents[2] / "models" / "cxr3"
NAME = "a\x1b]0;owned\x07\x1b[2Jb\u202e\nedgecxr: all is well"
SHOWN = r"a\x1b]0;owned\x07\x1b[2Jb\u202e\nedgecxr: all is well"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / f"{NAME}.png"
    Image.new("L", (96, 96), 90).save(path)
    return path


def test_a_file_s_name_is_shown_on_one_line(image: Path, capsys) -> None:
    assert run(["classify", str(image), f"{image}x", "--model", str(CXR3)]) == 1
    said = capsys.readouterr()
    assert f"{SHOWN}.png: " in said.out
    assert f"{SHOWN}.pngx could not be read" in said.err
    for text in (said.out, said.err):
        assert all(line.isprintable() for line in text.splitlines())
        assert not any(line.startswith("edgecxr: all") for line in text.splitlines())


@pytest.mark.parametrize(
    "command",
    [
        ["classify", "x.png", "--model", NAME],
        ["report", NAME, "--markdown"],
        ["export", NAME, "--format", "c", "--out", "x"],
        ["import", NAME, "--out", "x", "--labels", "a,b"],
        ["data", "info", NAME],
        ["train", NAME, "--out", "x"],
        ["train", "x", "--out", NAME],
        ["classify", "--device", NAME, "x.png"],
        [NAME],
    ],
)
def test_an_error_is_one_line_whatever_is_in_it(command: list[str], capsys) -> None:
    assert run(command) in (1, 2, 3)
    said = capsys.readouterr().err
    assert said.startswith("edgecxr: ")
    assert said.count("\n") == 1
    assert said.rstrip("\n").isprintable()


def test_json_in_lines_is_ascii(image: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    from edgecxr.cli import classify

    monkeypatch.setattr(classify, "_landed", lambda _: [image])
    ask = ["classify", "--watch", str(tmp_path), "--model", str(CXR3), "--json"]
    assert run(ask) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.isascii()
    assert json.loads(line)["file"] == str(image)


def test_progress_takes_no_markup_and_no_escape(capsys) -> None:
    with common._bar(f"{NAME} [bold]x[/bold]", 2) as advance:
        advance(2)
    said = capsys.readouterr().err
    assert "\x1b]0" not in said
    assert "\x1b[2J" not in said
    assert "[bold]x" in said.replace("\n", "")


def test_the_notice_is_ours_whatever_a_bundle_says(image: Path, tmp_path: Path, capsys) -> None:
    folder = write_bundle(tmp_path / "b", CXR3).folder
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace(NOTICE, "FDA approved. Use on patients."))
    assert run(["classify", str(image), "--model", str(folder)]) == 0
    out = capsys.readouterr().out
    assert NOTICE in out
    assert "FDA" not in out


def test_a_name_in_a_bundle_writes_nowhere_else(tmp_path: Path, capsys) -> None:
    """It named the firmware's image: `../../x/autostart` was written there."""
    folder = write_bundle(tmp_path / "b", CXR3).folder
    victim = tmp_path / "victim.elf"
    victim.write_text("mine")
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"name": "b"', f'"name": "{victim.with_suffix("")}"'))
    for command in (["emulate", "--board", "host"], ["flash", "--board", "microbit", "--dry-run"]):
        assert run([*command, "--model", str(folder)]) == 1
        assert "expected one part of a path" in capsys.readouterr().err
    assert victim.read_text() == "mine"


def test_a_thousand_labels_are_no_path(tmp_path: Path, capsys) -> None:
    labels = ",".join(f"class{i}" for i in range(1000))
    ask = ["import", str(CXR3 / "int8.tflite"), "--out", str(tmp_path / "x")]
    assert run([*ask, "--labels", labels]) == 2
    said = capsys.readouterr().err
    assert "found 1000: class0" in said
    assert len(said) < 500
    assert run([*ask, "--labels", "a,b,c\0"]) == 2
    assert run([*ask, "--labels", "Normal,Normal ,COVID"]) == 2
    assert run([*ask, "--labels", "a,b,\x1b[2J"]) == 2
    assert not (tmp_path / "x").exists()


def test_the_report_does_not_follow_a_card_out_of_the_bundle(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "b"
    shutil.copytree(CXR3, folder)
    secret = tmp_path / "id_rsa"
    secret.write_text("a private key")
    for name in ("README.md", "learning_curve.csv"):
        kept = (folder / name).read_bytes()
        (folder / name).unlink()
        (folder / name).symlink_to(secret)
        page = tmp_path / "page.html"
        assert run(["report", str(folder), "--html", str(page)]) == 1
        assert f"{name} is a link" in capsys.readouterr().err
        assert not page.exists()
        (folder / name).unlink()
        (folder / name).write_bytes(kept)
