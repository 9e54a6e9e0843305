# SPDX-License-Identifier: Apache-2.0
"""Measure the compiled runtime in QEMU: ``python benchmarks/engine/run.py [MODEL_FOLDER]``.

Writes ``engine.json`` and ``engine.md``. Needs gcc-arm-none-eabi, its newlib and qemu-system-arm.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.engine.measure import (  # noqa: E402
    M0,
    M4,
    M4_FLOAT,
    M4_PORTABLE,
    Measurement,
    Target,
    measure,
    run_tool,
)
from edgecxr.core.files import write_atomic  # noqa: E402
from edgecxr.deploy.toolchain import ARM_GCC  # noqa: E402
from edgecxr.errors import EdgecxrError  # noqa: E402

ROWS = (("int8", M4), ("int8", M4_PORTABLE), ("int8", M0), ("float32", M4_FLOAT))
SCRATCH = "between the layers"

# Measured on the same model class in the same way; from docs and papers where it says published.
REFERENCES = (
    ("TFLM, reference kernels", "95.9 M", "82,292 arena", "40,300", "341,000"),
    ("TFLM with CMSIS-NN", "22.9 M", "82,308 arena", "46,800", "347,000"),
    ("TinyEngine (RGB, not bit-exact)", "19.7 M", "60,700", "10,000", "245,000"),
    ("published: Plumerai 2023.05", "11.9 M cycles", "", "", ""),
    ("published: X-CUBE-AI 10.2 (RGB)", "10.7 M cycles", "", "", ""),
)


def image() -> NDArray[np.uint8]:
    """One image, uint8 [1, 96, 96]. Counts hardly depend on it: no kernel branches on values."""
    return np.random.default_rng(0).integers(0, 256, (1, 96, 96), dtype=np.uint8)


def compiler(target: Target) -> str:
    """Compiler, version and optimization: counts are compared within one of them only."""
    version = run_tool(ARM_GCC, "-dumpfullversion").strip()
    return f"arm-none-eabi-gcc {version} {target.optimize}"


def row(target: Target, precision: str, model_name: str, cost: Measurement) -> dict[str, Any]:
    """One row of ``engine.json`` (docs: "What --json says")."""
    layers = [
        {
            "name": layer.name,
            "op": layer.op,
            "shape": layer.output.shape,
            "macs": layer.macs,
            "instructions": spent,
        }
        for layer, spent in zip(cost.model.layers, cost.layers, strict=True)
    ]
    rest = cost.instructions - sum(cost.layers)
    layers.append({"name": SCRATCH, "op": "", "shape": "", "macs": 0, "instructions": rest})
    return {
        "board": target.board,
        "core": target.core,
        "kernels": target.kernels,
        "compiler": compiler(target),
        "precision": precision,
        "model": model_name,
        "macs": cost.model.macs,
        "instructions": cost.instructions,
        "ram_bytes": cost.ram_bytes,
        "state_bytes": cost.state_bytes,
        "stack_bytes": cost.stack_bytes,
        "code_bytes": cost.code_bytes,
        "flash_bytes": cost.flash_bytes,
        "layers": layers,
    }


def markdown(rows: list[dict[str, Any]]) -> str:
    """The figures with the reference figures beside them, then every layer of the first row."""
    table = [
        (
            f"edgecxr {r['precision']}, {r['core']} ({r['kernels']} kernels)",
            f"{r['instructions'] / 1e6:.2f} M",
            f"{r['ram_bytes']:,} in all",
            f"{r['code_bytes']:,}",
            f"{r['flash_bytes']:,}",
        )
        for r in rows
    ]
    heads = ("runtime", "instructions", "RAM bytes", "code bytes", "flash bytes")
    aligned = {"colalign": ("left", "right", "right", "right", "right"), "disable_numparse": True}
    first = rows[0]
    layers = [
        (
            entry["name"],
            entry["op"],
            entry["shape"],
            f"{entry['macs']:,}",
            f"{entry['instructions']:,}",
            f"{entry['instructions'] / entry['macs']:.2f}" if entry["macs"] else "",
        )
        for entry in first["layers"]
    ]
    layer_heads = ("layer", "operator", "output", "MACs", "instructions", "per MAC")
    layer_table = tabulate(
        layers,
        layer_heads,
        "github",
        colalign=("left", "left", "left", "right", "right", "right"),
        disable_numparse=True,
    )
    return (
        f"# One inference of {first['model']}, {first['macs']:,} MACs\n\n"
        "Counted in QEMU with -icount: exact instructions, not cycles. RAM in all: the model's "
        "state with its line buffers, one row of input, the scores, and the stack at its deepest. "
        "Code and flash: the model, its kernels and what they need of libc and libgcc, without "
        "start-up code. The Cortex-M0 row ran on the emulated micro:bit, the others on "
        "mps2-an386.\n\n"
        f"{tabulate([*table, *REFERENCES], heads, 'github', **aligned)}\n\n"
        f"## {first['precision']}, {first['core']}, layer by layer\n\n{layer_table}\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("model", nargs="?", type=Path, default=ROOT / "models" / "cxr3")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    rows = []
    for precision, target in ROWS:
        print(f"{precision}, {target.core}, {target.kernels} kernels", file=sys.stderr, flush=True)
        data = (options.model / f"{precision}.tflite").read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            cost = measure(target, data, image(), Path(folder))
        rows.append(row(target, precision, options.model.name, cost))
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"rows": rows}, indent=1, ensure_ascii=False)
    write_atomic(options.out / "engine.json", f"{text}\n".encode())
    write_atomic(options.out / "engine.md", markdown(rows).encode())
    print(markdown(rows))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgecxrError as error:
        sys.exit(f"error: {error}")
