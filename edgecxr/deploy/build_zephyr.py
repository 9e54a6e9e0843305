# SPDX-License-Identifier: Apache-2.0
"""An exported Zephyr module → an image, by west in the user's Zephyr workspace."""

from __future__ import annotations

import os
import re
from pathlib import Path

from edgecxr.core.board import Board
from edgecxr.deploy import mcuboot, toolchain
from edgecxr.deploy.built import Built, too_big
from edgecxr.errors import FlashError, MissingPackageError

SAMPLE = Path("samples") / "classify"
_UNITS = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}


def build_zephyr(
    board: Board, module: Path, place: Path, model: str, signing_key: Path | None = None
) -> Built:
    """Compile and link the module's sample.

    Args:
        module: the folder that ``edgecxr export --format zephyr`` has written.
        place: where the image goes.
        model: what it is, in words.
        signing_key: of MCUboot, which the image is then made for; absolute.

    Raises:
        MissingPackageError: if west or a Zephyr workspace is missing.
        FlashError: if it does not build, does not fit (the message says by how much), or is not
            signed as it should be.
    """
    command = toolchain.find(toolchain.WEST)
    workspace = find_workspace(command)
    sample, folder = (module / SAMPLE).resolve(), (place / "build").resolve()
    options = ("--pristine", "always", "--board", board.build_target, "--build-dir", folder)
    signing = mcuboot.options(signing_key) if signing_key else []
    done = toolchain.run([command, "build", *options, sample, *signing], workspace)
    said = f"{done.stdout}\n{done.stderr}"
    if done.returncode != 0:
        raise FlashError(_why(said, board, model))
    made = folder / "zephyr"
    if signing_key is None:
        return Built(made / "zephyr.elf", folder, used(said, "FLASH"), used(said, "RAM"))
    for name in (mcuboot.HEX, mcuboot.BINARY):
        mcuboot.check_image(made / name, signing_key)
    size = (made / mcuboot.BINARY).stat().st_size
    return Built(made / mcuboot.HEX, folder, size, used(said, "RAM"))


def find_workspace(west: str) -> Path:
    """The Zephyr workspace around the current folder, or around ``ZEPHYR_BASE``.

    Raises:
        MissingPackageError: if there is none; the message says how to get one.
    """
    base = os.environ.get("ZEPHYR_BASE")
    for folder in (Path.cwd(), *([Path(base)] if base else [])):
        done = toolchain.run([west, "topdir"], folder) if folder.is_dir() else None
        if done is not None and done.returncode == 0:
            return Path(done.stdout.strip())
    raise MissingPackageError(
        "no Zephyr workspace was found around the current folder or ZEPHYR_BASE; make one with "
        "`edgecxr export MODEL --format zephyr --out W/edgecxr`, `west init -l W/edgecxr` and "
        "`west update` in W, then run this again there"
    )


def used(said: str, region: str) -> int | None:
    """The bytes of a memory region in the table that the linker prints; None if it is not there."""
    match = re.search(rf"^\s*{region}:\s+(\d+) ([KMG]?B)\s", said, re.MULTILINE)
    return int(match[1]) * _UNITS[match[2]] if match else None


def _why(said: str, board: Board, model: str) -> str:
    for region, what, size in (
        ("FLASH", "flash", board.flash_bytes),
        ("RAM", "RAM", board.ram_bytes),
    ):
        if match := re.search(rf"region `{region}' overflowed by (\d+) bytes", said):
            return too_big(board, model, what, int(match[1]), size)
    return f"west could not build the firmware: {toolchain.first_error(said)}"
