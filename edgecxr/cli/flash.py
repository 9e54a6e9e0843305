# SPDX-License-Identifier: Apache-2.0
"""``edgecxr flash``: firmware of a bundle onto a real board, and a look at what runs there then."""

from __future__ import annotations

import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecxr.cli import common, complete
from edgecxr.core.text import NOTICE, one_line

if TYPE_CHECKING:
    from edgecxr.bench.protocol import DeviceInfo
    from edgecxr.bench.transport import SerialTransport
    from edgecxr.core.board import Board
    from edgecxr.core.bundle import Bundle
    from edgecxr.deploy.build import Image
    from edgecxr.deploy.flash_way import Target, Way

_OPEN_S = 5.0
"""Programs that look at new ports, such as ModemManager, keep one for seconds."""
_POLL_S = 0.25


def flash(
    board: Annotated[
        str,
        typer.Option(help="A board; see `edgecxr boards`.", autocompletion=complete.board),
    ],
    model: Annotated[Path, typer.Option(metavar="BUNDLE", help="A bundle folder.")] = Path(
        "models/cxr3"
    ),
    precision: Annotated[
        common.PrecisionName | None,
        typer.Option(help="Which of its models; int8 if there is one.", show_default=False),
    ] = None,
    runtime: Annotated[
        common.RuntimeName, typer.Option(help="What runs the model on the board.")
    ] = common.RuntimeName.compiled,
    port: Annotated[
        str | None,
        typer.Option(
            envvar="EDGECXR_PORT",
            help="The board's serial port (default: the only one that fits).",
            show_default=False,
        ),
    ] = None,
    probe: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="The board's debug probe, by a part of its id, where pyOCD writes.",
            show_default=False,
        ),
    ] = None,
    signing_key: Annotated[
        Path | None,
        typer.Option(
            metavar="KEY.pem",
            help="MCUboot's private key: the image is signed with it, for a Zephyr board that "
            "MCUboot starts.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Keep the firmware in this new folder (default: a temporary one).",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Build, see whether it fits, print the commands; touch no board."
        ),
    ] = False,
    as_json: common.JsonOption = False,
) -> None:
    """Build the firmware of a bundle, write it to a board, and read back what runs there.

    Nothing is written unless the firmware fits this very board. Afterwards the board is asked for
    the SHA-256 of its model; another one is exit code 5, a failed writing 4, no board or several 3.
    """
    from edgecxr.core.board import find_board
    from edgecxr.core.bundle import Bundle
    from edgecxr.deploy.bootloader import Computer
    from edgecxr.deploy.build import build
    from edgecxr.deploy.flash import check_fits, way_of
    from edgecxr.deploy.flash_way import Wish
    from edgecxr.errors import OutputError

    chosen = find_board(board)
    way = way_of(chosen, Wish(port, probe, Computer()))
    if out is not None and out.exists():
        raise OutputError(f"{out} is there already, expected a new folder for --out; name another")
    bundle = Bundle.open(model)
    kind = precision.value if precision else bundle.default
    name = f"{bundle.manifest.name} in {bundle.path(kind).stem}"
    target, why_not = _target(way, chosen, dry_run)
    with nullcontext(out) if out else tempfile.TemporaryDirectory(prefix="edgecxr-") as folder:
        common.note(f"Building {name} for {chosen.name} …")
        common.note(f"The bundle is {bundle.maker}.")
        image = build(
            bundle,
            board,
            precision=kind,
            runtime=runtime.value,
            folder=Path(folder),
            signing_key=signing_key,
        )
        check_fits(chosen, image, name)
        report = _report(chosen, bundle, image, way.steps(image, target), target)
        if not as_json:
            _print_plan(report)
        if not dry_run:
            # The build took its time: the board may have gone, or be in its bootloader by now.
            answering = _written(way, image, way.find())
            report |= _read_back(answering, image, name)
    if as_json:
        common.print_json(report | {"dry_run": dry_run, "not_ready": why_not})
    elif dry_run:
        keep = "" if out else "; with --out FOLDER the firmware stays for these commands"
        common.say(f"Dry run: no board was touched{keep}.")
    else:
        common.say(
            f"{report['port']} runs {name}, SHA-256 {image.model_sha256[:12]}…, as it should.\n"
            f"Next: edgecxr bench {one_line(str(model))} --device {report['port']} "
            f"--data YOUR_IMAGES\n{NOTICE}"
        )


