# SPDX-License-Identifier: Apache-2.0
"""The generated C as text: every compiler, C++, sanitizers, two models in one image."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from edgecxr.core.firmware import KERNELS
from edgecxr.export.compiled.compile import compile_graph
from edgecxr.export.compiled.emit import emit
from edgecxr.export.reader import read_tflite
from tests.export.compiled.graphs import RandomGraph, graphs
from tests.export.compiled.host import WARNINGS, cc, plan_of
from tests.export.flat import small_classifier

pytestmark = pytest.mark.heavy

TARGETS = [
    ("gcc", ("-std=c99",)),
    ("clang", ("-std=c99",)),
    ("g++", ("-x", "c++", "-std=c++11")),
    ("clang++", ("-x", "c++", "-std=c++11")),
    *(
        ("arm-none-eabi-gcc", ("-std=c99", "-mthumb", f"-mcpu={core}"))
        for core in ("cortex-m0", "cortex-m4", "cortex-m7", "cortex-m33")
    ),
    ("arm-none-eabi-g++", ("-x", "c++", "-std=c++11", "-mthumb", "-mcpu=cortex-m4")),
]
MAIN = """#include <stdio.h>
#include <string.h>
{includes}
int main(void) {{
  unsigned seed = 1;
{runs}
  return 0;
}}
"""
RUN = """  {{
    static {name}_state state;
    static {x_type} row[{row}];
    static {y_type} scores[{upper}_OUTPUTS];
    memset(&state, 0xa5, sizeof state);
    {name}_begin(&state);
    for (int r = 0; r < {upper}_INPUT_HEIGHT; ++r) {{
      for (int i = 0; i < {row}; ++i) {{
        seed = seed * 1664525u + 1013904223u;
        row[i] = ({x_type})((int)(seed >> 24) - 128);
      }}
      if ({name}_push_values(&state, row) != 0) return 1;
    }}
    if ({name}_push_values(&state, row) != -1 || {name}_finish(&state, scores) != 0) return 2;
  }}
"""


def write_models(folder: Path, batch: list[bytes]) -> list[Path]:
    """The generated sources, and a main that runs each model once."""
    includes, runs, sources = "", "", []
    for i, data in enumerate(batch):
        plan, name = plan_of(data, i), f"m{i}"
        source = emit(plan, name)
        (folder / f"{name}.h").write_text(source.header)
        (folder / f"{name}.c").write_text(source.code)
        sources.append(folder / f"{name}.c")
        includes += f'#include "{name}.h"\n'
        types = {"int8": "int8_t", "float32": "float", "uint8": "uint8_t"}
        x, y = plan.model.input, plan.model.output
        runs += RUN.format(
            name=name,
            upper=name.upper(),
            row=x.row_elements,
            x_type=types[x.dtype],
            y_type=types[y.dtype],
        )
    main = folder / "main.c"
    main.write_text(MAIN.format(includes=includes, runs=runs))
    return [main, *sources]


@pytest.mark.parametrize(
    ("compiler", "flags"), TARGETS, ids=lambda v: v if isinstance(v, str) else v[-1]
)
def test_it_compiles_everywhere_without_a_warning(
    compiler: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    sources = sorted(KERNELS.glob("*.c"))
    for precision in ("int8", "float32"):
        plan = compile_graph(read_tflite(small_classifier(precision).pack())).plan
        source = emit(plan, precision, ("a", 'b"c'))
        (tmp_path / f"{precision}.h").write_text(source.header)
        (tmp_path / f"{precision}.c").write_text(source.code)
        sources.append(tmp_path / f"{precision}.c")
    for path in sources:
        target = tmp_path / "object.o"
        cc(compiler, *flags, *WARNINGS, "-O2", f"-I{KERNELS}", "-c", path, "-o", target)


@settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
@given(batch=st.lists(st.one_of(graphs(), graphs(float32=True)), min_size=16, max_size=16))
def test_sanitizers_find_nothing(
    batch: list[RandomGraph], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("sanitized")
    sources = write_models(folder, [graph.data for graph in batch])
    program = folder / "program"
    cc(
        "gcc",
        "-std=c99",
        "-O1",
        "-g",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
        f"-I{KERNELS}",
        f"-I{folder}",
        *sources,
        *sorted(KERNELS.glob("*.c")),
        "-o",
        program,
    )
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_nothing_but_freestanding_headers_is_included() -> None:
    # The last three are the compiler's own, two of them for computers that run an .eim.
    allowed = {"<stdint.h>", "<string.h>", "<arm_acle.h>", "<emmintrin.h>", "<arm_neon.h>"}
    for path in sorted(KERNELS.glob("*.[ch]")):
        for line in path.read_text().splitlines():
            if line.startswith("#include <"):
                assert line.removeprefix("#include ") in allowed, path.name


def test_the_header_says_what_it_was_made_from() -> None:
    graph = read_tflite(small_classifier().pack())
    source = emit(compile_graph(graph).plan, "net")
    assert graph.sha256 in source.header
    assert graph.sha256 in source.code
    assert "/tmp" not in source.code + source.header
