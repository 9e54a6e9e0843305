# SPDX-License-Identifier: Apache-2.0
"""The formats that ``edgecxr export`` writes.

To add one: write a module with a ``render(source, settings) -> Export`` function, and one entry in
FORMATS whose function imports it. The command line and its help read this table.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgecxr.core.files import new_folder, refuse_existing, write_atomic
from edgecxr.errors import OutputError

if TYPE_CHECKING:
    from edgecxr.export.demo import DemoImage
    from edgecxr.export.source import Source

DEFAULT_NAMESPACE = "edgecxr_model"
Runtime = Literal["compiled", "tflm", "litert"]
ZIP = ".zip"


@dataclass(frozen=True)
class Settings:
    """What the user can choose.

    Attributes:
        arena: TFLM's arena in bytes; None means that it is measured.
        namespace: of the generated C++, prefix of the generated C's names, so that two models can
            live in one image.
        runtime: what runs the model in firmware.
        demo: images to build into firmware, each of the model's height and width.
    """

    arena: int | None = None
    namespace: str = DEFAULT_NAMESPACE
    runtime: Runtime = "compiled"
    demo: tuple[DemoImage, ...] = ()


@dataclass(frozen=True)
class Export:
    """What a format gives: files by name, and what there is to say about them.

    Attributes:
        files: file name → content; a name may hold folders, "src/model.c".
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
    """A format's help text, and what renders it (pure: the same source gives the same bytes).

    Attributes:
        runtimes: what can run the model in it, the default first; empty if there is no choice.
        application: whether the whole firmware is in it, with pictures to show.
        program: whether it is one file to run, not a folder of sources.
    """

    help: str
    render: Callable[[Source, Settings], Export]
    runtimes: tuple[Runtime, ...] = ()
    application: bool = False
    program: bool = False


def _tflm(source: Source, settings: Settings) -> Export:
    from edgecxr.export.tflm import render

    return render(source, settings)


def _c(source: Source, settings: Settings) -> Export:
    from edgecxr.export.compiled.render import render

    return render(source, settings)


def _firmware(source: Source, settings: Settings) -> Export:
    from edgecxr.export.firmware import render

    return render(source, settings)


def _arduino(source: Source, settings: Settings) -> Export:
    from edgecxr.export.platforms import render_arduino

    return render_arduino(source, settings)


def _zephyr(source: Source, settings: Settings) -> Export:
    from edgecxr.export.platforms import render_zephyr

    return render_zephyr(source, settings)


def _eim(source: Source, settings: Settings) -> Export:
    from edgecxr.export.eim import render

    return render(source, settings)


_ON_BOARDS: tuple[Runtime, ...] = ("compiled", "tflm")

FORMATS: dict[str, Format] = {
    "c": Format("plain C for exactly this model, without an interpreter", _c),
    "tflm": Format("C++ arrays, op resolver and arena size for TensorFlow Lite Micro", _tflm),
    "firmware": Format(
        "a runtime with the whole firmware but a board's port", _firmware, _ON_BOARDS, True
    ),
    "arduino": Format(
        "firmware as a library for the Arduino IDE, --out X.zip", _arduino, _ON_BOARDS, True
    ),
    "zephyr": Format("firmware as a module for Zephyr, with a sample", _zephyr, _ON_BOARDS, True),
    "eim": Format(
        "a Linux program for Edge Impulse's SDKs, --out X.eim",
        _eim,
        ("compiled", "litert"),
        program=True,
    ),
}


def write_export(export: Export, out: Path, *, force: bool = False) -> None:
    """Write all files into a new folder, or into one ``.zip`` if ``out`` ends so; all or none.

    The files of a ``.zip`` lie in one folder with its name, as the Arduino IDE wants it, and carry
    no time: the same export gives the same bytes.

    Raises:
        OutputError: if ``out`` exists and ``force`` is false, or is a folder that holds anything
            that this export would not write: replacing it would lose that.
    """
    if out.suffix == ZIP:
        refuse_existing(out, force)
        write_atomic(out, _zipped(export, out.stem))
        return
    if force and out.exists():
        _refuse_strangers(out, set(export.files))
    with new_folder(out, force=force) as temporary:
        for name, content in export.files.items():
            write_atomic(temporary / name, content)


def _zipped(export: Export, folder: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(export.files.items()):
            entry = zipfile.ZipInfo(f"{folder}/{name}")  # its date is 1980
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return buffer.getvalue()


def _refuse_strangers(folder: Path, ours: set[str]) -> None:
    if not folder.is_dir():
        raise OutputError(f"{folder} is a file, expected a folder; choose another --out")
    found = (p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if not p.is_dir())
    stranger = next((name for name in found if name not in ours), None)
    if stranger is not None:
        raise OutputError(
            f"{folder} holds {stranger}, which this export does not write, and --force would "
            "remove it; choose an empty folder for --out"
        )
