# SPDX-License-Identifier: Apache-2.0
"""``.tflite`` bytes → Graph, with everything checked before it is used."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgecxr.core.files import sha256
from edgecxr.core.flatbuffer import FlatBuffer, Table, damaged
from edgecxr.core.pixels import pixel_range_of
from edgecxr.errors import ModelError
from edgecxr.export import schema
from edgecxr.export.graph import Graph, Op, OptionValue, Quantization, Tensor

MAX_BYTES = 16 * 2**20
MAX_ENTRIES = 16_384
MAX_RANK = 8
MAX_TENSOR_BYTES = 2**31 - 1
_OPTIONAL = -1


def read_tflite(data: bytes) -> Graph:
    """Read and check a TensorFlow Lite model with one static subgraph.

    Constants are read-only views of ``data``. Time and memory are bounded by the size of the file.

    Raises:
        ModelError: if the file is too large, damaged, or uses what the tool does not support; the
            message is one sentence that names the tensor or operator.
    """
    if len(data) > MAX_BYTES:
        raise ModelError(
            f"the .tflite file has {len(data):,} bytes, at most {MAX_BYTES:,} (16 MiB) are read; "
            "a model for a microcontroller is far smaller"
        )
    if len(data) < 8 or data[4:8] != schema.IDENTIFIER:
        raise ModelError(
            'this is not a .tflite file: bytes 4 to 7 must be "TFL3"; '
            "give a TensorFlow Lite model file"
        )
    model = FlatBuffer(data).root("the model")
    version = model.integer(0, "u4")
    if version != schema.VERSION:
        raise ModelError(
            f"the .tflite file has schema version {version}, expected {schema.VERSION}; "
            "convert the model again"
        )
    codes = _operator_codes(model)
    subgraph = _only_subgraph(model)
    tensors = _tensors(model, subgraph)
    inputs = _ends(subgraph, 1, "input", len(tensors))
    outputs = _ends(subgraph, 2, "output", len(tensors))
    ops = tuple(
        _operator(subgraph.entry(3, i, f"operator {i}"), i, codes, len(tensors))
        for i in range(_count(subgraph, 3, "operators"))
    )
    _check_order(tensors, ops, inputs, outputs)
    return Graph(tensors, ops, inputs, outputs, sha256(data), len(data), pixel_range_of(model))


def quoted(name: str) -> str:
    """A name from the file as it can stand in a sentence: printable, quoted, not too long."""
    short = name if len(name) <= 60 else name[:57] + "..."
    return '"' + short.encode("unicode_escape").decode().replace('"', "'") + '"'


def _count(table: Table, slot: int, what: str) -> int:
    count = table.length(slot)
    if count > MAX_ENTRIES:
        raise ModelError(
            f"the model has {count:,} {what}, at most {MAX_ENTRIES:,} are read; "
            "no model for a microcontroller is that large"
        )
    return count


def _only_subgraph(model: Table) -> Table:
    count = _count(model, 2, "subgraphs")
    if count != 1:
        raise ModelError(
            f"the model has {count} subgraphs, expected exactly one; "
            "convert it without control flow (IF, WHILE, CALL_ONCE)"
        )
    return model.entry(2, 0, "the subgraph")


def _operator_codes(model: Table) -> tuple[tuple[str, int], ...]:
    """Name and version of each operator code; a custom operator is ``CUSTOM:its name``."""
    codes = []
    for i in range(_count(model, 1, "operator codes")):
        entry = model.entry(1, i, f"operator code {i}")
        # Codes up to 127 were once a byte; newer files store both, and the larger one holds.
        code = max(entry.integer(0, "i1"), entry.integer(3, "i4"))
        if not 0 <= code < len(schema.BUILTIN_OPERATORS):
            raise ModelError(
                f"operator code {i} is {code}, known are 0 to {len(schema.BUILTIN_OPERATORS) - 1}; "
                "the file is damaged or newer than this version of edgecxr"
            )
        name = schema.BUILTIN_OPERATORS[code]
        if name == schema.CUSTOM:
            name = f"{schema.CUSTOM}:{entry.string(1)}"
        codes.append((name, entry.integer(2, "i4", 1)))
    return tuple(codes)


def _tensors(model: Table, subgraph: Table) -> tuple[Tensor, ...]:
    buffers = _count(model, 4, "buffers")
    tensors = []
    for i in range(_count(subgraph, 0, "tensors")):
        entry = subgraph.entry(0, i, f"tensor {i}")
        label = f"tensor {i} {quoted(entry.string(3))}"
        index = entry.integer(2, "u4")
        if index >= max(buffers, 1):
            damaged(f"{label} is in buffer {index}, and there are {buffers}")
        # Buffer 0 is empty by convention: a tensor there is computed, not stored.
        content = _content(model.entry(4, index, f"buffer {index}"), index) if index else None
        tensors.append(_tensor(entry, i, label, content))
    return tuple(tensors)


def _content(buffer: Table, index: int) -> NDArray[np.uint8] | None:
    """A buffer's bytes, or None if it is empty."""
    if buffer.integer(1, "u8") or buffer.integer(2, "u8"):
        raise ModelError(
            f"buffer {index} lies outside the flatbuffer, which TFLM cannot read; "
            "convert the model again without external buffers"
        )
    content = buffer.vector(0, "u1")
    return None if content is None or len(content) == 0 else content.astype(np.uint8, copy=False)


