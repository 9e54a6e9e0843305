# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecxr.core.bundle import Bundle
from edgecxr.deploy.build import Image, build
from tests.shared import made_once

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "firmware" / "src"
FUZZ = ROOT / "firmware" / "fuzz"
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wconversion")


@pytest.fixture(scope="session")
def host_image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The firmware of the reference bundle as a program of this computer."""
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    bundle = Bundle.open(ROOT / "models" / "cxr3")

    def make(folder: Path) -> None:
        (folder / "image").write_bytes(pickle.dumps(build(bundle, "host", folder=folder)))

    folder = made_once(tmp_path_factory, "host-image", make)
    image: Image = pickle.loads((folder / "image").read_bytes())
    return image


@pytest.fixture(scope="session")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Builds the fuzz program under sanitizers, with or without room for an image."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")

    def make(keep_image: int) -> Path:
        program = tmp_path_factory.mktemp("fuzz") / "fuzz"
        sanitizers = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
        flags = (*STRICT, "-O1", "-g", *sanitizers, "-DSEEDED", f"-DECX_KEEP_IMAGE={keep_image}")
        files = [*sorted(SOURCES.glob("*.c")), *sorted(FUZZ.glob("*.c"))]
        command = ["gcc", *flags, f"-I{SOURCES}", *map(str, files), "-o", str(program)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return program

    return make
