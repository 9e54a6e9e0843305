# SPDX-License-Identifier: Apache-2.0
"""The fast kernels as SSE2 and NEON vectors give the portable kernels' bytes, on random layers."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgecxr.core.firmware import KERNELS
from tests.export.compiled.host import WARNINGS, cc

pytestmark = pytest.mark.heavy

HARNESS = Path(__file__).with_name("fast_layers.c")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
LAYERS = 3000


@dataclass(frozen=True)
class Form:
    """One way to build the kernels, and to run the result."""

    compiler: str
    flags: tuple[str, ...]
    emulator: str | None = None


PORTABLE = Form("gcc", ("-O2", "-DECX_FORCE_PORTABLE", *SANITIZERS))
FORMS = {
    "this computer's vectors": Form("gcc", ("-O3",)),
    "under sanitizers": Form("gcc", ("-O1", *SANITIZERS)),
    "clang": Form("clang", ("-O2",)),
    "NEON": Form("aarch64-linux-gnu-gcc", ("-O3", "-static"), "qemu-aarch64"),
}

Lines = Callable[[Form, int], list[str]]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    """What the program of a form, built once, says of the layers of a seed."""
    folder, built = tmp_path_factory.mktemp("layers"), dict[Form, Path]()

    def run(form: Form, seed: int) -> list[str]:
        if form.emulator is not None and shutil.which(form.emulator) is None:
            pytest.skip(f"needs {form.emulator}")
        if form not in built:
            program = folder / str(len(built))
            sources = sorted(KERNELS.glob("ecx_*_fast.c"))
            flags = ("-std=c99", *WARNINGS, f"-I{KERNELS}", *form.flags)
            cc(form.compiler, *flags, HARNESS, *sources, "-o", program)
            built[form] = program
        command = [*filter(None, (form.emulator,)), str(built[form]), str(seed), str(LAYERS)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_the_layers_are_of_all_kinds_and_do_not_only_saturate(lines: Lines) -> None:
    said = lines(PORTABLE, 1)
    for kind in ("fast pointwise", "exact pointwise", "depthwise"):
        counts = [re.findall(r"(\d+) of (\d+) inside", x)[0] for x in said if x.startswith(kind)]
        assert len(counts) > LAYERS // 5
        inside, values = (sum(map(int, column)) for column in zip(*counts, strict=True))
        assert inside > values / 4, kind


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_random_layers_have_the_bytes_of_the_portable_kernels(form: Form, lines: Lines) -> None:
    for seed in (2, 3):
        differ = [
            f"{ours} instead of {theirs}"
            for ours, theirs in zip(lines(form, seed), lines(PORTABLE, seed), strict=True)
            if ours != theirs
        ]
        assert not differ, differ[:5]