def _tensor(entry: Table, index: int, label: str, content: NDArray[np.uint8] | None) -> Tensor:
    dtype = _dtype(entry, label)
    shape = _shape(entry, label)
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes > MAX_TENSOR_BYTES:
        raise ModelError(
            f"{label} of shape {list(shape)} needs {nbytes:,} bytes, "
            f"at most {MAX_TENSOR_BYTES:,} are possible; use a smaller model"
        )
    if content is not None and len(content) != nbytes:
        damaged(f"{label} of shape {list(shape)} needs {nbytes:,} bytes and has {len(content):,}")
    for slot, what in ((6, "is stored sparse"), (10, "is in an external buffer")):
        if entry.integer(slot, "u4"):
            raise ModelError(f"{label} {what}, which is not supported; convert it as a dense model")
    data = None if content is None else content.view(dtype).reshape(shape)
    return Tensor(
        index=index,
        name=entry.string(3),
        shape=shape,
        dtype=dtype.name,
        quantization=_quantization(entry, label, shape, dtype),
        data=data,
        variable=bool(entry.integer(5, "u1")),
    )


def _dtype(entry: Table, label: str) -> np.dtype[np.generic]:
    code = entry.integer(1, "i1")
    if not 0 <= code < len(schema.TENSOR_TYPES):
        damaged(f"{label} has element type {code}")
    name = schema.TENSOR_TYPES[code]
    if name not in schema.NUMPY_TYPES:
        raise ModelError(
            f"{label} holds {name}, supported are {', '.join(sorted(schema.NUMPY_TYPES))}; "
            "convert the model with int8 or float32 tensors"
        )
    return np.dtype(name.lower()).newbyteorder("<")


def _shape(entry: Table, label: str) -> tuple[int, ...]:
    shape, signature = entry.integers(0), entry.integers(7)
    if len(shape) > MAX_RANK:
        raise ModelError(
            f"{label} has {len(shape)} dimensions, at most {MAX_RANK} are supported; "
            "use a smaller model"
        )
    # Keras leaves the batch open (signature -1) and stores 1 for it: that is how TFLM runs it.
    open_sizes = signature[1:] if shape[:1] == (1,) else signature
    if min(shape, default=1) < 0 or min(open_sizes, default=1) < 0:
        raise ModelError(
            f"{label} has the dynamic shape {list(signature or shape)}, expected a static one; "
            "convert the model with a fixed input shape"
        )
    if 0 in shape:
        raise ModelError(
            f"{label} of shape {list(shape)} has no elements, expected at least one; "
            "convert the model again without it"
        )
    return shape


def _quantization(
    entry: Table, label: str, shape: tuple[int, ...], dtype: np.dtype[np.generic]
) -> Quantization | None:
    stored = entry.table(4, f"the quantization of {label}")
    if stored is None or dtype.kind not in "iu":
        return None
    scale, zero_point, axis = stored.reals(2), stored.integers(3, "i8"), stored.integer(6, "i4")
    if stored.integer(4, "u1"):
        raise ModelError(
            f"{label} is quantized in a custom way, expected scales and zero points; "
            "convert the model again"
        )
    if not scale:
        return None
    if len(zero_point) != len(scale):
        damaged(f"{label} has {len(scale)} scales and {len(zero_point)} zero points")
    if len(scale) > 1 and len(shape) == 1:
        axis = 0  # older converters gave a bias the dimension of its weights
    if len(scale) > 1:
        channels = shape[axis] if 0 <= axis < len(shape) else 0
        if len(scale) != channels:
            damaged(f"{label} has {len(scale)} scales for {channels} channels in dimension {axis}")
    bad_scale = next((s for s in scale if not (math.isfinite(s) and s > 0)), None)
    if bad_scale is not None:
        raise ModelError(
            f"{label} has the scale {bad_scale}, expected a finite one above 0; "
            "quantize the model again"
        )
    limits = np.iinfo(dtype.name)
    if min(zero_point) < limits.min or max(zero_point) > limits.max:
        raise ModelError(
            f"{label} has a zero point outside {limits.min} to {limits.max}, the range of "
            f"{dtype.name}; quantize the model again"
        )
    return Quantization(scale, zero_point, axis)


