# SPDX-License-Identifier: Apache-2.0
"""Small random graphs as ``.tflite`` files: a strategy for hypothesis.

Structure (operators, shapes, strides, paddings, activations) is drawn by hypothesis, so that a
failure shrinks; weights and scales come from a generator seeded by hypothesis. Output scales are
chosen from the spread that the sums really have, so that values do not just saturate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.export.flat import FlatModel, options

ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
SPREAD = 60.0  # standard deviation of activations in int8 steps


@dataclass(frozen=True)
class Node:
    """A tensor of the graph in the making. ``shape`` is without the batch."""

    index: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int


class RandomGraph:
    """``ops`` lists the operators' names, for reports.

    No dataclass: hypothesis would print all of it.
    """

    def __init__(self, data: bytes, ops: tuple[str, ...], seed: int, float32: bool) -> None:
        self.data, self.ops, self.seed, self.float32 = data, ops, seed, float32

    def __repr__(self) -> str:
        return f"RandomGraph({', '.join(self.ops)}, seed={self.seed})"


@dataclass
class Maker:
    draw: Callable[[Any], Any]
    rng: np.random.Generator
    float32: bool
    flat: FlatModel = field(default_factory=FlatModel)
    ops: list[str] = field(default_factory=list)
    earlier: list[Node] = field(default_factory=list)

    def node(self, shape: Sequence[int], scale: float, zero_point: int) -> Node:
        if self.float32:
            index = self.flat.tensor((1, *shape), "FLOAT32", (), ())
            return Node(index, tuple(shape), 1.0, 0)
        scale = float(np.float32(scale))
        index = self.flat.tensor((1, *shape), "INT8", (scale,), (zero_point,))
        return Node(index, tuple(shape), scale, zero_point)

    def like(self, x: Node, shape: Sequence[int]) -> Node:
        return self.node(shape, x.scale, x.zero_point)

    def random_scale(self) -> float:
        return float(np.exp(self.rng.uniform(np.log(0.004), np.log(0.3))))

    def zero_point(self) -> int:
        return int(self.rng.choice([-128, 0, int(self.rng.integers(-128, 128))]))

    def constant(
        self,
        array: NDArray[Any],
        scale: Sequence[float] = (),
        axis: int = 0,
        zero_point: Sequence[int] | None = None,
    ) -> int:
        name = {"int8": "INT8", "int32": "INT32", "float32": "FLOAT32"}[str(array.dtype)]
        zeros = tuple(zero_point or (0,) * len(scale))
        return self.flat.tensor(array.shape, name, scale, zeros, array, axis)

    def op(self, name: str, inputs: Sequence[int], y: Node, made: Any = None) -> Node:
        self.flat.op(name, inputs, (y.index,), made)
        self.ops.append(name)
        self.earlier.append(y)
        return y

    def activation(self) -> int:
        return ACTIVATIONS[self.draw(st.sampled_from(sorted(ACTIVATIONS)))]


def weights(
    make: Maker, name: str, x: Node, shape: tuple[int, ...], channels: int, axis: int
) -> tuple[int, tuple[int, ...], float]:
    """Weight and bias tensors, and the spread of the sums in real units."""
    taps = int(np.prod(shape)) // channels
    with_bias = make.draw(st.booleans()) or name == "CONV_2D"  # LiteRT wants one there
    if make.float32:
        array = (make.rng.normal(size=shape) / np.sqrt(taps)).astype(
            np.float32
        )  # values stay near 1
        values = make.rng.normal(size=channels).astype(np.float32)
        bias = (make.constant(values),) if with_bias else ()
        return make.constant(array), bias, 1.0
    array = make.rng.integers(-127, 128, shape).astype(np.int8)
    count = channels if make.draw(st.booleans()) else 1
    scales = np.exp(make.rng.uniform(np.log(1e-3), np.log(2e-2), count)).astype(np.float32)
    spread = float(np.sqrt(taps) * 70 * SPREAD * x.scale * scales.max())
    bias = ()
    if with_bias:
        sums = np.sqrt(taps) * 70 * SPREAD
        values = (make.rng.normal(size=channels) * sums).astype(np.int32)
        products = tuple(float(np.float32(x.scale) * s) for s in scales)
        bias = (make.constant(values, products),)
    return make.constant(array, tuple(map(float, scales)), axis), bias, spread


def windowed(
    make: Maker, x: Node, limit: int = 4
) -> tuple[int, int, dict[str, int], int, int] | None:
    """kernel_h, kernel_w, options, out_h, out_w."""
    height, width, _ = x.shape
    kernel = make.draw(st.tuples(st.integers(1, limit), st.integers(1, limit)))
    stride = make.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    same = make.draw(st.booleans())
    if same:
        out = (-(-height // stride[0]), -(-width // stride[1]))
    else:
        out = ((height - kernel[0]) // stride[0] + 1, (width - kernel[1]) // stride[1] + 1)
    if min(out) < 1:
        return None
    made = {"padding": 0 if same else 1, "strideH": stride[0], "strideW": stride[1]}
    return kernel[0], kernel[1], made, out[0], out[1]


def conv(make: Maker, x: Node) -> Node | None:
    found = windowed(make, x)
    if found is None:
        return None
    kernel_h, kernel_w, made, height, width = found
    if make.draw(st.booleans()):
        kernel_h = kernel_w = 1
        made = {"padding": 0, "strideH": 1, "strideW": 1}
        height, width = x.shape[:2]
    channels = make.draw(st.integers(1, 9))
    w, bias, spread = weights(
        make, "CONV_2D", x, (channels, kernel_h, kernel_w, x.shape[2]), channels, 0
    )
    y = make.node((height, width, channels), spread / SPREAD, make.zero_point())
    made |= {"fusedActivationFunction": make.activation()}
    return make.op("CONV_2D", (x.index, w, *bias), y, options("Conv2DOptions", **made))


def depthwise(make: Maker, x: Node) -> Node | None:
    found = windowed(make, x)
    if found is None:
        return None
    kernel_h, kernel_w, made, height, width = found
    multiplier = make.draw(st.sampled_from([1, 1, 1, 2, 3]))
    channels = x.shape[2] * multiplier
    w, bias, spread = weights(
        make, "DEPTHWISE_CONV_2D", x, (1, kernel_h, kernel_w, channels), channels, 3
    )
    y = make.node((height, width, channels), spread / SPREAD, make.zero_point())
    made |= {"fusedActivationFunction": make.activation(), "depthMultiplier": multiplier}
    return make.op(
        "DEPTHWISE_CONV_2D", (x.index, w, *bias), y, options("DepthwiseConv2DOptions", **made)
    )


def fully_connected(make: Maker, x: Node) -> Node:
    features, units = int(np.prod(x.shape)), make.draw(st.integers(1, 12))
    w, bias, spread = weights(make, "FULLY_CONNECTED", x, (units, features), units, 0)
    y = make.node((units,), spread / SPREAD, make.zero_point())
    made = options("FullyConnectedOptions", fusedActivationFunction=make.activation())
    return make.op("FULLY_CONNECTED", (x.index, w, *bias), y, made)


def pool(make: Maker, x: Node) -> Node | None:
    found = windowed(make, x)
    if found is None:
        return None
    kernel_h, kernel_w, made, height, width = found
    name = make.draw(st.sampled_from(["AVERAGE_POOL_2D", "MAX_POOL_2D"]))
    made |= {"filterHeight": kernel_h, "filterWidth": kernel_w}
    made |= {"fusedActivationFunction": make.activation()}
    y = make.like(x, (height, width, x.shape[2]))
    return make.op(name, (x.index,), y, options("Pool2DOptions", **made))


def mean(make: Maker, x: Node, keep: bool | None = None) -> Node | None:
    if len(x.shape) != 3:
        return None
    keep = make.draw(st.booleans()) if keep is None else keep
    axes = make.constant(np.array([1, 2], np.int32))
    shape = (1, 1, x.shape[2]) if keep else (x.shape[2],)
    scale = x.scale * float(make.rng.uniform(0.3, 1.2))
    y = make.node(shape, scale, make.zero_point())
    return make.op("MEAN", (x.index, axes), y, options("ReducerOptions", keepDims=keep))


def other_operand(make: Maker, x: Node) -> tuple[int, float, float]:
    """A second operand: an earlier value of the same shape, or a constant that repeats."""
    same = [node for node in make.earlier if node.shape == x.shape]
    if make.draw(st.booleans()):
        node = make.draw(st.sampled_from(same))
        return node.index, node.scale, SPREAD
    shape = make.draw(st.sampled_from([(), (x.shape[-1],), x.shape, (1, *x.shape)]))
    if make.float32:
        return make.constant(make.rng.normal(size=shape).astype(np.float32)), 1.0, 1.0
    values, scale = make.rng.integers(-128, 128, shape).astype(np.int8), make.random_scale()
    scale = float(np.float32(scale))
    return make.constant(np.array(values), (scale,), 0, (make.zero_point(),)), scale, SPREAD


def binary(make: Maker, x: Node) -> Node:
    name = make.draw(st.sampled_from(["ADD", "MUL"]))
    other, scale, spread = other_operand(make, x)
    out = (x.scale + scale) if name == "ADD" else x.scale * scale * spread
    out *= float(make.rng.uniform(0.5, 2))
    y = make.node(x.shape, out, make.zero_point())
    operands = (x.index, other) if make.draw(st.booleans()) else (other, x.index)
    made = options(f"{name.capitalize()}Options", fusedActivationFunction=make.activation())
    return make.op(name, operands, y, made)


def gate(make: Maker, x: Node) -> Node:
    """Squeeze and excite: the mean over space, a sigmoid, times the map."""
    squeezed = mean(make, x, keep=True)
    assert squeezed is not None
    excited = logistic(make, squeezed)
    y = make.node(x.shape, x.scale, x.zero_point)
    operands = (x.index, excited.index) if make.draw(st.booleans()) else (excited.index, x.index)
    return make.op("MUL", operands, y, options("MulOptions"))


def pad(make: Maker, x: Node) -> Node:
    amounts = [make.draw(st.integers(0, 2)) for _ in range(4)]
    amounts += [make.draw(st.sampled_from([0, 0, 0, 1, 2])) for _ in range(2)]
    pairs = np.array([[0, 0], *np.reshape(amounts, (3, 2)).tolist()], np.int32)
    shape = tuple(int(size + sum(pair)) for size, pair in zip(x.shape, pairs[1:], strict=True))
    y = make.like(x, shape)
    return make.op("PAD", (x.index, make.constant(pairs)), y, options("PadOptions"))


def padded_conv(make: Maker, x: Node) -> Node | None:
    """PAD, then VALID: what converters write for explicit padding."""
    pairs = np.array([[0, 0], [0, 1], [1, 1], [0, 0]], np.int32)
    height, width, channels = x.shape
    y = make.like(x, (height + 1, width + 2, channels))
    x = make.op("PAD", (x.index, make.constant(pairs)), y, options("PadOptions"))
    if height + 1 < 3 or width + 2 < 3:
        return x
    w, bias, spread = weights(make, "DEPTHWISE_CONV_2D", x, (1, 3, 3, channels), channels, 3)
    y = make.node(((height - 2) // 2 + 1, (width - 1) // 2 + 1, channels), spread / SPREAD, -128)
    made = options(
        "DepthwiseConv2DOptions",
        padding=1,
        strideH=2,
        strideW=2,
        depthMultiplier=1,
        fusedActivationFunction=3,
    )
    return make.op("DEPTHWISE_CONV_2D", (x.index, w, *bias), y, made)


def separable(make: Maker, x: Node) -> Node:
    """Pointwise, depthwise 3×3, pointwise with ReLU: what the fast kernels take."""
    for name in ("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D"):
        height, width, channels = x.shape
        if name == "CONV_2D":
            channels, made = 2 * make.draw(st.integers(1, 5)), options("Conv2DOptions", padding=0)
            made.strideH = made.strideW = 1
            w, bias, spread = weights(make, name, x, (channels, 1, 1, x.shape[2]), channels, 0)
        else:
            made = options("DepthwiseConv2DOptions", padding=0, depthMultiplier=1)
            made.strideH = made.strideW = make.draw(st.integers(1, 2))
            height, width = -(-height // made.strideH), -(-width // made.strideW)
            w, bias, spread = weights(make, name, x, (1, 3, 3, channels), channels, 3)
        made.fusedActivationFunction = ACTIVATIONS["RELU"]
        y = make.node((height, width, channels), spread / SPREAD / 2, -128)
        x = make.op(name, (x.index, w, *bias), y, made)
    return x


def reshape(make: Maker, x: Node) -> Node:
    count = int(np.prod(x.shape))
    shape = (count,) if make.draw(st.booleans()) else (1, 1, count)
    y = make.like(x, shape)
    target = make.constant(np.array([1, *shape], np.int32))
    return make.op("RESHAPE", (x.index, target), y, options("ReshapeOptions", newShape=[1, *shape]))


def concatenation(make: Maker, x: Node) -> Node:
    same = [
        n
        for n in make.earlier
        if n.shape == x.shape and (n.scale, n.zero_point) == (x.scale, x.zero_point)
    ]
    others = make.draw(st.lists(st.sampled_from(same), min_size=1, max_size=2))
    axis = make.draw(st.integers(1, len(x.shape)))
    shape = list(x.shape)
    shape[axis - 1] *= len(others) + 1
    y = make.like(x, shape)
    inputs = (x.index, *(n.index for n in others))
    written = axis if make.draw(st.booleans()) else axis - len(shape) - 1
    return make.op("CONCATENATION", inputs, y, options("ConcatenationOptions", axis=written))


def softmax(make: Maker, x: Node) -> Node:
    y = make.node(x.shape, 1 / 256, -128)
    beta = float(make.draw(st.sampled_from([1.0, 1.0, 0.5, 2.0])))
    return make.op("SOFTMAX", (x.index,), y, options("SoftmaxOptions", beta=beta))


def logistic(make: Maker, x: Node) -> Node:
    return make.op("LOGISTIC", (x.index,), make.node(x.shape, 1 / 256, -128))


def relu(make: Maker, x: Node) -> Node:
    if make.draw(st.booleans()):
        return make.op("RELU6", (x.index,), make.like(x, x.shape))
    y = make.node(x.shape, x.scale * float(make.rng.uniform(0.4, 1.5)), make.zero_point())
    return make.op("RELU", (x.index,), y)


def leaky_relu(make: Maker, x: Node) -> Node:
    alpha = float(make.rng.uniform(0, 1.2))
    y = make.node(x.shape, x.scale * float(make.rng.uniform(0.4, 1.5)), make.zero_point())
    return make.op("LEAKY_RELU", (x.index,), y, options("LeakyReluOptions", alpha=alpha))


def prelu(make: Maker, x: Node) -> Node:
    shape = make.draw(st.sampled_from([(1,) * (len(x.shape) - 1) + x.shape[-1:], x.shape]))
    if make.float32:
        alpha = make.constant(make.rng.normal(size=shape).astype(np.float32))
    else:
        values = make.rng.integers(-128, 128, shape).astype(np.int8)
        alpha = make.constant(values, (float(np.float32(0.008)),), 0, (make.zero_point(),))
    y = make.node(x.shape, x.scale * float(make.rng.uniform(0.5, 1.5)), make.zero_point())
    return make.op("PRELU", (x.index, alpha), y)


def hard_swish(make: Maker, x: Node) -> Node:
    y = make.node(x.shape, x.scale * float(make.rng.uniform(0.5, 1.5)), make.zero_point())
    return make.op("HARD_SWISH", (x.index,), y, options("HardSwishOptions"))


def requantize(make: Maker, x: Node) -> Node:
    if make.float32:
        return relu(make, x)
    y = make.node(x.shape, x.scale * float(make.rng.uniform(0.3, 3)), make.zero_point())
    return make.op("QUANTIZE", (x.index,), y, options("QuantizeOptions"))


MAP_OPS = [conv, conv, conv, depthwise, depthwise, pool, pool, pad, padded_conv, gate, separable]
ANY_OPS = [
    *(binary, binary, softmax, logistic, relu, leaky_relu, prelu, hard_swish, requantize),
    *(concatenation, reshape, fully_connected, mean),
]


def end(make: Maker, x: Node, dtype: str) -> int:
    """A tensor of x's shape and another type, for the ends of an int8 model."""
    if dtype == "FLOAT32":
        return make.flat.tensor((1, *x.shape), dtype, (), ())
    return make.flat.tensor((1, *x.shape), dtype, (x.scale,), (x.zero_point + 128,))


