# SPDX-License-Identifier: Apache-2.0
"""Firmware written by ``arduino-cli upload``.

Where the board's bootloader is a serial port of its own, arduino-cli would do the 1200-baud touch
itself. It tells ports apart by their names only and takes the first new one, so a second board can
be hit, and when none comes it goes on with the old one. So the touch is done here
(:mod:`edgecxr.deploy.bootloader`), and switched off there: there is exactly one.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from edgecxr.core.board import Board
from edgecxr.deploy import toolchain
from edgecxr.deploy.bootloader import await_application, enter_bootloader, role
from edgecxr.deploy.build import Image
from edgecxr.deploy.flash_way import Progress, Target, Wish, find_port
from edgecxr.errors import DeviceError, FlashError

_NO_TOUCH = ("upload.use_1200bps_touch=false", "upload.wait_for_upload_port=false")
_ANY_PORT = "PORT"


@dataclass(frozen=True)
class Arduino:
    """Boards with an Arduino core."""

    board: Board
    wish: Wish

    def check(self) -> None:
        toolchain.find(toolchain.ARDUINO_CLI)

    def find(self) -> Target:
        port = find_port(self.board, self.wish)
        return Target(port.device, usb=port)

    def steps(self, image: Image, target: Target | None) -> list[str]:
        port = target.port if target else _ANY_PORT
        steps = []
        in_bootloader = target and target.usb and role(self.board, target.usb) == "bootloader"
        if self.board.serial_bootloader and not in_bootloader:
            ids = ", ".join(str(each) for each in self.board.usb if each.role == "bootloader")
            steps.append(f"# touch {port} at 1200 baud; the bootloader ({ids}) comes as a new port")
            port = "BOOTLOADER_PORT"
        return [*steps, shlex.join(_command(self.board, image, port))]

    def write(self, image: Image, target: Target, progress: Progress) -> str:
        if target.usb is None:
            raise DeviceError(f"expected a USB device behind {target.port}, found none")
        computer = self.wish.computer
        port = target.usb
        if self.board.serial_bootloader:
            port = enter_bootloader(self.board, port, computer)
        others = set(computer.ports()) - {port, target.usb}
        done = toolchain.run(_command(self.board, image, port.device))
        if done.returncode != 0:
            tap = (
                "press its RESET button twice, quickly, and "
                if self.board.serial_bootloader
                else ""
            )
            raise FlashError(
                f"arduino-cli could not write {self.board.name} on {port.device}: "
                f"{toolchain.first_error(done.stdout + done.stderr)}; {tap}run the same "
                "command again"
            )
        progress(1.0)
        if role(self.board, target.usb) is None:  # a USB-to-serial chip, which stays
            return target.port
        return await_application(self.board, target.usb, others, computer).device


def _command(board: Board, image: Image, port: str) -> list[str]:
    # By its profile, and not by its name only: a profile's platform lies in a place of its own.
    command = [toolchain.ARDUINO_CLI.command, "upload", str(image.sketch), "--profile", board.id]
    command += ["--port", port, "--input-dir", str(image.build_folder)]
    if board.serial_bootloader:
        command += [word for each in _NO_TOUCH for word in ("--upload-property", each)]
    return command
