# SPDX-License-Identifier: Apache-2.0
"""A firmware image → a real board: does it fit, and what writes it."""

from __future__ import annotations

from edgecxr.core.board import Board, boards
from edgecxr.deploy.build import Image
from edgecxr.deploy.built import too_big
from edgecxr.deploy.flash_way import Way, Wish
from edgecxr.errors import FlashError, UsageError


def way_of(board: Board, wish: Wish) -> Way:
    """What writes firmware to a board.

    Raises:
        UsageError: if nothing does, because the board exists in an emulator only.
    """
    if board.flasher == "arduino-cli":
        from edgecxr.deploy.flash_arduino import Arduino

        return Arduino(board, wish)
    if board.flasher == "pyocd":
        from edgecxr.deploy.flash_pyocd import Pyocd

        return Pyocd(board, wish)
    if board.flasher == "west":
        from edgecxr.deploy.flash_west import West

        return West(board, wish)
    real = ", ".join(each.id for each in boards().values() if each.flasher != "none")
    raise UsageError(
        f"{board.id} exists in an emulator only, expected one of {real}; "
        f"`edgecxr emulate --board {board.id}` runs it"
    )


def check_fits(board: Board, image: Image, model: str) -> None:
    """See that an image has room on a board.

    Args:
        model: its name, for the message.

    Raises:
        FlashError: if it is too big, with the bytes that are missing, or if its size is not known.
    """
    for what, needed, size in (
        ("flash", image.flash_bytes, image.slot_bytes or board.flash_bytes),
        ("RAM", image.ram_bytes, board.ram_bytes),
    ):
        if needed is None:
            raise FlashError(
                f"expected the build to say how many bytes of {what} {model} takes on {board.id}, "
                "found nothing; it is not written"
            )
        if needed > size:
            raise FlashError(too_big(board, model, what, needed - size, size))
