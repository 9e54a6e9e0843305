# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgecxr.core.pixels import RANGES, PixelRange, pixel_reals
from edgecxr.export.pixels import FLOAT_PIXEL

PROGRAM = """#include <stdio.h>
int main(void) {{
  unsigned char pixels[256];
  for (int i = 0; i < 256; ++i) {{
    pixels[i] = (unsigned char)i;
    const float real = {value};
    fwrite(&real, sizeof real, 1, stdout);
  }}
  return 0;
}}
"""


@pytest.mark.parametrize("pixels", [None, *RANGES])
@pytest.mark.parametrize("flags", [("-O0",), ("-O3", "-march=native")])
def test_c_and_python_mean_the_same_numbers(
    tmp_path: Path, pixels: PixelRange | None, flags: tuple[str, ...]
) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    (tmp_path / "x.c").write_text(PROGRAM.format(value=FLOAT_PIXEL[pixels]))
    command = ["gcc", "-std=c99", *flags, str(tmp_path / "x.c"), "-o", str(tmp_path / "x")]
    subprocess.run(command, check=True)
    said = subprocess.run([str(tmp_path / "x")], capture_output=True, check=True).stdout
    assert said == pixel_reals(pixels).tobytes()


@pytest.mark.parametrize("pixels", RANGES)
def test_a_range_ends_where_its_name_says(pixels: PixelRange) -> None:
    low, high = map(float, pixels.split(".."))
    reals = pixel_reals(pixels)
    assert (reals[0], reals[255]) == (low, high)
    assert np.all(np.diff(reals) > 0)
