# SPDX-License-Identifier: Apache-2.0
"""Images for a board whose bootloader, MCUboot, starts only what its owner has signed."""

from __future__ import annotations

import sys
from pathlib import Path

from edgecxr.core.board import Board, boards
from edgecxr.deploy import toolchain
from edgecxr.errors import FlashError, UsageError
from edgecxr.optional import require

HEX = "zephyr.signed.hex"
BINARY = "zephyr.signed.bin"
"""What Zephyr's build calls the signed image, for a programmer and as it lies in the slot."""


def check_key(board: Board, key: Path) -> Path:
    """The key's absolute path, once it is clear that it can be used.

    Raises:
        UsageError: if the board has no MCUboot, or there is no such key.
        MissingPackageError: if imgtool is not installed.
    """
    if board.mcuboot_slot_bytes is None:
        known = ", ".join(each.id for each in boards().values() if each.mcuboot_slot_bytes)
        raise UsageError(
            f"--signing-key is for boards that MCUboot can start, expected one of {known}, found "
            f"{board.id}; leave it out"
        )
    # It goes into a line of Zephyr's configuration, between quotes.
    if not key.is_file() or set(str(key)) & set('"\\\n'):
        raise UsageError(
            f"expected MCUboot's private key in PEM at {key}, in a path without quotes, found "
            "none; make one with `imgtool keygen --type ecdsa-p256 --key KEY.pem`"
        )
    require("imgtool", extra="sign")
    return key.resolve()


def options(key: Path) -> list[str]:
    """What `west build` gets after `--`: Zephyr then runs imgtool on the image that it links."""
    return [
        "--",
        "-DCONFIG_BOOTLOADER_MCUBOOT=y",
        f'-DCONFIG_MCUBOOT_SIGNATURE_KEY_FILE="{key}"',
    ]


def check_image(image: Path, key: Path) -> None:
    """Verify an image with imgtool.

    Raises:
        FlashError: if it is not there, or not signed with the key.
    """
    verify = [sys.executable, "-m", "imgtool.main", "verify", "--key", str(key), str(image)]
    done = toolchain.run(verify) if image.is_file() else None
    if done is None or done.returncode != 0:
        why = toolchain.first_error(done.stdout + done.stderr) if done else "it is not there"
        raise FlashError(
            f"expected {image} to be signed with {key}, found that it is not ({why}); see whether "
            "the Zephyr workspace has the project mcuboot, and whether the key is right"
        )
