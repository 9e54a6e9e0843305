# SPDX-License-Identifier: Apache-2.0
"""The formats that ``edgecxr export`` writes.

To add one: write a module with a ``render(source, settings) -> Export`` function, and one entry in
FORMATS whose function imports it. The command line and its help read this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecxr.core.files import new_folder, write_atomic
from edgecxr.errors import OutputError

if TYPE_CHECKING:
    from edgecxr.export.demo import DemoImage
    from edgecxr.export.source import Source

DEFAULT_NAMESPACE = "edgecxr_model"


@dataclass(frozen=True)
class Settings:
    """What the user can choose.

    Attributes:
        arena: TFLM's arena in bytes; None means that it is measured.
        namespace: of the generated C++, prefix of the generated C's names, so that two models can
            live in one image.
        demo: images to build into firmware, each of the model's height and width.
    """

    arena: int | None = None
    namespace: str = DEFAULT_NAMESPACE
    demo: tuple[DemoImage, ...] = ()


@dataclass(frozen=True)
class Export:
    """What a format gives: files by name, and what there is to say about them.

    Attributes:
        files: file name → content.
        facts: JSON values, merged into the report of ``export --json``.
        lines: the same for a person, (what, value).
        next_step: what to do with the files, one sentence.
    """

    files: Mapping[str, str | bytes]
    facts: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[tuple[str, str], ...] = ()
    next_step: str = ""


@dataclass(frozen=True)
class Format:
    """A format's help text, and what renders it (pure: the same source gives the same bytes)."""

    help: str
    render: Callable[[Source, Settings], Export]


def _tflm(source: Source, settings: Settings) -> Export:
    from edgecxr.export.tflm import render

    return render(source, settings)


def _c(source: Source, settings: Settings) -> Export:
    from edgecxr.export.compiled.render import render

    return render(source, settings)


def _firmware(source: Source, settings: Settings) -> Export:
    from edgecxr.export.compiled.firmware import render

    return render(source, settings)


FORMATS: dict[str, Format] = {
    "c": Format("plain C for exactly this model, without an interpreter", _c),
    "firmware": Format("the same with the whole firmware but a board's port", _firmware),
    "tflm": Format("C++ arrays, op resolver and arena size for TensorFlow Lite Micro", _tflm),
}


def write_export(export: Export, folder: Path, *, force: bool = False) -> None:
    """Write all files into a new ``folder``, or none.

    Raises:
        OutputError: if ``folder`` exists and ``force`` is false, or holds anything that this
            export would not write: replacing it would lose that.
    """
    if force and folder.exists():
        _refuse_strangers(folder, set(export.files))
    with new_folder(folder, force=force) as temporary:
        for name, content in export.files.items():
            write_atomic(temporary / name, content)


def _refuse_strangers(folder: Path, ours: set[str]) -> None:
    if not folder.is_dir():
        raise OutputError(f"{folder} is a file, expected a folder; choose another --out")
    stranger = next((p.name for p in sorted(folder.iterdir()) if p.name not in ours), None)
    if stranger is not None:
        raise OutputError(
            f"{folder} holds {stranger}, which this export does not write, and --force would "
            "remove it; choose an empty folder for --out"
        )
