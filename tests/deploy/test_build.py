# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgecxr.core.board import find_board
from edgecxr.core.bundle import Bundle
from edgecxr.deploy.build import IMAGE, build
from edgecxr.deploy.build_arduino import build_arduino
from edgecxr.deploy.build_zephyr import build_zephyr, used
from edgecxr.errors import FlashError, MissingPackageError, UsageError
from tests.bundles import write_bundle

CXR3 = Path(__file__).parents[2] / "models" / "cxr3"


@pytest.mark.parametrize(
    ("board", "sentence"),
    [
        ("nano33", r"arduino-cli 1\.3 or newer was not found; get it from"),
        ("nrf52840dk", r"west 1\.0 or newer was not found; `pip install west`"),
    ],
)
def test_a_missing_tool_is_named_before_any_work(
    board: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPackageError, match=sentence):
        build(Bundle.open(CXR3), board, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_bundle_s_name_is_no_path_of_the_build(tiny_models: Path, tmp_path: Path) -> None:
    """Opening a bundle refuses such a name; the build would not use it either."""
    bundle = write_bundle(tmp_path / "b", tiny_models)
    victim = tmp_path / "victim"
    named = bundle.manifest.model_copy(update={"name": str(victim)})
    image = build(replace(bundle, manifest=named), "host", folder=tmp_path / "built")
    assert image.path == tmp_path / "built" / "host-int8" / IMAGE
    assert {path.name for path in tmp_path.iterdir()} == {"b", "built"}


@pytest.mark.parametrize("board", ["host", "stm32f405"])
def test_tflm_is_refused_where_no_platform_brings_it(board: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"expected compiled for {board}"):
        build(Bundle.open(CXR3), board, runtime="tflm", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def tool(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that answers as the tool is documented to; it says nothing about the real one."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_an_arduino_image_that_is_too_big_says_by_how_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = (
        "Sketch uses 300000 bytes (30%) of program storage space. Maximum is 983040 bytes.\\n"
        "Global variables use 262200 bytes (100%) of dynamic memory, leaving -56 bytes for local "
        "variables. Maximum is 262144 bytes."
    )
    script = f"""case $1 in
version) echo arduino-cli Version: 1.3.1;;
*) printf '%s' '{{"compiler_out": "{said}", "error": "data section exceeds"}}'; exit 1;;
esac"""
    tool(tmp_path, "arduino-cli", script, monkeypatch)
    with pytest.raises(FlashError, match="cxr3 needs 56 bytes more RAM than the 262,144 of nano33"):
        build_arduino(find_board("nano33"), tmp_path, tmp_path, "cxr3")


def test_without_a_zephyr_workspace_the_way_to_one_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "case $1 in --version) echo West version: v1.5.0;; *) exit 1;; esac"
    tool(tmp_path, "west", script, monkeypatch)
    monkeypatch.delenv("ZEPHYR_BASE", raising=False)
    with pytest.raises(MissingPackageError, match=r"no Zephyr workspace was found.*west init -l"):
        build_zephyr(find_board("nrf52840dk"), tmp_path, tmp_path, "cxr3")


def test_the_linker_s_table_is_read() -> None:
    said = """Memory region         Used Size  Region Size  %age Used
           FLASH:      263760 B         4 MB      6.29%
             RAM:          28 KB         4 MB      0.69%
"""
    assert (used(said, "FLASH"), used(said, "RAM"), used(said, "CCM")) == (263_760, 28_672, None)
