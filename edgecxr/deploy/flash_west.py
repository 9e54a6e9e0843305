# SPDX-License-Identifier: Apache-2.0
"""Firmware written by ``west flash``, with the runner that Zephyr chose for the board."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from edgecxr.core.board import Board
from edgecxr.core.ports import usb_id
from edgecxr.deploy import toolchain
from edgecxr.deploy.build import Image
from edgecxr.deploy.build_zephyr import find_workspace
from edgecxr.deploy.flash_way import Progress, Target, Wish, find_port
from edgecxr.errors import FlashError


@dataclass(frozen=True)
class West:
    """Boards with Zephyr that pyOCD does not write."""

    board: Board
    wish: Wish

    def check(self) -> None:
        toolchain.find(toolchain.WEST)

    def find(self) -> Target:
        port = find_port(self.board, self.wish)
        like_it = [each for each in self.wish.computer.ports() if usb_id(self.board, each)]
        # West takes the only probe. The runner is asked for one by number only where it must.
        probe = port.serial_number if len(like_it) > 1 else None
        return Target(port.device, usb=port, probe=probe)

    def steps(self, image: Image, target: Target | None) -> list[str]:
        return [shlex.join(_command(image, target))]

    def write(self, image: Image, target: Target, progress: Progress) -> str:
        # `west flash` is one of Zephyr's own commands: it exists in a workspace only.
        workspace = find_workspace(toolchain.find(toolchain.WEST))
        done = toolchain.run(_command(image, target), workspace)
        if done.returncode != 0:
            raise FlashError(
                f"west could not write {self.board.name}: "
                f"{toolchain.first_error(done.stdout + done.stderr)}; run "
                f"`{shlex.join(_command(image, target))}` by hand to see all of it"
            )
        progress(1.0)
        return target.port


def _command(image: Image, target: Target | None) -> list[str]:
    command = [toolchain.WEST.command, "flash", "--build-dir", str(image.build_folder)]
    return [*command, "--dev-id", target.probe] if target and target.probe else command
