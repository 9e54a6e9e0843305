# SPDX-License-Identifier: Apache-2.0
"""The format "c": a model as plain C for exactly that model, with the kernels that it calls."""

from __future__ import annotations

import json
from typing import Any

from edgecxr.export.compiled.compile import Compilation, compile_graph
from edgecxr.export.compiled.emit import emit
from edgecxr.export.compiled.kernel_files import kernel_files
from edgecxr.export.compiled.picture import picture
from edgecxr.export.compiled.plan import Plan
from edgecxr.export.cpp import check_identifier
from edgecxr.export.formats import Export, Settings
from edgecxr.export.source import Source, port_facts


def render(source: Source, settings: Settings) -> Export:
    """All files of the format "c", and what there is to say about them.

    Raises:
        ModelError: if the compiled runtime lacks an operator or a form of it.
        UsageError: if the name is no C name.
    """
    name = check_identifier(settings.namespace, "--namespace")
    compilation = compile_graph(source.graph)
    plan = compilation.plan
    generated = emit(plan, name, source.labels)
    facts = {
        "model_sha256": source.graph.sha256,
        "input": port_facts(source.input),
        "output": port_facts(source.output),
        "labels": list(source.labels),
        **plan_facts(compilation),
    }
    files: dict[str, str | bytes] = {
        f"{name}.h": generated.header,
        f"{name}.c": generated.code,
        "plan.json": json.dumps(facts, indent=1) + "\n",
        "plan.svg": picture(plan, f"{source.name} ({source.path.name})"),
        **kernel_files(),
    }
    next_step = (
        f"compile {name}.c and ecx_*.c (on a Cortex-M4, M7 or M33 also ecx_*.S), then call "
        f"{name}_begin, {name}_push_row for every row, and {name}_finish"
    )
    return Export(files, facts, _lines(compilation), next_step)


def plan_facts(compilation: Compilation) -> dict[str, Any]:
    """The plan as JSON values; sizes in bytes."""
    plan, plain = compilation.plan, compilation.plain
    return {
        "arena_bytes": plan.total,
        "plain_arena_bytes": plain.total,
        "constant_bytes": plan.model.flash,
        "macs": plan.model.macs,
        "streamed_layers": plan.depth,
        "segments": [
            {"first": s.start, "last": s.end - 1, "by_rows": s.by_rows, "arriving": s.arriving}
            for s in plan.timeline.segments
        ],
        "layers": [
            {
                "name": layer.name,
                "op": layer.op,
                "shape": [layer.output.height, layer.output.width, layer.output.channels],
                "macs": layer.macs,
                "live_bytes": plan.live_bytes(i),
                "plain_live_bytes": plain.live_bytes(i),
                "constant_bytes": layer.flash,
            }
            for i, layer in enumerate(plan.model.layers)
        ],
    }


def _lines(compilation: Compilation) -> tuple[tuple[str, str], ...]:
    plan, plain = compilation.plan, compilation.plain
    head = f"{'output':>12}{'MACs':>12}{'bytes live':>12}{'plain':>10}{'constants':>11}"
    return (
        ("arena", f"{plan.total:,} bytes; a plain plan needs {plain.total:,}"),
        ("constants", f"{plan.model.flash:,} bytes"),
        ("streamed", _streamed(plan)),
        ("layer", head),
        *(
            (
                layer.name,
                f"{layer.output.shape:>12}{layer.macs:>12,}{plan.live_bytes(i):>12,}"
                f"{plain.live_bytes(i):>10,}{layer.flash:>11,}",
            )
            for i, layer in enumerate(plan.model.layers)
        ),
    )


def _streamed(plan: Plan) -> str:
    if not plan.depth:
        return "no layer: the image is stored whole"
    last = plan.model.layers[plan.depth - 1]
    return f"{plan.depth} layers run while the image arrives, up to {last.name}"
