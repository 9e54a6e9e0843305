# SPDX-License-Identifier: Apache-2.0
"""``edgecxr card``, ``sign`` and ``verify``, and what a configured key changes elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from edgecxr.cli.main import run
from edgecxr.core.bundle import Bundle
from edgecxr.core.signature import KEY_VARIABLE, PASSWORD_VARIABLE, SIGNATURE
from tests.bundles import write_bundle
from tests.keys import PASSWORD, Keys


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    # The program writes the first one; this puts it back.
    monkeypatch.setenv(KEY_VARIABLE, "")
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)


@pytest.fixture
def folder(tmp_path: Path, tiny_models: Path) -> Path:
    made = write_bundle(tmp_path / "b", tiny_models).folder
    (made / "README.md").write_text("# Card\n")
    return made


@pytest.fixture
def signed(folder: Path, keys: Keys, capsys) -> Path:
    assert run(["sign", str(folder), "--key", str(keys.private)]) == 0
    capsys.readouterr()
    return folder


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "x.png"
    Image.new("L", (96, 96), 90).save(path)
    return str(path)


def test_sign_and_verify(folder: Path, keys: Keys, capsys) -> None:
    assert run(["sign", str(folder), "--key", str(keys.private), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["key_sha256"] == keys.fingerprint
    names = ["README.md", "float32.tflite", "int8.tflite", "manifest.json"]
    assert made["files"] == names  # the card is recorded, so that it is signed
    assert run(["verify", str(folder), "--key", str(keys.public), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == names
    assert run(["verify", str(folder), "--key", str(keys.public)]) == 0
    assert f"all 4 files are as they were signed with the key {keys.public.name}" in (
        capsys.readouterr().out
    )


def test_a_forgery_is_exit_5(signed: Path, keys: Keys, capsys) -> None:
    assert run(["verify", str(signed), "--key", str(keys.other)]) == 5
    (signed / "more.txt").write_text("")
    assert run(["verify", str(signed), "--key", str(keys.public)]) == 5
    assert capsys.readouterr().err.count("\n") == 2


def test_signing_anew_is_asked_for(signed: Path, keys: Keys, monkeypatch) -> None:
    again = ["sign", str(signed), "--key", str(keys.locked)]
    assert run(again) == 1
    assert run([*again, "--force"]) == 2  # its password is not known yet
    assert run(["verify", str(signed), "--key", str(keys.public)]) == 0
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    (signed / "README.md").write_text("# Another card\n")
    assert run([*again, "--force"]) == 0
    assert run(["verify", str(signed), "--key", str(keys.public)]) == 0
    assert Bundle.open(signed).document("card") == b"# Another card\n"


@pytest.mark.parametrize("by", ["option", "environment"])
def test_with_a_key_every_command_verifies(
    by: str, signed: Path, keys: Keys, image: str, capsys, monkeypatch
) -> None:
    def asked(key: Path) -> int:
        if by == "environment":
            monkeypatch.setenv(KEY_VARIABLE, str(key))
        before = ["--verify-key", str(key)] if by == "option" else []
        return run([*before, "classify", image, "--model", str(signed)])

    assert asked(keys.public) == 0
    assert asked(keys.other) == 5
    (signed / SIGNATURE).unlink()
    assert asked(keys.public) == 5
    assert "found no model.sig" in capsys.readouterr().err


def test_what_would_change_a_signed_bundle_says_so_first(signed: Path, capsys) -> None:
    for command in (
        ["calibrate", str(signed), "--data", "nowhere"],
        ["evaluate", str(signed), "--data", "nowhere", "--record"],
        ["card", str(signed)],
    ):
        assert run(command) == 1
        assert "would break its signature" in capsys.readouterr().err


def test_flash_says_whose_model_it_writes(signed: Path, keys: Keys, capsys) -> None:
    flash = ["flash", "--board", "microbit", "--model", str(signed), "--dry-run", "--json"]
    assert run(["--verify-key", str(keys.public), *flash]) == 0
    said = capsys.readouterr()
    assert f"The bundle is signed with the key {keys.public.name}" in said.err
    assert json.loads(said.out)["signer_sha256"] == keys.fingerprint


def test_a_card_is_put_in_and_recorded(folder: Path, tmp_path: Path, capsys) -> None:
    text = tmp_path / "draft.md"
    text.write_text("# Mine\n")
    assert run(["card", str(folder), str(text)]) == 0
    assert Bundle.open(folder).document("card") == b"# Mine\n"
    (folder / "README.md").write_text("# Changed\n")
    assert run(["boards", str(folder)]) == 1
    assert "record it anew with `edgecxr card`" in capsys.readouterr().err
    assert run(["card", str(folder), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["recorded"]) == {"README.md"}
    assert Bundle.open(folder).document("card") == b"# Changed\n"


def test_a_card_that_is_no_text_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe")
    assert run(["card", str(folder), str(tmp_path / "x")]) == 2
    assert run(["card", str(folder), str(tmp_path)]) == 2
    assert (folder / "README.md").read_text() == "# Card\n"
