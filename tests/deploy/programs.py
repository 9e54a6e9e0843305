# SPDX-License-Identifier: Apache-2.0
"""Programs that are not on every computer: stand-ins that write down how they were called."""

from __future__ import annotations

import json
import sys
from pathlib import Path

_SCRIPT = """#!{python}
import json, sys
from pathlib import Path
answer = {answers!r}.get(" ".join(sys.argv[1:]))
if answer is not None:
    print(answer)
    sys.exit(0)
with Path({record!r}).open("a") as record:
    record.write(json.dumps(sys.argv[1:]) + "\\n")
print({says!r})
sys.exit({code})
"""


class Program:
    """An executable called ``name`` in ``folder``, which should be first on PATH.

    Args:
        answers: what it prints for these arguments, without writing them down.
        says: what it prints for all others, before it ends with ``code``.
    """

    def __init__(
        self, folder: Path, name: str, answers: dict[str, str], *, says: str = "", code: int = 0
    ) -> None:
        self._record = folder / f"{name}.calls"
        path = folder / name
        path.write_text(
            _SCRIPT.format(
                python=sys.executable,
                answers=answers,
                record=str(self._record),
                says=says,
                code=code,
            )
        )
        path.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call, without those that it answers."""
        if not self._record.exists():
            return []
        return [json.loads(line) for line in self._record.read_text().splitlines()]


def arduino_cli(folder: Path, *, says: str = "", code: int = 0) -> Program:
    version = "arduino-cli  Version: 1.5.1 Commit: 5994c5d39 Date: 2026-07-24T16:29:50Z"
    return Program(folder, "arduino-cli", {"version": version}, says=says, code=code)


def west(folder: Path, *, says: str = "", code: int = 0) -> Program:
    answers = {"--version": "West version: v1.5.0", "topdir": str(folder)}
    return Program(folder, "west", answers, says=says, code=code)
