# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgecxr.core.quant import (
    activation_range,
    dequantize,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
)
from edgecxr.errors import ModelError
from tests.export.flat import FlatModel, options

INT32 = st.integers(-(2**31), 2**31 - 1)
SCALE = st.floats(2.0**-9, 2.0**3, width=32)
ZERO_POINT = st.integers(-128, 127)


@given(st.floats(2.0**-31, 2.0**30))
@example(1.0)
@example(math.nextafter(1.0, 0.0))  # rounds up to 2**31, which does not fit
@example(0.5 + 2.0**-33)
def test_multiplier_and_shift_come_within_half_a_unit(value: float) -> None:
    multiplier, shift = quantize_multiplier(value)
    assert 2**30 <= multiplier < 2**31
    unit = Fraction(2) ** (shift - 31)
    # Half a unit of the fraction; the carry into the next power of two doubles the unit.
    assert abs(multiplier * unit - Fraction(value)) <= unit / 2


@given(st.floats(2.0**-31, 2.0**30))
def test_a_negative_factor_has_the_negative_multiplier(value: float) -> None:
    multiplier, shift = quantize_multiplier(value)
    negative, same = quantize_multiplier(-value)
    assert Fraction(negative) * Fraction(2) ** same == -multiplier * Fraction(2) ** shift


def test_known_multipliers() -> None:
    assert quantize_multiplier(0.0) == (0, 0)
    assert quantize_multiplier(1.0) == (2**30, 1)
    assert quantize_multiplier(0.5) == (2**30, 0)
    assert quantize_multiplier(0.75) == (3 * 2**29, 0)
    assert quantize_multiplier(math.nextafter(1.0, 0.0)) == (2**30, 1)
    assert quantize_multiplier(2.0**-32) == (2**30, -31)
    assert quantize_multiplier(2.0**-33) == (0, 0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_factor_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ModelError, match="expected a finite number"):
        quantize_multiplier(value)


def _as_in_c(x: int, multiplier: int, shift: int) -> int:
    """common.cc and gemmlowp's fixedpoint.h, line by line, on Python's integers."""
    x = (x * (1 << max(shift, 0)) + 2**31) % 2**32 - 2**31
    if x == multiplier == -(2**31):
        high = 2**31 - 1
    else:
        product = x * multiplier
        nudged = product + (2**30 if product >= 0 else 1 - 2**30)
        high = abs(nudged) // 2**31 * (1 if nudged >= 0 else -1)  # C divides towards zero
    exponent = max(-shift, 0)
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (1 if high < 0 else 0)
    return (high >> exponent) + (1 if (high & mask) > threshold else 0)


@settings(max_examples=500)
@given(INT32, INT32, st.integers(-31, 30))
@example(-(2**31), -(2**31), 0)
@example(-(2**31), -(2**31), -31)
@example(2**31 - 1, 2**31 - 1, -31)
@example(-3, 2**30, -1)
def test_requantization_is_c_s(x: int, multiplier: int, shift: int) -> None:
    found = multiply_by_quantized_multiplier(np.array([x], np.int32), multiplier, shift)
    assert found.dtype == np.int32
    assert found.tolist() == [_as_in_c(x, multiplier, shift)]


@settings(max_examples=300)
@given(st.integers(-(2**24), 2**24), st.floats(2.0**-20, 1.0))
def test_requantization_is_within_one_of_the_real_product(x: int, factor: float) -> None:
    multiplier, shift = quantize_multiplier(factor)
    found = multiply_by_quantized_multiplier(np.array([x], np.int32), multiplier, shift)
    assert abs(int(found[0]) - Fraction(x) * Fraction(factor)) <= 1