def _ends(subgraph: Table, slot: int, what: str, tensors: int) -> tuple[int, ...]:
    """The tensor indices of the model's inputs or outputs."""
    indices = subgraph.integers(slot)
    if not indices:
        raise ModelError(f"the model has no {what}, expected at least one; convert it again")
    for index in indices:
        if not 0 <= index < tensors:
            damaged(f"{what} {index} of the model is none of its {tensors} tensors")
    if len(set(indices)) != len(indices):
        damaged(f"one tensor is listed twice as {what} of the model")
    return indices


def _operator(entry: Table, index: int, codes: tuple[tuple[str, int], ...], tensors: int) -> Op:
    code = entry.integer(0, "u4")
    if code >= len(codes):
        damaged(f"operator {index} has code {code}, and there are {len(codes)}")
    name, version = codes[code]
    label = f"operator {index} ({quoted(name)[1:-1]})"
    inputs, outputs = entry.integers(1), entry.integers(2)
    lowest = {"input": _OPTIONAL, "output": 0}
    for what, indices in (("input", inputs), ("output", outputs)):
        for i in indices:
            if not lowest[what] <= i < tensors:
                damaged(f"{what} {i} of {label} is none of the {tensors} tensors")
    if not outputs:
        damaged(f"{label} has no output")
    form = schema.OP_FORMS.get(name)
    options = entry.table(4, f"the options of {label}")
    if form is None:
        return Op(index, name, version, inputs, outputs)
    least, most = form.inputs
    if not least <= len(inputs) <= most or _OPTIONAL in inputs[:least] or len(outputs) != 1:
        raise ModelError(
            f"{label} has {len(inputs)} inputs and {len(outputs)} outputs, expected "
            f"{least if least == most else f'{least} to {most}'} and 1; convert the model again"
        )
    kind = entry.integer(3, "u1")
    if options is not None and form.fields and kind != form.union_code:
        damaged(f"{label} has options of kind {kind}, expected {form.union_code}")
    read = {field.name: _option(options, field, label) for field in form.fields}
    return Op(index, name, version, inputs, outputs, read)


def _option(options: Table | None, field: schema.Field, label: str) -> OptionValue:
    if field.kind == "ints":
        return () if options is None else options.integers(field.slot)
    if field.kind == "float":
        value = 0.0 if options is None else options.real(field.slot)
        if not math.isfinite(value):
            damaged(f"{field.name} of {label} is {value}")
        return value
    if field.kind in ("count", "int"):
        number = field.default
        if options is not None:
            number = options.integer(field.slot, "i4", field.default)
        if field.kind == "count" and number < 1:
            damaged(f"{field.name} of {label} is {number}, expected at least 1")
        return number
    code = 0 if options is None else options.integer(field.slot, "u1")
    if field.kind == "bool":
        return bool(code)
    names = schema.ENUMS[field.kind]
    if code >= len(names):
        damaged(f"{field.name} of {label} has the unknown value {code}")
    return names[code]


def _check_order(
    tensors: tuple[Tensor, ...],
    ops: tuple[Op, ...],
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
) -> None:
    """Each tensor is written once, before it is read: no cycles, nothing undefined."""
    ready = {t.index for t in tensors if t.constant or t.variable}
    for i in inputs:
        if i in ready:
            damaged(f"input {i} of the model is a constant")
        ready.add(i)
    for op in ops:
        label = f"operator {op.index} ({quoted(op.name)[1:-1]})"
        for i in op.inputs:
            if i != _OPTIONAL and i not in ready:
                damaged(f"{label} reads tensor {i} before anything has computed it")
        for i in op.outputs:
            if i in ready:
                damaged(f"{label} writes tensor {i}, which already has a value")
            ready.add(i)
    for i in outputs:
        if i not in ready:
            damaged(f"output {i} of the model is never computed")
