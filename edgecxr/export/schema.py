# SPDX-License-Identifier: Apache-2.0
"""Names and numbers of TensorFlow Lite's schema.fbs, version 3, as far as the reader uses them.

A test compares all of it with the schema that LiteRT ships.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


IDENTIFIER = b"TFL3"
VERSION = 3

# BuiltinOperator, in the order of its codes 0, 1, 2, …
BUILTIN_OPERATORS = _names(
    """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
    EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
    LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1
    RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM
    CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
    SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
    BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM
    CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE
    SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW
    ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK
    REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR
    LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS
    WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
    NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM
    BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG
    REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
    CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL
    BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD
    UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR
    RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY
    STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE
    STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL
    STABLEHLO_REDUCE STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL
    STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER
    STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH
    STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE
    STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL
    STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE
    DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT
    STABLEHLO_CBRT STABLEHLO_CASE
    """
)
CUSTOM = "CUSTOM"

# TensorType, in the order of its codes. Where numpy has the type, its name is the lower-case one.
TENSOR_TYPES = _names(
    """
    FLOAT32 FLOAT16 INT32 UINT8 INT64 STRING BOOL INT16 COMPLEX64 INT8 FLOAT64 COMPLEX128 UINT64
    RESOURCE VARIANT UINT32 UINT16 INT4 BFLOAT16 INT2 UINT4 FLOAT8_E4M3FN FLOAT8_E5M2
    """
)
NUMPY_TYPES = frozenset(
    _names(
        """
    FLOAT32 FLOAT16 FLOAT64 INT8 INT16 INT32 INT64 UINT8 UINT16 UINT32 UINT64 BOOL
    """
    )
)

ENUMS: dict[str, tuple[str, ...]] = {
    "Padding": ("SAME", "VALID"),
    "ActivationFunctionType": ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT"),
    "FullyConnectedOptionsWeightsFormat": ("DEFAULT", "SHUFFLED4x16INT8"),
}

FieldKind = Literal[
    "count",  # int32, at least 1
    "int",  # int32
    "bool",
    "float",  # float32, finite
    "ints",  # vector of int32
    "Padding",
    "ActivationFunctionType",
    "FullyConnectedOptionsWeightsFormat",
]


@dataclass(frozen=True)
class Field:
    """One option: our name for it, its slot in the schema's table, and what is not stored."""

    name: str
    slot: int
    kind: FieldKind
    default: int = 0


@dataclass(frozen=True)
class OpForm:
    """How an operator is stored: how many inputs, at least and at most, and its options."""

    inputs: tuple[int, int]
    table: str = ""
    union_code: int = 0
    fields: tuple[Field, ...] = ()


def _activation(slot: int) -> Field:
    return Field("fused_activation", slot, "ActivationFunctionType")


_WINDOW = (
    Field("padding", 0, "Padding"),
    Field("stride_w", 1, "count"),
    Field("stride_h", 2, "count"),
)
_POOL = OpForm(
    (1, 1),
    "Pool2DOptions",
    5,
    (
        *_WINDOW,
        Field("filter_width", 3, "count"),
        Field("filter_height", 4, "count"),
        _activation(5),
    ),
)
_REDUCER = OpForm((2, 2), "ReducerOptions", 27, (Field("keep_dims", 0, "bool"),))

OP_FORMS: dict[str, OpForm] = {
    "CONV_2D": OpForm(
        (2, 3),
        "Conv2DOptions",
        1,
        (
            *_WINDOW,
            _activation(3),
            Field("dilation_w", 4, "count", 1),
            Field("dilation_h", 5, "count", 1),
        ),
    ),
    "DEPTHWISE_CONV_2D": OpForm(
        (2, 3),
        "DepthwiseConv2DOptions",
        2,
        (
            *_WINDOW,
            Field("depth_multiplier", 3, "count"),
            _activation(4),
            Field("dilation_w", 5, "count", 1),
            Field("dilation_h", 6, "count", 1),
        ),
    ),
    "FULLY_CONNECTED": OpForm(
        (2, 3),
        "FullyConnectedOptions",
        8,
        (
            _activation(0),
            Field("weights_format", 1, "FullyConnectedOptionsWeightsFormat"),
            Field("keep_num_dims", 2, "bool"),
        ),
    ),
    "AVERAGE_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "MEAN": _REDUCER,
    "SUM": _REDUCER,
    "REDUCE_MAX": _REDUCER,
    "ADD": OpForm((2, 2), "AddOptions", 11, (_activation(0),)),
    "SUB": OpForm((2, 2), "SubOptions", 28, (_activation(0),)),
    "MUL": OpForm((2, 2), "MulOptions", 21, (_activation(0),)),
    "PAD": OpForm((2, 2)),
    "RESHAPE": OpForm((1, 2), "ReshapeOptions", 17, (Field("new_shape", 0, "ints"),)),
    "SQUEEZE": OpForm((1, 1), "SqueezeOptions", 30, (Field("squeeze_dims", 0, "ints"),)),
    "CONCATENATION": OpForm(
        (1, 1024), "ConcatenationOptions", 10, (Field("axis", 0, "int"), _activation(1))
    ),
    "SOFTMAX": OpForm((1, 1), "SoftmaxOptions", 9, (Field("beta", 0, "float"),)),
    "LEAKY_RELU": OpForm((1, 1), "LeakyReluOptions", 75, (Field("alpha", 0, "float"),)),
    "PRELU": OpForm((2, 2)),
    "LOGISTIC": OpForm((1, 1)),
    "TANH": OpForm((1, 1)),
    "RELU": OpForm((1, 1)),
    "RELU6": OpForm((1, 1)),
    "HARD_SWISH": OpForm((1, 1)),
    "QUANTIZE": OpForm((1, 1)),
    "DEQUANTIZE": OpForm((1, 1)),
}
