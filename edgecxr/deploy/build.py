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
from edgecxr.core.firmware import PORTS
from edgecxr.core.process import export_model
from edgecxr.deploy import toolchain
from edgecxr.deploy.build_arduino import build_arduino
from edgecxr.deploy.build_zephyr import build_zephyr
from edgecxr.deploy.built import Built, too_big
from edgecxr.deploy.mcuboot import check_key
from edgecxr.errors import FlashError, UsageError

HOST = "host"
NAME = "model"
IMAGE = "firmware.elf"
"""Never a name out of a bundle: a stranger wrote it."""
DEMO = "ecx_demo_images.c"
Precision = Literal["int8", "float32"]
Runtime = Literal["compiled", "tflm"]

PLATFORMS = {"arduino": toolchain.ARDUINO_CLI, "zephyr": toolchain.WEST}
"""Build systems that bring a platform of their own, and their tools."""

_WARNINGS = ("-Wall", "-Wextra", "-Wconversion")
# A chip that has less keeps no picture beside the model: its rows are classified as they come.
_RAM_FOR_AN_IMAGE = 32_768
# The hot loops are assembly: -Os costs half a percent of time and saves a tenth of the code.
_OPTIMIZE = {"Cortex-M0": "-O2", "Cortex-M4F": "-Os", "Cortex-M55": "-Os"}


@dataclass(frozen=True)
class Image:
    """Firmware, ready to be flashed or emulated.

    Attributes:
        path: the ELF file.
        build_folder: what the platform's own uploader takes.
        board: its board's id, or "host".
        model_sha256: of the ``.tflite`` file in it, as ``info%`` will say.
        flash_bytes: of the whole image; None on the host.
        ram_bytes: of all variables, and of the stacks that Arduino's or Zephyr's systems reserve;
            None on the host.
        sketch: of an Arduino build, the folder with its ``sketch.yaml``, whose profile with the
            board's id says which platform it was built with.
        slot_bytes: of the part of the flash that MCUboot starts it in; None without MCUboot.
    """

    path: Path
    build_folder: Path
    board: str
    precision: Precision
    runtime: Runtime
    model_sha256: str
    flash_bytes: int | None
    ram_bytes: int | None
    sketch: Path | None = None
    slot_bytes: int | None = None


def build(
    bundle: Bundle,
    board: str,
    *,
    precision: Precision = "int8",
    runtime: Runtime = "compiled",
    folder: Path,
    signing_key: Path | None = None,
) -> Image:
    """Build the firmware of one model for one board.

    Args:
        board: an id of ``boards.toml``, or "host" for a program of this computer.
        runtime: "tflm" on Arduino and Zephyr only, which bring TensorFlow Lite Micro.
        folder: where the generated sources and the image go; ``folder/BOARD-PRECISION`` (and
            ``-tflm``) is replaced.
        signing_key: of MCUboot, for boards that have it.

    Raises:
        UsageError: if the board is unknown or does not take the runtime, or the key.
        ModelError: if the runtime lacks an operator of the model.
        MissingPackageError: if a tool is missing, or a Zephyr workspace.
        FlashError: if the image does not fit the board; the message says by how much.
    """
    target = None if board == HOST else find_board(board)
    system = HOST if target is None else target.build_system
    _check(board, system, runtime)
    key = None if signing_key is None else check_key(find_board(board), signing_key)
    place = folder / "-".join((board, precision, *(() if runtime == "compiled" else (runtime,))))
    shutil.rmtree(place, ignore_errors=True)
    sources = place / "src"
    sha256 = bundle.manifest.files[precision].sha256 if bundle.path(precision) else ""
    export_format = system if system in PLATFORMS else "firmware"
    options = ("--format", export_format, "--namespace", NAME, "--precision", precision)
    facts = export_model(bundle.folder, sources, *options, "--runtime", runtime)
    name, path = f"{bundle.manifest.name} in {precision}", place / IMAGE
    if target is None:
        built = _build_host(sources, path)
    elif system == "arduino":
        built = build_arduino(target, sources, place, name)
    elif system == "zephyr":
        built = build_zephyr(target, sources, place, name, key)
    else:
        _refuse_too_large(target, name, int(facts["constant_bytes"]))
        built = _build_bare_metal(target, sources, path, name, int(facts["demo_images"]))
    return Image(
        built.path,
        built.folder,
        board,
        precision,
        runtime,
        sha256,
        built.flash_bytes,
        built.ram_bytes,
        built.sketch,
        target.mcuboot_slot_bytes if target and key else None,
    )


