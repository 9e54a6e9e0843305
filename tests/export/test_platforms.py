# SPDX-License-Identifier: Apache-2.0
"""The Arduino library and the Zephyr module as files: layout, pins, the same bytes each time."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgecxr import __version__
from edgecxr.core.board import boards
from edgecxr.core.firmware import FIRMWARE
from edgecxr.export.formats import FORMATS, Export, Runtime, Settings, write_export
from edgecxr.export.platforms import ARDUINO_TFLM, SKETCH, library_name
from edgecxr.export.source import open_source

pytestmark = pytest.mark.heavy

CXR3 = Path(__file__).parents[2] / "models" / "cxr3"
ARENA = 100_000  # given, so that no test here needs tflite-micro
REQUIRED = ("name", "version", "author", "maintainer", "sentence", "paragraph", "category")
# Arduino's library specification: what may stand at the root, and what its builder compiles.
ROOT = {"library.properties", "src", "examples", "extras"}
SOURCES = {".c", ".cpp", ".S", ".h"}
VERSION = r"\d+\.\d+\.\d+"


def exported(name: str, runtime: Runtime, model: Path = CXR3) -> Export:
    return FORMATS[name].render(open_source(model), Settings(ARENA, runtime=runtime))


def text(export: Export, name: str) -> str:
    content = export.files[name]
    assert isinstance(content, str)
    return content


def properties(content: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in content.splitlines())


def sketch_yaml(content: str) -> dict[str, Any]:
    found = yaml.safe_load(content)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("runtime", ["compiled", "tflm"])
def test_the_arduino_zip_has_one_folder_with_the_layout_of_a_library(
    runtime: Runtime, tmp_path: Path
) -> None:
    out = tmp_path / "edgecxr_cxr3.zip"
    write_export(exported("arduino", runtime), out)
    with zipfile.ZipFile(out) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert {name.split("/")[0] for name in names} == {"edgecxr_cxr3"}
    inside = [Path(name).relative_to("edgecxr_cxr3") for name in names]
    assert {path.parts[0] for path in inside} <= ROOT
    assert all(path.suffix in SOURCES for path in inside if path.parts[0] == "src")
    assert all(len(path.parts) == 2 for path in inside if path.parts[0] == "src")
    sketch = Path(SKETCH)
    assert sketch / f"{sketch.name}.ino" in inside  # the IDE wants the folder's name


@pytest.mark.parametrize("runtime", ["compiled", "tflm"])
def test_the_properties_are_valid_and_name_the_header_that_the_sketch_includes(
    runtime: Runtime,
) -> None:
    library = exported("arduino", runtime)
    found = properties(text(library, "library.properties"))
    assert all(found[key] for key in REQUIRED)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.\-]{0,62}", found["name"])
    assert re.fullmatch(VERSION, found["version"])
    assert found["version"] == __version__
    assert f"src/{found['includes']}" in library.files
    assert f"#include <{found['includes']}>" in text(library, f"{SKETCH}/classify.ino")
    assert found.get("depends") == (ARDUINO_TFLM.split()[0] if runtime == "tflm" else None)


def test_the_repository_s_own_folder_is_a_library_too() -> None:
    found = properties((FIRMWARE / "library.properties").read_text())
    assert all(found[key] for key in REQUIRED)
    assert found["version"] == __version__
    assert (FIRMWARE / "src" / found["includes"]).is_file()
    assert f"#include <{found['includes']}>" in (FIRMWARE / SKETCH / "classify.ino").read_text()


@pytest.mark.parametrize("runtime", ["compiled", "tflm"])
def test_every_arduino_board_has_a_profile_that_pins_all_it_needs(runtime: Runtime) -> None:
    profiles = sketch_yaml(text(exported("arduino", runtime), f"{SKETCH}/sketch.yaml"))["profiles"]
    wanted = {name: board for name, board in boards().items() if board.build_system == "arduino"}
    assert profiles.keys() == wanted.keys()
    for name, profile in profiles.items():
        assert profile["fqbn"] == wanted[name].build_target
        for platform in profile["platforms"]:
            assert re.fullmatch(rf"\w+:\w+ \({VERSION}\)", platform["platform"])
            assert profile["fqbn"].startswith(platform["platform"].split()[0])
        expected = [{"dir": "../.."}, *([ARDUINO_TFLM] if runtime == "tflm" else [])]
        assert profile["libraries"] == expected
        assert re.search(rf"\({VERSION}\)$", ARDUINO_TFLM)


@pytest.mark.parametrize("runtime", ["compiled", "tflm"])
def test_the_zephyr_module_is_whole_and_pinned(runtime: Runtime) -> None:
    module = exported("zephyr", runtime)
    build = sketch_yaml(text(module, "zephyr/module.yml"))["build"]
    assert f"{build['cmake']}/CMakeLists.txt" in module.files
    assert build["kconfig"] in module.files
    projects = {p["name"]: p for p in sketch_yaml(text(module, "west.yml"))["manifest"]["projects"]}
    assert re.fullmatch(rf"v{VERSION}", projects["zephyr"]["revision"])
    assert re.fullmatch(r"[0-9a-f]{40}", projects["tflite-micro"]["revision"])
    settings = text(module, "samples/classify/prj.conf").splitlines()
    assert ("CONFIG_EDGECXR_TFLM=y" in settings) == (runtime == "tflm")
    assert len(settings) == len(set(settings) - {""}) + settings.count("")


def test_the_zephyr_board_s_files_are_exported_as_they_lie_in_the_repository() -> None:
    module = exported("zephyr", "compiled")
    for folder in ("zephyr", "samples", "ports/zephyr"):
        for path in (FIRMWARE / folder).rglob("*"):
            if path.is_file() and path.name != "tflm.conf":
                assert module.files[path.relative_to(FIRMWARE).as_posix()] == path.read_text()


@pytest.mark.parametrize("runtime", ["compiled", "tflm"])
@pytest.mark.parametrize("name", ["firmware", "arduino", "zephyr"])
def test_the_same_model_gives_the_same_bytes(name: str, runtime: Runtime, tmp_path: Path) -> None:
    for out in ("one.zip", "two.zip"):
        write_export(exported(name, runtime), tmp_path / out)
    one, two = ((tmp_path / out).read_bytes() for out in ("one.zip", "two.zip"))
    assert one.replace(b"one/", b"two/") == two


def test_both_runtimes_say_the_same_of_the_model() -> None:
    record = r"ecx_model = \{.*?\};"
    found = []
    for runtime, file in (("compiled", "ecx_model.c"), ("tflm", "ecx_model.cpp")):
        match = re.search(record, text(exported("firmware", runtime), file), re.DOTALL)
        assert match is not None
        found.append(match[0].splitlines())
    differing = [(a, b) for a, b in zip(*found, strict=True) if a != b]
    assert differing[0][0] == '    "compiled",'
    assert len(differing) == 2  # the runtime, and what it takes of RAM


@pytest.mark.parametrize(
    ("model", "library"),
    [("cxr3", "edgecxr_cxr3"), ("thórax/2", "edgecxr_th_rax_2"), ("x" * 80, "edgecxr_" + "x" * 55)],
)
def test_library_names(model: str, library: str) -> None:
    assert library_name(model) == library