def _target(way: Way, board: Board, dry_run: bool) -> tuple[Target | None, str | None]:
    """The attached board; a dry run goes on without one, or without pyOCD, and says why."""
    from edgecxr.errors import DeviceError, MissingPackageError

    try:
        way.check()
        return way.find(), None
    except (DeviceError, MissingPackageError) as error:
        # The other tools build too: without them there is nothing to show.
        needed = isinstance(error, MissingPackageError) and board.flasher != "pyocd"
        if needed or not dry_run:
            raise
        common.note(f"Not ready to be written: {error}")
        return None, str(error)


def _report(
    board: Board, bundle: Bundle, image: Image, steps: list[str], target: Target | None
) -> dict[str, Any]:
    return {
        "board": board.id,
        "model": bundle.manifest.name,
        "signed": bundle.signed,
        "mcuboot": image.slot_bytes is not None,
        "signer_sha256": bundle.signer.fingerprint if bundle.signer else None,
        "precision": image.precision,
        "runtime": image.runtime,
        "model_sha256": image.model_sha256,
        "flash_bytes": image.flash_bytes,
        "flash_available_bytes": image.slot_bytes or board.flash_bytes,
        "ram_bytes": image.ram_bytes,
        "ram_available_bytes": board.ram_bytes,
        "port": target.port if target else None,
        "probe": target.probe if target else None,
        "steps": steps,
        "verified": None,
        "info": None,
    }


def _print_plan(report: dict[str, Any]) -> None:
    for what, key in (("flash", "flash"), ("RAM", "ram")):
        needed, available = report[f"{key}_bytes"], report[f"{key}_available_bytes"]
        spare = f"{available - needed:,} spare"
        common.say(f"{what:<6}{needed:>9,} of {available:>9,} bytes, {spare}")
    common.say("\n".join(map(one_line, report["steps"])))


def _written(way: Way, image: Image, target: Target) -> str:
    """Write the image with a progress bar; gives the port where the board answers."""
    done = 0
    with common.progress_bar(f"Writing to {target.port}", 100) as advance:

        def progress(share: float) -> None:
            nonlocal done
            percent = round(100 * share)
            advance(max(percent - done, 0))
            done = max(percent, done)

        return way.write(image, target, progress)


def _read_back(port: str, image: Image, name: str) -> dict[str, Any]:
    """Ask the board what it runs now.

    Raises:
        DeviceError: if it does not answer.
        VerificationError: if its model is not the one that was written.
    """
    from edgecxr.bench.device import Device
    from edgecxr.errors import VerificationError

    common.note(f"Asking {port} what it runs …")
    line = _opened(port)
    try:
        info: DeviceInfo = Device(line).info
    finally:
        line.close()
    if info.sha256 != image.model_sha256:
        raise VerificationError(
            f"{name} was written, but {port} runs {info.model!r}: expected SHA-256 "
            f"{image.model_sha256[:12]}…, found {info.sha256[:12]}…; see whether {port} is the "
            "board that was written, press its RESET button, and flash it again"
        )
    return {"port": port, "verified": True, "info": info.model_dump(mode="json")}


def _opened(port: str) -> SerialTransport:
    from edgecxr.bench.transport import SerialTransport
    from edgecxr.errors import DeviceError

    end = time.monotonic() + _OPEN_S
    while True:
        try:
            return SerialTransport(port)
        except DeviceError:
            if time.monotonic() >= end:
                raise
            time.sleep(_POLL_S)
