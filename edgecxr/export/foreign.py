# SPDX-License-Identifier: Apache-2.0
"""A ``.tflite`` file from another tool → one that everything here takes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edgecxr.core.flatbuffer import damaged
from edgecxr.core.pixels import METADATA, PixelRange
from edgecxr.errors import MissingPackageError, ModelError
from edgecxr.export.graph import Graph, Op, Tensor
from edgecxr.export.reader import read_tflite
from edgecxr.export.schema import IDENTIFIER

_SHIFT = 128
"""uint8 less int8, of the same real number with the same scale."""


def adapt(data: bytes, pixels: PixelRange | None) -> bytes:
    """The model with int8 in place of uint8 at its ends, and with the range of its pixels in its
    metadata. What needs neither comes back as it was, byte for byte.

    Raises:
        ModelError: if the file is damaged, or takes or gives uint8 in another way than TensorFlow's
            converter does: through one QUANTIZE each that shifts by 128.
        MissingPackageError: if the file must be changed, and ai-edge-litert is not installed.
    """
    graph = read_tflite(data)
    ends = [graph.tensor(i) for i in (*graph.inputs, *graph.outputs)]
    has_uint8 = any(end.dtype == "uint8" for end in ends)
    if not has_uint8 and pixels in (None, graph.pixels):
        return data
    schema = _schema()
    with _damage_named():
        model = schema.ModelT.InitFromPackedBuf(bytearray(data), 0)
    if has_uint8:
        _to_int8(model, graph)
    if pixels is not None:
        _name_range(model, schema, pixels)
    return _packed(model)


def _schema() -> Any:
    """TensorFlow Lite's schema with an object for each table."""
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise MissingPackageError(
            "a model is changed with ai-edge-litert, which is not installed; import it on a "
            "computer that has it: pip install ai-edge-litert"
        ) from error
    return schema_py_generated


@contextmanager
def _damage_named() -> Iterator[None]:
    """The generated classes check nothing, and unpack what the reader never looks at."""
    try:
        yield
    except (struct.error, TypeError, ValueError, IndexError, AttributeError):
        damaged("its parts do not hold together")


def _packed(model: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    with _damage_named():
        builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _to_int8(model: Any, graph: Graph) -> None:
    """Cut off the QUANTIZE that stands at a uint8 end, so that the int8 behind it is the end."""
    changed, cut = model.subgraphs[0], []
    for ends, inner in ((changed.inputs, 1), (changed.outputs, 0)):
        # The other end may be of another type; whether it fits is judged where the model is opened.
        if graph.tensor(ends[0]).dtype != "uint8":
            continue
        op = _quantize_at(graph, ends[0], inner)
        ends[0] = (op.inputs, op.outputs)[inner][0]
        cut.append(op.index)
    changed.operators = [each for i, each in enumerate(changed.operators) if i not in cut]
    model.signatureDefs = None  # they name the tensors that were cut off


def _quantize_at(graph: Graph, end: int, inner: int) -> Op:
    """The QUANTIZE at the input (``inner`` 1) or the output (0): to or from int8, by a shift."""
    for op in graph.ops:
        sides = (op.inputs, op.outputs)
        if op.name != "QUANTIZE" or sides[1 - inner][0] != end:
            continue
        inside = graph.tensor(sides[inner][0])
        if inside.dtype == "int8" and _shifts(graph.tensor(end), inside):
            return op
    what = "input" if inner else "output"
    raise ModelError(
        f"the model has a uint8 {what} that is not int8 shifted by {_SHIFT}, as TensorFlow's "
        "converter makes it; convert it again with int8 or float32 at both ends"
    )


def _shifts(outside: Tensor, inside: Tensor) -> bool:
    there, here = outside.quantization, inside.quantization
    if there is None or here is None:
        return False
    return there.scale == here.scale and there.zero_point[0] - here.zero_point[0] == _SHIFT


def _name_range(model: Any, schema: Any, pixels: PixelRange) -> None:
    buffer = schema.BufferT()
    buffer.data = list(pixels.encode())
    entry = schema.MetadataT()
    # Buffer 0 is empty by convention, and a file may have none at all.
    model.buffers = [*(model.buffers or [schema.BufferT()]), buffer]
    entry.name, entry.buffer = METADATA, len(model.buffers) - 1
    # Names come out of a file as bytes.
    others = [each for each in model.metadata or () if each.name != METADATA.encode()]
    model.metadata = [*others, entry]
