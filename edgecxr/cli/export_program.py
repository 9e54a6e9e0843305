# SPDX-License-Identifier: Apache-2.0
"""``edgecxr export`` of a format that is one program: compiled if need be, and made executable."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from edgecxr.core.files import write_atomic
from edgecxr.export.formats import Export, write_export


def finished(export: Export, machine: str | None, out: Path) -> Export:
    """The program alone, under the name that the user gave.

    Args:
        export: the program, or the sources of it.
        machine: what to compile for; None is this computer.

    Raises:
        MissingPackageError: if there is no compiler for the machine.
        FlashError: if it cannot be built.
    """
    from edgecxr.deploy.build_eim import build_eim, this_machine
    from edgecxr.export.eim import PROGRAM

    next_step = f"run it by hand, `{out} --self-check`, then give it to an SDK or to `edgecxr run`"
    if PROGRAM in export.files:
        return replace(export, files={out.name: export.files[PROGRAM]}, next_step=next_step)
    with tempfile.TemporaryDirectory(prefix="edgecxr-eim-") as folder:
        sources = Path(folder) / "src"
        write_export(export, sources)
        program = build_eim(sources, machine or this_machine())
    how = "no library" if program.static else "the C library"
    return Export(
        {out.name: program.data},
        {**export.facts, "machine": program.machine, "static": program.static},
        (*export.lines, ("machine", f"Linux on {program.machine}; it needs {how} of the system")),
        next_step,
    )


def write_program(export: Export, out: Path) -> None:
    """Write the one file, and let everybody run it.

    Raises:
        OutputError: if it cannot be written.
    """
    (content,) = export.files.values()
    write_atomic(out, content)
    out.chmod(0o755)
