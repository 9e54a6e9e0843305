# SPDX-License-Identifier: Apache-2.0
"""The formats "arduino" and "zephyr": firmware in the layout that each platform's tools take.

What does not depend on the model is copied from the firmware folder, which is itself laid out so.
"""

from __future__ import annotations

import re
from pathlib import Path

from edgecxr import __version__
from edgecxr.core.firmware import FIRMWARE
from edgecxr.export.firmware import render as render_firmware
from edgecxr.export.formats import Export, Settings
from edgecxr.export.source import Source

ARDUINO_TFLM = "Chirale_TensorFLowLite (2.0.0)"
"""TFLM in Arduino's library manager, pinned: name and version as sketch.yaml writes them."""
HEADER = "edgecxr.h"
SKETCH = "examples/classify"
SAMPLE = "samples/classify"
_LONGEST_NAME = 63
_ZEPHYR = (
    "zephyr/module.yml",
    "zephyr/Kconfig",
    "zephyr/CMakeLists.txt",
    "ports/zephyr/zephyr.c",
    "west.yml",
    f"{SAMPLE}/CMakeLists.txt",
    f"{SAMPLE}/prj.conf",
    f"{SAMPLE}/sample.yaml",
    f"{SAMPLE}/src/main.c",
    f"{SAMPLE}/boards/nrf52840dk_nrf52840.conf",
    f"{SAMPLE}/boards/nrf52840dk_nrf52840.overlay",
    f"{SAMPLE}/boards/nucleo_l4r5zi.conf",
    f"{SAMPLE}/boards/nucleo_l4r5zi.overlay",
)


def render_arduino(source: Source, settings: Settings) -> Export:
    """A library: its properties, the firmware with the port flat in ``src``, an example sketch.

    The library, and the one header that a sketch includes, bear the model's name, so that two
    models can be installed side by side.

    Raises: as :func:`edgecxr.export.firmware.render`.
    """
    firmware = render_firmware(source, settings)
    name = library_name(source.name)
    files = _sorted_out(firmware, "extras")
    files[f"src/{name}.h"] = files.pop(f"src/{HEADER}")
    files["src/arduino.cpp"] = _read("ports/arduino/arduino.cpp")
    files["library.properties"] = _properties(source, settings, name)
    files[f"{SKETCH}/classify.ino"] = _read(f"{SKETCH}/classify.ino").replace(HEADER, f"{name}.h")
    files[f"{SKETCH}/sketch.yaml"] = _sketch_yaml(settings)
    facts = {**firmware.facts, "library": name}
    next_step = (
        "install the .zip with Sketch > Include Library > Add .ZIP Library, then open File > "
        f"Examples > {name} > classify"
    )
    if settings.runtime == "tflm":
        next_step += f"; install the library {ARDUINO_TFLM} first"
    return Export(files, facts, (("library", name), *firmware.lines), next_step)


def render_zephyr(source: Source, settings: Settings) -> Export:
    """A module: the firmware in ``src``, the port, Zephyr's build files, a sample application.

    Raises: as :func:`edgecxr.export.firmware.render`.
    """
    firmware = render_firmware(source, settings)
    files = _sorted_out(firmware, "doc")
    files.update({name: _read(name) for name in _ZEPHYR})
    if settings.runtime == "tflm":
        files[f"{SAMPLE}/prj.conf"] = _read(f"{SAMPLE}/prj.conf") + "\n" + _tflm_lines()
    next_step = f"in a Zephyr workspace, west build -b BOARD FOLDER/{SAMPLE}"
    return Export(files, firmware.facts, firmware.lines, next_step)


def library_name(model: str) -> str:
    """``edgecxr_MODEL`` in the characters that an Arduino library's name may have."""
    return re.sub(r"[^A-Za-z0-9_]", "_", f"edgecxr_{model}")[:_LONGEST_NAME]


def _sorted_out(firmware: Export, papers: str) -> dict[str, str | bytes]:
    """The firmware's files below ``src``; what no compiler reads goes below ``papers``."""
    sources = (".c", ".cpp", ".h", ".S")
    return {
        f"{'src' if Path(name).suffix in sources else papers}/{name}": content
        for name, content in firmware.files.items()
    }


def _properties(source: Source, settings: Settings, name: str) -> str:
    synthetic = ", trained on synthetic images" if source.synthetic_data else ""
    values = {
        "name": name,
        "version": __version__,
        "sentence": "A chest X-ray classifier behind a serial line. For research and teaching, "
        "not a medical device.",
        "paragraph": f"The model {_one_line(source.name)} ({source.input.dtype}, "
        f"{settings.runtime} runtime{synthetic}).",
        "includes": f"{name}.h",
    }
    lines = []
    for line in _read("library.properties").splitlines():
        key = line.partition("=")[0]
        lines.append(f"{key}={values[key]}" if key in values else line)
    if settings.runtime == "tflm":
        lines.append(f"depends={ARDUINO_TFLM.partition(' ')[0]}")
    return "\n".join([*lines, ""])


def _one_line(text: str) -> str:
    return re.sub(r"[^\x20-\x7e]", "_", text)


def _sketch_yaml(settings: Settings) -> str:
    text = _read(f"{SKETCH}/sketch.yaml")
    if settings.runtime == "tflm":
        own = "      - dir: ../..\n"
        text = text.replace(own, f"{own}      - {ARDUINO_TFLM}\n")
    return text


def _tflm_lines() -> str:
    """``tflm.conf`` without its licence, which stands above already."""
    return _read(f"{SAMPLE}/tflm.conf").partition("\n")[2]


def _read(name: str) -> str:
    return (FIRMWARE / name).read_text(encoding="utf-8")
