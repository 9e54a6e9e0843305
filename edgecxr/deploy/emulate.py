# SPDX-License-Identifier: Apache-2.0
"""A board in QEMU, running the very image that the real board runs."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from edgecxr.core.board import find_board
from edgecxr.core.process import die_with_parent, how_it_ended
from edgecxr.deploy import toolchain
from edgecxr.deploy.build import HOST, Image
from edgecxr.errors import DeviceError, UsageError

# One instruction takes 64 ns, more than a tick of every board's counter: single ones are told
# apart. The firmware finds the figure out by itself.
ICOUNT = "shift=6"
STOP_SECONDS = 5.0

Waiter = Callable[[], int]


@contextmanager
def emulated(image: Image, *, icount: bool = True) -> Iterator[str]:
    """Run an image; yields the pyserial URL of its line, ``socket://127.0.0.1:PORT``.

    The board starts when the first client connects, so that nothing it says is lost. It ends with
    the block, or with this process. An image for the host runs as a program of its own.

    Args:
        icount: count instructions: the clock is then exact and the same on every machine.

    Raises:
        UsageError: if the board has no emulator.
        MissingPackageError: if QEMU is missing.
        DeviceError: if it ended at once.
    """
    if image.board == HOST:
        with _running([str(image.path), "--socket", "0"], ()) as process:
            yield _first_line(process)
        return
    with socket.socket() as server:
        # QEMU takes over a socket that listens already: no other program can get its port.
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        handle = server.fileno()
        line = f"socket,id=line,fd={handle},server=on,wait=on,nodelay=on"
        with _running(qemu_command(image, line, icount=icount), (handle,)):
            yield f"socket://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def emulated_terminal(image: Image, *, icount: bool = True) -> Iterator[tuple[str, Waiter]]:
    """Run an image on a new pseudo-terminal; yields its path, and what waits for the end.

    What the board says before somebody opens the terminal is lost.
    """
    if image.board == HOST:
        with _running([str(image.path), "--pty"], ()) as process:
            yield _first_line(process), process.wait
        return
    with _running(qemu_command(image, "pty,id=line", icount=icount), ()) as process:
        # "char device redirected to /dev/pts/0 (label line)"
        words = _first_line(process).split()
        yield next((word for word in words if word.startswith("/dev/")), ""), process.wait


def qemu_command(image: Image, line: str, *, icount: bool) -> list[str]:
    """The command that runs an image, with its serial line on the chardev ``line``."""
    machine = find_board(image.board).emulator
    if machine is None:
        raise UsageError(
            f"{image.board} has no emulator; `edgecxr boards` shows the boards that have one"
        )
    command = [toolchain.find(toolchain.QEMU), "-M", machine, "-kernel", str(image.path)]
    command += ["-display", "none", "-monitor", "none"]
    command += ["-chardev", line, "-serial", "chardev:line"]
    return [*command, "-icount", ICOUNT] if icount else command


@contextmanager
def _running(command: list[str], handles: Sequence[int]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        pass_fds=tuple(handles),
        # A board that outlives its user would hold a core of this computer for ever.
        preexec_fn=die_with_parent,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _first_line(process: subprocess.Popen[str]) -> str:
    output: IO[str] | None = process.stdout
    line = output.readline().strip() if output is not None else ""
    if not line:
        raise DeviceError(
            f"{process.args!r} said nothing and {how_it_ended(process.wait(STOP_SECONDS))}; "
            "run it by hand to see why"
        )
    return line
