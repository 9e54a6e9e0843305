# SPDX-License-Identifier: Apache-2.0
"""Images for MCUboot, signed and verified by the real imgtool.

There is no Zephyr workspace here: a stand-in for west takes the arguments that the real one takes,
and runs imgtool as Zephyr's cmake/mcuboot.cmake does, on a file in place of the linked firmware.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgecxr.cli.main import run
from edgecxr.core.board import boards, find_board
from edgecxr.core.bundle import Bundle
from edgecxr.deploy.build import build
from edgecxr.deploy.build_zephyr import build_zephyr
from edgecxr.deploy.flash import check_fits
from edgecxr.deploy.mcuboot import check_image, check_key, options
from edgecxr.errors import FlashError, UsageError
from tests.bundles import write_bundle
from tests.keys import Keys

DK = find_board("nrf52840dk")
IMGTOOL = [sys.executable, "-m", "imgtool.main"]
WEST = """#!{python}
import json, subprocess, sys
from pathlib import Path
from intelhex import IntelHex
words = sys.argv[1:]
Path({record!r}).write_text(json.dumps(words))
if words == ["--version"]:
    print("West version: v1.5.0")
elif words == ["topdir"]:
    print({record!r} + ".top")
else:
    made = Path(words[words.index("--build-dir") + 1]) / "zephyr"
    made.mkdir(parents=True)
    (made / "zephyr.elf").touch()
    firmware = IntelHex()
    firmware.frombytes(bytes(range(256)) * {blocks}, 0xC200)
    firmware.write_hex_file(str(made / "zephyr.hex"))
    firmware.tobinfile(str(made / "zephyr.bin"))
    key = [w.split("=", 1)[1].strip('"') for w in words if "SIGNATURE_KEY_FILE" in w]
    if key and {signs}:
        sign = [sys.executable, "-m", "imgtool.main", "sign", "--version", "0.0.0+0"]
        sign += ["--header-size", "0x200", "--pad-header", "--slot-size", "0x75000", "--align", "4"]
        for end in ("bin", "hex"):
            out = made / ("zephyr.signed." + end)
            subprocess.run([*sign, "--key", key[0], made / ("zephyr." + end), out], check=True)
    print("           FLASH:      263760 B         1 MB     25.15%")
    print("             RAM:       28672 B       256 KB     10.94%")
"""


def west(folder: Path, monkeypatch: pytest.MonkeyPatch, *, signs: bool = True, blocks: int = 64):
    record = folder / "west.json"
    script = WEST.format(python=sys.executable, record=str(record), signs=signs, blocks=blocks)
    (folder / "west").write_text(script)
    (folder / "west").chmod(0o755)
    (folder / "west.json.top").mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return record


def signed(folder: Path, key: Path) -> Path:
    (folder / "x.bin").write_bytes(bytes(range(256)) * 64)
    sign = [*IMGTOOL, "sign", "--key", str(key), "--version", "1.0.0", "--header-size", "0x200"]
    sign += ["--pad-header", "--slot-size", "0x75000", "--align", "4"]
    subprocess.run([*sign, folder / "x.bin", folder / "x.signed.bin"], check=True)
    return folder / "x.signed.bin"


def test_an_image_is_verified_with_its_key(tmp_path: Path, keys: Keys) -> None:
    image = signed(tmp_path, keys.private)
    check_image(image, keys.private)
    data = bytearray(image.read_bytes())
    data[0x300] ^= 1  # of the firmware, behind the header
    image.write_bytes(data)
    with pytest.raises(FlashError, match="found that it is not"):
        check_image(image, keys.private)
    with pytest.raises(FlashError, match="it is not there"):
        check_image(tmp_path / "nothing", keys.private)


def test_an_image_of_another_key_is_refused(tmp_path: Path, keys: Keys) -> None:
    with pytest.raises(FlashError, match="found that it is not"):
        check_image(signed(tmp_path, keys.rsa), keys.private)


def test_only_boards_with_mcuboot_take_a_key(keys: Keys, tmp_path: Path) -> None:
    assert check_key(DK, keys.private) == keys.private.resolve()
    for board in boards().values():
        if board.mcuboot_slot_bytes is None:
            with pytest.raises(UsageError, match="expected one of nrf52840dk"):
                check_key(board, keys.private)
    quoted = tmp_path / 'a"b.pem'
    quoted.write_bytes(keys.private.read_bytes())
    for path in (quoted, tmp_path / "nothing"):
        with pytest.raises(UsageError, match="expected MCUboot's private key"):
            check_key(DK, path)


def test_zephyr_is_told_to_sign_and_its_image_is_verified(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = west(tmp_path, monkeypatch)
    built = build_zephyr(DK, tmp_path / "module", tmp_path / "place", "cxr3", keys.private)
    assert json.loads(record.read_text())[-3:] == options(keys.private)
    assert built.path.name == "zephyr.signed.hex"  # what a programmer writes behind MCUboot
    assert built.flash_bytes == (built.path.with_suffix(".bin")).stat().st_size > 64 * 256
    plain = build_zephyr(DK, tmp_path / "module", tmp_path / "other", "cxr3")
    assert plain.path.name == "zephyr.elf"
    assert "--" not in json.loads(record.read_text())


def test_an_image_that_zephyr_left_unsigned_is_not_written(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    west(tmp_path, monkeypatch, signs=False)
    with pytest.raises(FlashError, match=r"zephyr\.signed\.hex to be signed"):
        build_zephyr(DK, tmp_path / "module", tmp_path / "place", "cxr3", keys.private)


def test_the_slot_bounds_the_image(
    tmp_path: Path, keys: Keys, tiny_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    west(tmp_path, monkeypatch, blocks=1800)  # 460,800 bytes and a header
    bundle = write_bundle(tmp_path / "b", tiny_models)
    image = build(bundle, DK.id, folder=tmp_path / "out", signing_key=keys.private)
    assert image.slot_bytes == DK.mcuboot_slot_bytes == 479_232
    check_fits(DK, image, "b")


def test_flash_says_that_it_signs(
    tmp_path: Path, keys: Keys, tiny_models: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    west(tmp_path, monkeypatch)
    folder = write_bundle(tmp_path / "b", tiny_models).folder
    assert Bundle.open(folder)
    ask = ["flash", "--board", "nrf52840dk", "--model", str(folder), "--dry-run", "--json"]
    assert run([*ask, "--signing-key", str(keys.private)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["mcuboot"]
    assert said["flash_available_bytes"] == 479_232
    assert "zephyr.signed.hex" in said["steps"][0]
    assert run(["flash", "--board", "microbit", "--signing-key", "x", "--dry-run"]) == 2