@st.composite
def graphs(draw: Callable[[Any], Any], float32: bool = False, longest: int = 6) -> RandomGraph:
    """One input, one output, up to ``longest`` drawn operators."""
    seed = draw(st.integers(0, 2**32 - 1))
    make = Maker(draw, np.random.default_rng(seed), float32)
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 8)))
    x = make.node(shape, make.random_scale(), make.zero_point())
    source = x
    ends = draw(st.sampled_from(["", "", "", "", "", "", "FLOAT32", "UINT8"]))
    ends = "" if float32 else ends
    if ends:
        source = replace(x, index=end(make, x, ends))
        make.op("QUANTIZE", (source.index,), x, options("QuantizeOptions"))
    else:
        make.earlier.append(x)
    for _ in range(draw(st.integers(1, longest))):
        kinds = ANY_OPS + (MAP_OPS * 3 if len(x.shape) == 3 else [])
        made = draw(st.sampled_from(kinds))(make, x)
        if made is not None and np.prod(made.shape) <= 4096:
            x = made
    if ends:
        y = replace(x, index=end(make, x, ends))
        name = "DEQUANTIZE" if ends == "FLOAT32" else "QUANTIZE"
        x = make.op(name, (x.index,), y, options(f"{name.capitalize()}Options"))
    if set(make.ops) <= {"RESHAPE"}:
        x = leaky_relu(make, x)
    make.flat.graph.inputs, make.flat.graph.outputs = [source.index], [x.index]
    return RandomGraph(make.flat.pack(), tuple(make.ops), seed, float32)
