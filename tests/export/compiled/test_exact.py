# SPDX-License-Identifier: Apache-2.0
"""The compiled code against LiteRT's reference kernels and TFLM, on random graphs."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.export.compiled.graphs import RandomGraph, graphs
from tests.export.compiled.host import Kernels, inputs_of, plan_of
from tests.export.compiled.reference import ENGINES, Reference

pytestmark = pytest.mark.heavy

BATCH = 12
IMAGES = 3
RELATIVE = 1e-5
NEAR_ZERO = 0.1  # a smaller difference of values near 1 is judged like one of this size
# int8 operators in which LiteRT's reference kernels round otherwise than TFLM's
UNLIKE_TFLM = {"FULLY_CONNECTED", "LOGISTIC"}
COUNTS: Counter[str] = Counter()


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    return Kernels(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    made = Reference()
    yield made
    made.close()
    print(dict(COUNTS))


def compare(batch: list[RandomGraph], kernels: Kernels, reference: Reference) -> None:
    # Most of these maps are too small to be worth streaming: every other depth is drawn.
    plans = [plan_of(g.data, g.seed if i % 2 else None) for i, g in enumerate(batch)]
    with tempfile.TemporaryDirectory() as folder:
        models = kernels.library(Path(folder), plans)
        for graph, plan, model in zip(batch, plans, models, strict=True):
            inputs = inputs_of(plan, IMAGES, graph.seed)
            ours = np.array([model.run(values) for values in inputs])
            shape = inputs.shape[:1] + tuple(plan.model.source_shape)
            for engine in ENGINES:
                if engine == "litert" and not graph.float32 and UNLIKE_TFLM & set(graph.ops):
                    continue
                theirs = reference.run(engine, graph.data, inputs.reshape(shape))
                what = f"{graph.ops} streamed {plan.depth} against {engine}"
                assert not isinstance(theirs, str), f"{what}: {theirs}"
                if graph.float32:
                    scale = np.maximum(np.abs(theirs), NEAR_ZERO)
                    assert (np.abs(ours - theirs) / scale).max() < RELATIVE, what
                else:
                    np.testing.assert_array_equal(ours, theirs, err_msg=what)
                COUNTS[f"{engine} outputs"] += ours.size
            COUNTS["graphs"] += 1
            COUNTS.update(graph.ops)


def quick(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],  # a batch costs a compiler run: too slow to shrink
        suppress_health_check=list(HealthCheck),
    )


INT8 = st.lists(graphs(), min_size=BATCH, max_size=BATCH)
FLOAT32 = st.lists(graphs(float32=True), min_size=BATCH, max_size=BATCH)


@quick(20)
@given(batch=INT8)
def test_int8_has_the_bits_of_tflm(
    batch: list[RandomGraph], kernels: Kernels, reference: Reference
) -> None:
    compare(batch, kernels, reference)


@quick(8)
@given(batch=FLOAT32)
def test_float32_is_as_close_as_float32_can_be(
    batch: list[RandomGraph], kernels: Kernels, reference: Reference
) -> None:
    compare(batch, kernels, reference)


@pytest.mark.slow
@quick(270)
@given(batch=INT8)
def test_thousands_of_int8_graphs(
    batch: list[RandomGraph], kernels: Kernels, reference: Reference
) -> None:
    compare(batch, kernels, reference)


@pytest.mark.slow
@quick(90)
@given(batch=FLOAT32)
def test_a_thousand_float32_graphs(
    batch: list[RandomGraph], kernels: Kernels, reference: Reference
) -> None:
    compare(batch, kernels, reference)
