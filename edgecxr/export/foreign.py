# SPDX-License-Identifier: Apache-2.0
"""A ``.tflite`` file from another tool → one that everything here takes."""

from __future__ import annotations

from typing import Any

from edgecxr.core.pixels import METADATA, PixelRange
from edgecxr.errors import MissingPackageError, ModelError
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
    model = schema.ModelT.InitFromPackedBuf(bytearray(data), 0)
    if has_uint8:
        _to_int8(model, schema)
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


def _packed(model: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _to_int8(model: Any, schema: Any) -> None:
    """Cut off the QUANTIZE that stands at a uint8 end, so that the int8 behind it is the end."""
    graph = model.subgraphs[0]
    for ends, inner in ((graph.inputs, 1), (graph.outputs, 0)):
        # The other end may be of another type; whether it fits is judged where the model is opened.
        if graph.tensors[ends[0]].type != schema.TensorType.UINT8:
            continue
        operator = _quantize_at(model, schema, ends, inner)
        ends[0] = (operator.inputs, operator.outputs)[inner][0]
        graph.operators.remove(operator)
    model.signatureDefs = None  # they name the tensors that were cut off


def _quantize_at(model: Any, schema: Any, ends: Any, inner: int) -> Any:
    """The QUANTIZE at the input (``inner`` 1) or the output (0): to or from int8, by a shift."""
    graph = model.subgraphs[0]
    for operator in graph.operators:
        sides = (operator.inputs, operator.outputs)
        code = model.operatorCodes[operator.opcodeIndex]
        # Old converters wrote the byte alone, as the reader knows too.
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        if number != schema.BuiltinOperator.QUANTIZE or sides[1 - inner][0] != ends[0]:
            continue
        outside, inside = (graph.tensors[sides[i][0]] for i in (1 - inner, inner))
        if inside.type == schema.TensorType.INT8 and _shifts(outside, inside):
            return operator
    what = "input" if inner else "output"
    raise ModelError(
        f"the model has a uint8 {what} that is not int8 shifted by {_SHIFT}, as TensorFlow's "
        "converter makes it; convert it again with int8 or float32 at both ends"
    )


def _shifts(outside: Any, inside: Any) -> bool:
    there, here = outside.quantization, inside.quantization
    return bool(
        there.scale[0] == here.scale[0] and there.zeroPoint[0] - here.zeroPoint[0] == _SHIFT
    )


def _name_range(model: Any, schema: Any, pixels: PixelRange) -> None:
    buffer = schema.BufferT()
    buffer.data = list(pixels.encode())
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA, len(model.buffers)
    model.buffers.append(buffer)
    # Names come out of a file as bytes.
    others = [each for each in model.metadata or () if each.name != METADATA.encode()]
    model.metadata = [*others, entry]
