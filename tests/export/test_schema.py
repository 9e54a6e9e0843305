# SPDX-License-Identifier: Apache-2.0
"""The names and slots written down in schema.py are those of the schema that LiteRT ships."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as litert

from edgecxr.export import schema
from edgecxr.export.reader import read_tflite
from tests.export.flat import FlatModel, options


def _codes(enum: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if not name.startswith("_")}


def test_operator_names_are_litert_s() -> None:
    assert dict(enumerate(schema.BUILTIN_OPERATORS)) == _codes(litert.BuiltinOperator)


def test_tensor_types_are_litert_s() -> None:
    assert dict(enumerate(schema.TENSOR_TYPES)) == _codes(litert.TensorType)
    assert all(np.dtype(name.lower()).name == name.lower() for name in schema.NUMPY_TYPES)


@pytest.mark.parametrize("name", schema.ENUMS)
def test_enums_are_litert_s(name: str) -> None:
    assert dict(enumerate(schema.ENUMS[name])) == _codes(getattr(litert, name))


def _schema_name(ours: str) -> str:
    """Our option name as LiteRT's Python writes it."""
    longer = {
        "fused_activation": "fusedActivationFunction",
        "dilation_w": "dilationWFactor",
        "dilation_h": "dilationHFactor",
    }
    head, *rest = ours.split("_")
    return longer.get(ours, head + "".join(part.capitalize() for part in rest))


def _sample(field: schema.Field, slot: int) -> tuple[Any, Any]:
    """A value to store that is not the default, and what must be read."""
    match field.kind:
        case "count" | "int":
            return 3 + slot, 3 + slot
        case "bool":
            return True, True
        case "float":
            return 0.25, 0.25
        case "ints":
            return [2, 5], (2, 5)
    return 1, schema.ENUMS[field.kind][1]


@pytest.mark.parametrize("name", [name for name, form in schema.OP_FORMS.items() if form.fields])
def test_options_are_read_from_litert_s_slots(name: str) -> None:
    form = schema.OP_FORMS[name]
    assert getattr(litert.BuiltinOptions, form.table) == form.union_code
    stored, expected = {}, {}
    for field in form.fields:
        stored[_schema_name(field.name)], expected[field.name] = _sample(field, field.slot)
    flat = FlatModel()
    inputs = [flat.tensor((1, 4)) for _ in range(form.inputs[0])]
    output = flat.tensor((1, 4))
    flat.op(name, inputs, (output,), options(form.table, **stored))
    flat.graph.inputs, flat.graph.outputs = inputs, [output]
    assert read_tflite(flat.pack()).ops[0].options == expected


@pytest.mark.parametrize("name", [name for name, form in schema.OP_FORMS.items() if form.fields])
def test_defaults_are_litert_s(name: str) -> None:
    form = schema.OP_FORMS[name]
    made = options(form.table)
    for field in form.fields:
        assert (getattr(made, _schema_name(field.name)) or 0) == field.default
