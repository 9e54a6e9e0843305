# SPDX-License-Identifier: Apache-2.0
"""The real firmware at the end of a :class:`~tests.bench.simulated.FaultyLine`, in virtual time."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from edgecxr.bench.compiled import c_compiler
from edgecxr.core.process import export_model

PORT = Path(__file__).with_name("virtual_port.c")
FOREVER_MS = 0xFFFFFFFF


def build(bundle: Path, folder: Path, *, keep_image: bool, flags: Sequence[str] = ()) -> Path:
    """The firmware of a bundle's int8 model, as a program of this computer.

    Args:
        keep_image: False as on a board whose memory does not hold one.
        flags: more of them for the compiler.
    """
    sources = folder / "src"
    export_model(bundle, sources, "--format", "firmware", "--namespace", "model")
    program = folder / "firmware"
    files = [*map(str, sorted(sources.glob("*.c"))), str(PORT)]
    all_flags = (
        "-std=c99",
        "-O2",
        "-Wall",
        "-Wextra",
        "-Werror",
        f"-DECX_KEEP_IMAGE={int(keep_image)}",
        *flags,
    )
    command = [c_compiler(), *all_flags, f"-I{sources}", *files, "-lm", "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


class Firmware:
    """One run of the program. It is asked, and answers; nothing happens in between."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        self._timeout_s = 0.0
        self._since = 0.0
        self._boot = self._answer()

    def __enter__(self) -> Firmware:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._to.close()
        try:
            self._process.wait(10)
        finally:
            self._process.kill()
            self._process.wait()
            self._from.close()
        assert self._process.returncode == 0

    def feed(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        before = self.tick(now)
        self._since = now
        self._to.write(b"D" + struct.pack("=I", len(data)) + data)
        return [*before, (0.0, self._answer())]

    def tick(self, now: float) -> list[tuple[float, bytes]]:
        if self._boot:
            boot, self._boot = self._boot, b""
            return [(0.0, boot)]
        if now - self._since < self._timeout_s:
            return []
        self._since = now
        self._to.write(b"T")
        return [(0.0, self._answer())]

    def _answer(self) -> bytes:
        self._to.flush()
        said = b""
        while True:
            kind, number = struct.unpack("=cI", self._from.read(5))
            if kind == b"W":
                self._timeout_s = float("inf") if number == FOREVER_MS else number / 1000
                return said
            said += self._from.read(number)
