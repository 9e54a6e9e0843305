# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.export.compiled.reference import Reference

TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm")
CXR3 = Path(__file__).parents[2] / "models" / "cxr3" / "int8.tflite"


@pytest.fixture(scope="session", autouse=True)
def toolchain() -> None:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}")


@pytest.fixture(scope="session")
def reference() -> Iterator[Reference]:
    made = Reference()
    yield made
    made.close()


@pytest.fixture(scope="session")
def cxr3() -> bytes:
    return CXR3.read_bytes()
