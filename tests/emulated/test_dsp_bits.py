# SPDX-License-Identifier: Apache-2.0
"""The DSP kernels on an emulated Cortex-M4F give TFLM's bits, and so do the portable ones."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.engine.measure import M0, M4, M4_PORTABLE, Target, measure
from tests.emulated.board import Board
from tests.export.compiled.graphs import RandomGraph, graphs
from tests.export.compiled.host import inputs_of, plan_of
from tests.export.compiled.reference import Reference
from tests.export.compiled.test_exact import quick

pytestmark = pytest.mark.heavy

BATCH = 16


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return Board(tmp_path_factory.mktemp("kernels"))


@quick(5)
@given(batch=st.lists(graphs(), min_size=BATCH, max_size=BATCH))
def test_random_graphs(batch: list[RandomGraph], board: Board, reference: Reference) -> None:
    plans = [plan_of(g.data, g.seed if i % 2 else None) for i, g in enumerate(batch)]
    inputs = [inputs_of(plan, 2, g.seed) for g, plan in zip(batch, plans, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        ours = board.run(Path(folder), plans, inputs)
    for graph, plan, values, outputs in zip(batch, plans, inputs, ours, strict=True):
        shape = values.shape[:1] + tuple(plan.model.source_shape)
        theirs = reference.run("tflm", graph.data, values.reshape(shape))
        np.testing.assert_array_equal(outputs, theirs, err_msg=str(graph.ops))


def pictures(count: int) -> NDArray[np.uint8]:
    """Noise, flat areas, ramps and blobs: uint8 [count, 96, 96]."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[:96, :96].astype(np.float32) / 95
    made = []
    for i in range(count):
        a, b, c, d = random.uniform(-1, 1, 4)
        smooth = a * x + b * y + c * np.cos(9 * (x - d)) * np.sin(7 * y)
        noise = random.normal(0, (0, 0.05, 1)[i % 3], (96, 96))
        made.append(np.clip(128 + 128 * (smooth + noise), 0, 255))
    return np.array(made).astype(np.uint8)


TARGETS = {"dsp": (M4, 48), "portable": (M4_PORTABLE, 6), "microbit": (M0, 1)}


@pytest.mark.parametrize(("target", "count"), TARGETS.values(), ids=TARGETS)
def test_the_reference_bundle(
    target: Target, count: int, cxr3: bytes, reference: Reference, tmp_path: Path
) -> None:
    images = pictures(count)
    ours = measure(target, cxr3, images, tmp_path).scores
    values = (images.astype(np.int16) - 128).astype(np.int8)[..., np.newaxis]
    theirs = reference.run("tflm", cxr3, values)
    np.testing.assert_array_equal(ours, theirs)
    assert len({tuple(row) for row in ours.tolist()}) > count // 2
