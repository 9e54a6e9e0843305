# SPDX-License-Identifier: Apache-2.0
"""Graph → plan, all passes in order."""

from __future__ import annotations

from dataclasses import dataclass

from edgecxr.export.compiled.build import build_model
from edgecxr.export.compiled.fast_layers import use_fast_kernels
from edgecxr.export.compiled.plan import Plan, make_plan, plain_plan
from edgecxr.export.graph import Graph


@dataclass(frozen=True)
class Compilation:
    """The plan that is emitted, and the plain one to compare it with."""

    plan: Plan
    plain: Plan


def compile_graph(graph: Graph) -> Compilation:
    """Layers, kernels and memory of a model.

    Raises:
        ModelError: if the compiled runtime lacks an operator or a form of it; the message says
            which, with its shapes, and what is supported.
    """
    model = build_model(graph)
    return Compilation(make_plan(use_fast_kernels(model)), plain_plan(model))