def _refuse_too_large(board: Board, model: str, constants: int) -> None:
    """Before minutes of compiling: the weights alone tell."""
    short = constants - board.flash_bytes
    if short > 0:
        raise FlashError(too_big(board, model, "flash", short, board.flash_bytes, at_least=True))


def _check(board: str, system: str, runtime: Runtime) -> None:
    """Refuse what cannot be built before any work."""
    if system in PLATFORMS:
        toolchain.find(PLATFORMS[system])
    elif runtime != "compiled":
        raise UsageError(
            f"the runtime {runtime} is built for Arduino and Zephyr boards, expected compiled for "
            f"{board}"
        )


def _build_host(sources: Path, path: Path) -> Built:
    compiler = toolchain.find(toolchain.HOST_CC)
    flags = ("-std=c99", "-O2", *_WARNINGS, f"-I{sources}")
    files = [*sorted(sources.glob("*.c")), PORTS / HOST / "host.c"]
    done = toolchain.run([compiler, *flags, *files, "-lm", "-o", path])
    if done.returncode != 0:
        raise FlashError(_why_no_build(compiler, done.stderr))
    return Built(path, path.parent)


def _build_bare_metal(board: Board, sources: Path, path: Path, model: str, demo: int) -> Built:
    """With as many of the demo's images as the flash has room for."""
    compiler = toolchain.find(toolchain.ARM_GCC)
    port = PORTS / "baremetal"
    keep = int(board.ram_bytes >= _RAM_FOR_AN_IMAGE)
    flags = [*toolchain.CORES[board.core], _OPTIMIZE[board.core], "-mthumb"]
    flags += ["-ffunction-sections", "-fdata-sections", "-g"]
    flags += [*_WARNINGS, f"-DECX_KEEP_IMAGE={keep}", f"-I{sources}", f"-I{port}"]

    def compile_one(source: Path, *more: str) -> Path:
        made = path.parent / f"{source.name}.o"
        # GNU C for the ports only: they are written for one compiler.
        standard = "-std=gnu99" if source.parent == port else "-std=c99"
        done = toolchain.run([compiler, standard, *flags, *more, "-c", source, "-o", made])
        if done.returncode != 0:
            raise FlashError(_why_no_build(compiler, done.stderr))
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
            symbols = _symbols(path)
            return Built(path, path.parent, symbols["flash_bytes"], symbols["static_ram_bytes"])
        if "`FLASH' overflowed" not in done.stderr:
            break
    raise FlashError(_why_it_does_not_link(done.stderr, board, model))


def _why_no_build(compiler: str, said: str) -> str:
    return f"{compiler} could not build the firmware: {toolchain.first_error(said)}"


def _why_it_does_not_link(said: str, board: Board, model: str) -> str:
    for region, name, size in (
        ("FLASH", "flash", board.flash_bytes),
        ("RAM", "RAM", board.ram_bytes),
    ):
        if match := re.search(rf"region `{region}' overflowed by (\d+) bytes", said):
            return too_big(board, model, name, int(match[1]), size)
    if "the stack has not its reserve" in said:
        return (
            f"{model} leaves too little of {board.id}'s {board.ram_bytes:,} bytes of RAM for the "
            "stack; choose a larger board or a smaller model"
        )
    return f"the firmware could not be linked: {toolchain.first_error(said)}"


def _symbols(path: Path) -> dict[str, int]:
    done = toolchain.run([toolchain.find(toolchain.ARM_GCC).removesuffix("gcc") + "nm", path])
    found = re.finditer(r"^([0-9a-f]+) \w (\w+)$", done.stdout, re.MULTILINE)
    return {match[2]: int(match[1], 16) for match in found}
