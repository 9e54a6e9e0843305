# SPDX-License-Identifier: Apache-2.0
"""Runs many small models, with their inputs, as one program on the emulated Cortex-M4F."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.engine.measure import HERE, M4, PORT, STARTUP, emulate, run_tool
from edgecxr.core.firmware import KERNELS
from edgecxr.deploy.toolchain import ARM_GCC
from edgecxr.export.compiled.emit import C_TYPES, emit
from edgecxr.export.compiled.plan import Plan
from tests.export.compiled.host import CTYPES

FLAGS = (*M4.flags, M4.define, "-mthumb", "-O2", f"-I{KERNELS}", f"-I{HERE}", f"-I{PORT}")
GUARD = 64

RUN = """
static void run_{i}(void) {{
  static {score} scores[{outputs}];
  {name}_state *state = (void *)memory;
  for (int image = 0; image < {images}; ++image) {{
    memset(memory, 0xa5, sizeof memory);
    {name}_begin(state);
    for (int row = 0; row < {rows}; ++row) {{
      {name}_push_values(state, (const void *)next_input);
      next_input += {row_bytes};
    }}
    {name}_finish(state, scores);
    print_bytes({i}, (const uint8_t *)scores, sizeof scores);
    check_guard(memory + sizeof *state);
  }}
}}
"""

MAIN = """
#include <string.h>
#include "target.h"
{includes}
static uint8_t memory[{size}] __attribute__((aligned(8)));
static const uint8_t *next_input = (const uint8_t *)IMAGES;

static void print_bytes(int model, const uint8_t *bytes, uint32_t count) {{
  static char text[4096];
  char *at = text;
  *at++ = 'm';
  for (int digit = 1000; digit > 0; digit /= 10) *at++ = (char)('0' + model / digit % 10);
  *at++ = ' ';
  for (uint32_t i = 0; i < count; ++i) {{
    *at++ = "0123456789abcdef"[bytes[i] >> 4];
    *at++ = "0123456789abcdef"[bytes[i] & 15];
  }}
  strcpy(at, "\\n");
  print(text);
}}

static void check_guard(const uint8_t *guard) {{
  for (int i = 0; i < {guard}; ++i) {{
    if (guard[i] != 0xa5) {{
      print("written behind the state\\n");
      leave(0);
    }}
  }}
}}
{runs}
int main(void) {{
{calls}  return 0;
}}
"""


class Board:
    """The kernels as object files, built once."""

    def __init__(self, folder: Path) -> None:
        self.objects = []
        for source in sorted([*KERNELS.glob("*.c"), *KERNELS.glob("*.S"), *STARTUP]):
            self.objects.append(str(folder / f"{source.stem}.o"))
            run_tool(ARM_GCC, *FLAGS, "-c", str(source), "-o", self.objects[-1])

    def run(
        self, folder: Path, plans: Sequence[Plan], inputs: Sequence[NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """Outputs [image][element] of every model for its ``inputs`` [image][…]."""
        sources = []
        for i, plan in enumerate(plans):
            source = emit(plan, f"m{i}")
            (folder / f"m{i}.h").write_text(source.header)
            (folder / f"m{i}.c").write_text(source.code)
            sources.append(str(folder / f"m{i}.c"))
        main = folder / "main.c"
        main.write_text(_main(plans, [len(x) for x in inputs]))
        elf = folder / "program.elf"
        link = (
            "-T",
            str(HERE / f"{M4.board}.ld"),
            f"-L{HERE}",
            "-nostartfiles",
            "-Wl,--gc-sections",
        )
        specs = ("--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections", "-lm")
        files = (str(main), *sources, *self.objects)
        run_tool(ARM_GCC, *FLAGS, *link, *files, *specs, "-o", str(elf))
        blob = np.frombuffer(b"".join(x.tobytes() for x in inputs), np.uint8)
        printed = emulate(M4, elf, blob)
        assert "behind" not in printed
        found: list[list[NDArray[Any]]] = [[] for _ in plans]
        for match in re.finditer(r"^m(\d{4}) ([0-9a-f]+)$", printed, re.MULTILINE):
            i = int(match[1])
            dtype = CTYPES[plans[i].model.output.dtype]
            found[i].append(np.frombuffer(bytes.fromhex(match[2]), dtype))
        return [np.array(rows) for rows in found]


def _main(plans: Sequence[Plan], images: Sequence[int]) -> str:
    runs = "".join(
        RUN.format(
            i=i,
            name=f"m{i}",
            outputs=plan.model.output.elements,
            images=images[i],
            score=C_TYPES[plan.model.output.dtype],
            rows=plan.model.input.height,
            row_bytes=plan.model.input.row_elements * plan.model.input.itemsize,
        )
        for i, plan in enumerate(plans)
    )
    return MAIN.format(
        includes="".join(f'#include "m{i}.h"\n' for i in range(len(plans))),
        size=max(plan.total for plan in plans) + 1024 + GUARD,
        guard=GUARD,
        runs=runs,
        calls="".join(f"  run_{i}();\n" for i in range(len(plans))),
    )
