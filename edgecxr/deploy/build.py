# SPDX-License-Identifier: Apache-2.0
"""A bundle → a firmware image for one board: export, compile, link, and read the sizes."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgecxr.core.board import Board, find_board
from edgecxr.core.bundle import Bundle
from edgecxr.core.process import export_model
from edgecxr.deploy import toolchain
from edgecxr.errors import FlashError, UsageError

HOST = "host"
NAME = "model"
DEMO = "ecx_demo_images.c"
_INSTALLED = Path(__file__).parent / "ports"
_REPOSITORY = Path(__file__).parents[2] / "firmware" / "ports"
PORTS = _INSTALLED if _INSTALLED.is_dir() else _REPOSITORY

Precision = Literal["int8", "float32"]
Runtime = Literal["compiled"]

_WARNINGS = ("-Wall", "-Wextra", "-Wconversion")
# A chip that has less keeps no picture beside the model: its rows are classified as they come.
_RAM_FOR_AN_IMAGE = 32_768
_CORES: dict[str, tuple[str, ...]] = {
    "Cortex-M0": ("-mcpu=cortex-m0", "-O2"),
    # The hot loops are assembly: -Os costs half a percent of time and saves a tenth of the code.
    "Cortex-M4F": ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-Os"),
    "Cortex-M55": ("-mcpu=cortex-m55", "-mfloat-abi=hard", "-Os"),
}


@dataclass(frozen=True)
class Image:
    """Firmware, ready to be flashed or emulated.

    Attributes:
        path: the ELF file.
        board: its board's id, or "host".
        model_sha256: of the ``.tflite`` file in it, as ``info%`` will say.
        flash_bytes: of the whole image; None on the host.
        ram_bytes: of all variables, without the stack; None on the host.
    """

    path: Path
    board: str
    precision: Precision
    runtime: Runtime
    model_sha256: str
    flash_bytes: int | None
    ram_bytes: int | None


def build(
    bundle: Bundle,
    board: str,
    *,
    precision: Precision = "int8",
    runtime: Runtime = "compiled",
    folder: Path,
) -> Image:
    """Build the firmware of one model for one board.

    Args:
        board: an id of ``boards.toml`` with the build system "baremetal", or "host" for a program
            of this computer.
        folder: where the generated sources and the image go; ``folder/BOARD-PRECISION`` is
            replaced.

    Raises:
        UsageError: if the board is unknown or has another build system.
        ModelError: if the compiled runtime lacks an operator of the model.
        MissingPackageError: if a tool is missing.
        FlashError: if the image does not fit the board; the message says by how much.
    """
    target = None if board == HOST else _bare_metal(board)
    place = folder / f"{board}-{precision}"
    shutil.rmtree(place, ignore_errors=True)
    sources = place / "src"
    sha256 = bundle.manifest.files[precision].sha256 if bundle.path(precision) else ""
    options = ("--format", "firmware", "--namespace", NAME, "--precision", precision)
    facts = export_model(bundle.folder, sources, *options)
    path = place / f"{bundle.manifest.name}.elf"
    if target is None:
        _build_host(sources, path)
        return Image(path, board, precision, runtime, sha256, None, None)
    name = f"{bundle.manifest.name} in {precision}"
    _build_bare_metal(target, sources, path, name, int(facts["demo_images"]))
    symbols = _symbols(path)
    flash, ram = symbols["flash_bytes"], symbols["static_ram_bytes"]
    return Image(path, board, precision, runtime, sha256, flash, ram)


def _bare_metal(name: str) -> Board:
    board = find_board(name)
    if board.build_system != "baremetal":
        raise UsageError(
            f"{name} is built with {board.platform}, expected a bare-metal board; "
            "see `edgecxr boards`"
        )
    return board


def _build_host(sources: Path, path: Path) -> None:
    compiler = toolchain.find(toolchain.HOST_CC)
    flags = ("-std=c99", "-O2", *_WARNINGS, f"-I{sources}")
    files = [*sorted(sources.glob("*.c")), PORTS / HOST / "host.c"]
    done = toolchain.run([compiler, *flags, *files, "-lm", "-o", path])
    if done.returncode != 0:
        raise FlashError(f"{compiler} could not build the firmware: {_first_error(done.stderr)}")


def _build_bare_metal(board: Board, sources: Path, path: Path, model: str, demo: int) -> None:
    """With as many of the demo's images as the flash has room for."""
    compiler = toolchain.find(toolchain.ARM_GCC)
    port = PORTS / "baremetal"
    keep = int(board.ram_bytes >= _RAM_FOR_AN_IMAGE)
    flags = [*_CORES[board.core], "-mthumb", "-ffunction-sections", "-fdata-sections", "-g"]
    flags += [*_WARNINGS, f"-DECX_KEEP_IMAGE={keep}", f"-I{sources}", f"-I{port}"]

    def compile_one(source: Path, *more: str) -> Path:
        made = path.parent / f"{source.name}.o"
        # GNU C for the ports only: they are written for one compiler.
        standard = "-std=gnu99" if source.parent == port else "-std=c99"
        done = toolchain.run([compiler, standard, *flags, *more, "-c", source, "-o", made])
        if done.returncode != 0:
            raise FlashError(
                f"{compiler} could not build the firmware: {_first_error(done.stderr)}"
            )
        return made

    files = [path for path in sorted(sources.iterdir()) if path.suffix in (".c", ".S")]
    files += [port / "startup.c", port / "port.c", port / f"{board.build_target}.c"]
    with ThreadPoolExecutor(max_workers=4) as pool:
        objects = list(pool.map(compile_one, files))
    script = ("-T", port / f"{board.build_target}.ld", f"-L{port}", "-nostartfiles")
    libraries = ("--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections", "-lm")
    for images in range(demo, -1, -1):
        if images < demo:
            compile_one(sources / DEMO, f"-DECX_DEMO_IMAGES={images}")
        done = toolchain.run([compiler, *flags, *script, *objects, *libraries, "-o", path])
        if done.returncode == 0:
            return
        if "`FLASH' overflowed" not in done.stderr:
            break
    raise FlashError(_why_it_does_not_link(done.stderr, board, model))


def _why_it_does_not_link(said: str, board: Board, model: str) -> str:
    for region, name, size in (
        ("FLASH", "flash", board.flash_bytes),
        ("RAM", "RAM", board.ram_bytes),
    ):
        if match := re.search(rf"region `{region}' overflowed by (\d+) bytes", said):
            return (
                f"{model} needs {int(match[1]):,} bytes more {name} than the {size:,} of "
                f"{board.id}; choose a larger board or a smaller model"
            )
    if "the stack has not its reserve" in said:
        return (
            f"{model} leaves too little of {board.id}'s {board.ram_bytes:,} bytes of RAM for the "
            "stack; choose a larger board or a smaller model"
        )
    return f"the firmware could not be linked: {_first_error(said)}"


def _first_error(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line or "undefined" in line]
    return (errors or lines or ["it said nothing"])[0][:300]


def _symbols(path: Path) -> dict[str, int]:
    done = toolchain.run([toolchain.find(toolchain.ARM_GCC).removesuffix("gcc") + "nm", path])
    found = re.finditer(r"^([0-9a-f]+) \w (\w+)$", done.stdout, re.MULTILINE)
    return {match[2]: int(match[1], 16) for match in found}
