# SPDX-License-Identifier: Apache-2.0
"""``edgecxr emulate``: a board in QEMU, running the image that the real board runs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from edgecxr.cli import common, complete, devices


def emulate(
    board: Annotated[
        str,
        typer.Option(
            help="A board that has an emulator, or host; see `edgecxr boards`.",
            autocompletion=complete.emulated,
        ),
    ],
    model: Annotated[Path, typer.Option(metavar="BUNDLE", help="A bundle folder.")] = Path(
        "models/cxr3"
    ),
    precision: Annotated[
        common.PrecisionName | None,
        typer.Option(help="Which of its models; int8 if there is one.", show_default=False),
    ] = None,
    icount: Annotated[
        bool,
        typer.Option(
            "--icount/--no-icount",
            help="Count instructions: exact, and the same on every computer. Else the clock is "
            "this computer's.",
        ),
    ] = True,
) -> None:
    """Build the firmware of a bundle and run it in QEMU until Ctrl-C.

    Prints the pseudo-terminal to use: as --device of bench and classify, or with any terminal
    program.
    """
    from edgecxr.core.bundle import Bundle
    from edgecxr.deploy.build import build
    from edgecxr.deploy.emulate import emulated_terminal

    devices.check_emulator(board)
    bundle = Bundle.open(model)
    with tempfile.TemporaryDirectory(prefix="edgecxr-") as folder:
        kind = precision.value if precision else bundle.default
        common.note(f"Building {bundle.manifest.name} ({kind}) for {board} …")
        image = build(bundle, board, precision=kind, folder=Path(folder))
        if image.flash_bytes is not None and image.ram_bytes is not None:
            common.note(
                f"{image.flash_bytes:,} bytes of flash, {image.ram_bytes:,} bytes of RAM "
                "before the stack"
            )
        with emulated_terminal(image, icount=icount) as (path, wait):
            common.say(path)
            common.note("Running; Ctrl-C ends it. For research and teaching, not a medical device.")
            wait()
