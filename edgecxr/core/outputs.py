# SPDX-License-Identifier: Apache-2.0
"""How many scores a ``.tflite`` classifier gives, read from the file without running it."""

from __future__ import annotations

from pathlib import Path

from edgecxr.core.flatbuffer import FlatBuffer
from edgecxr.errors import ModelError

_SUBGRAPHS, _TENSORS, _OUTPUTS, _SHAPE = 2, 0, 2, 0
"""Slots of the model, its subgraph (twice) and a tensor in TensorFlow Lite's schema."""
_MODEL, _GRAPH, _TENSOR = "the model", "its graph", "its output"


def count_outputs(path: Path) -> int | None:
    """The last size of the model's first output.

    Returns:
        None if the file does not say it: whoever runs the model then says what is wrong.
    """
    try:
        model = FlatBuffer(path.read_bytes()).root(_MODEL)
        if model.length(_SUBGRAPHS) < 1:
            return None
        graph = model.entry(_SUBGRAPHS, 0, _GRAPH)
        outputs = graph.integers(_OUTPUTS)
        if not outputs or not 0 <= outputs[0] < graph.length(_TENSORS):
            return None
        shape = graph.entry(_TENSORS, outputs[0], _TENSOR).integers(_SHAPE)
    except ModelError:
        return None
    return shape[-1] if shape else None
