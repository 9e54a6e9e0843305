# SPDX-License-Identifier: Apache-2.0
"""The programs that firmware is built and run with: where they are, and how to get them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecxr.errors import FlashError, MissingPackageError

TOOL_SECONDS = 600


@dataclass(frozen=True)
class Tool:
    """A program, the oldest version that is known to work, and where it comes from.

    Attributes:
        ask: the arguments that make it say its version.
    """

    command: str
    oldest: tuple[int, ...]
    how_to_get: str
    ask: tuple[str, ...] = ("--version",)


ARM_GCC = Tool(
    "arm-none-eabi-gcc",
    (10,),
    "on Debian and Ubuntu `apt install gcc-arm-none-eabi libnewlib-arm-none-eabi`, elsewhere from "
    "developer.arm.com",
)
CORES: dict[str, tuple[str, ...]] = {
    "Cortex-M0": ("-mcpu=cortex-m0",),
    "Cortex-M4F": ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
    "Cortex-M55": ("-mcpu=cortex-m55", "-mfloat-abi=hard"),
}
"""A core as ``boards.toml`` names it, and the flags that choose it."""
HOST_CC = Tool("cc", (), "install gcc or clang")
QEMU = Tool(
    "qemu-system-arm",
    (7, 0),
    "on Debian and Ubuntu `apt install qemu-system-arm`, elsewhere from qemu.org",
)
# 1.1 brought `upload --upload-property`, 1.3 libraries from a folder in a sketch's profile.
ARDUINO_CLI = Tool(
    "arduino-cli",
    (1, 3),
    "get it from arduino.github.io/arduino-cli, for example with `brew install arduino-cli` or "
    "the install script there",
    ask=("version",),
)
WEST = Tool(
    "west",
    (1, 0),
    "`pip install west`, then set up a Zephyr workspace as docs.zephyrproject.org says under "
    "Getting Started",
)


def find(tool: Tool) -> str:
    """The tool's path, after a look at its version.

    Raises:
        MissingPackageError: if it is not there or too old; the message says how to get it.
    """
    path = shutil.which(tool.command)
    if path is None:
        wanted = f" {_dotted(tool.oldest)} or newer" if tool.oldest else ""
        raise MissingPackageError(f"{tool.command}{wanted} was not found; {tool.how_to_get}")
    if tool.oldest:
        found = version(path, tool.ask)
        if found < tool.oldest:
            raise MissingPackageError(
                f"{path} is version {_dotted(found)}, expected {_dotted(tool.oldest)} or newer; "
                f"{tool.how_to_get}"
            )
    return path


def version(path: str, ask: Sequence[str] = ("--version",)) -> tuple[int, ...]:
    """What ``path --version`` says, as numbers: (12, 2, 1)."""
    done = run([path, *ask])
    # A packager's note in brackets may hold a version of its own.
    line = re.sub(r"\([^)]*\)", "", done.stdout.partition("\n")[0])
    match = re.search(r"\d+(?:\.\d+)+", line)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers)) or "unknown"


def run(
    command: Sequence[str | Path], folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end and keep what it says; the caller looks at the return code.

    Raises:
        FlashError: if it has not ended after ``TOOL_SECONDS``.
    """
    words = [str(part) for part in command]
    try:
        return subprocess.run(
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            # A tool may print bytes that are no text, such as what a board said.
            errors="replace",
            timeout=TOOL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FlashError(
            f"{words[0]} did not end within {TOOL_SECONDS} s; run `{shlex.join(words)}` by hand to "
            "see why"
        ) from error


def first_error(said: str) -> str:
    """The line of a tool's output that says what is wrong, at most 300 characters."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [
        line
        for line in lines
        if re.search("error|undefined|fatal|denied|no device", line, re.IGNORECASE)
    ]
    return (errors or lines or ["it said nothing"])[0][:300]