def test_requantization_takes_a_multiplier_per_channel() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(-(2**20), 2**20, (7, 4)).astype(np.int32)
    pairs = [quantize_multiplier(f) for f in (0.1, 0.001, 0.9, 1.7)]
    multiplier, shift = (np.array(part, np.int32) for part in zip(*pairs, strict=True))
    found = multiply_by_quantized_multiplier(x, multiplier, shift)
    assert found.tolist() == [
        [_as_in_c(int(v), m, s) for v, (m, s) in zip(row, pairs, strict=True)] for row in x
    ]


def _reference(flat: FlatModel, value: NDArray[Any]) -> NDArray[Any]:
    """What LiteRT's reference kernels, the same code as TFLM's, make of ``value``."""
    litert = Interpreter(
        model_content=flat.pack(), experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    litert.allocate_tensors()
    litert.set_tensor(litert.get_input_details()[0]["index"], value)
    litert.invoke()
    return np.asarray(litert.get_tensor(litert.get_output_details()[0]["index"]))


@settings(max_examples=60, deadline=None)
@given(SCALE, ZERO_POINT, SCALE, ZERO_POINT)
def test_requantization_is_litert_s(
    scale: float, zero_point: int, out_scale: float, out_zero_point: int
) -> None:
    flat = FlatModel()
    source = flat.tensor((1, 256), scale=(scale,), zero_point=(zero_point,))
    target = flat.tensor((1, 256), scale=(out_scale,), zero_point=(out_zero_point,))
    flat.op("QUANTIZE", (source,), (target,), options("QuantizeOptions"))
    flat.graph.inputs, flat.graph.outputs = [source], [target]
    values = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)

    multiplier, shift = quantize_multiplier(scale / out_scale)
    ours = multiply_by_quantized_multiplier(values.astype(np.int32) - zero_point, multiplier, shift)
    np.testing.assert_array_equal(
        np.clip(ours + out_zero_point, -128, 127), _reference(flat, values)
    )


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["NONE", "RELU", "RELU_N1_TO_1", "RELU6"]),
    st.floats(2.0**-9, 2.0, width=32),
    ZERO_POINT,
)
def test_activation_range_is_litert_s(activation: str, scale: float, zero_point: int) -> None:
    codes = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
    flat = FlatModel()
    source = flat.tensor((2, 1), scale=(64.0,))
    weight = flat.tensor((1, 1), scale=(1.0,), data=np.array([[127]], np.int8))
    target = flat.tensor((2, 1), scale=(scale,), zero_point=(zero_point,))
    chosen = options("FullyConnectedOptions", fusedActivationFunction=codes[activation])
    flat.op("FULLY_CONNECTED", (source, weight, -1), (target,), chosen)
    flat.graph.inputs, flat.graph.outputs = [source], [target]
    # ±1 million, far beyond what int8 holds at these scales: the output sits at its bounds.
    found = _reference(flat, np.array([[-128], [127]], np.int8))
    assert tuple(found.ravel().tolist()) == activation_range(activation, scale, zero_point)


def test_activation_range_of_other_types() -> None:
    assert activation_range("RELU6", 6 / 255, 0, "uint8") == (0, 255)
    assert activation_range("RELU", 0.001, 5, "int16") == (5, 32767)


def test_activation_range_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ModelError, match="TANH is not supported on integers, supported are NONE"):
        activation_range("TANH", 0.1, 0)
    with pytest.raises(ModelError, match="too small for an activation bound of 6"):
        activation_range("RELU6", 1e-40, 0)


@settings(max_examples=60, deadline=None)
@given(SCALE, ZERO_POINT)
def test_dequantize_is_litert_s(scale: float, zero_point: int) -> None:
    flat = FlatModel()
    source = flat.tensor((1, 256), scale=(scale,), zero_point=(zero_point,))
    target = flat.tensor((1, 256), "FLOAT32", ())
    flat.op("DEQUANTIZE", (source,), (target,), options("DequantizeOptions"))
    flat.graph.inputs, flat.graph.outputs = [source], [target]
    values = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
    ours = dequantize(values, scale, zero_point)
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, _reference(flat, values))
