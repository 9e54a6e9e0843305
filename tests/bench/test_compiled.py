# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecxr.bench.compiled import CompiledInterpreter
from edgecxr.errors import MissingPackageError, ModelError
from tests.export.compiled.host import compiler
from tests.export.compiled.reference import Reference
from tests.export.flat import FlatModel
from tests.images import blocky_images

pytestmark = pytest.mark.heavy

MODELS = Path(__file__).resolve().parents[2] / "models"


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_the_reference_model_gives_tflms_scores(precision: str) -> None:
    compiler("cc")
    model = MODELS / "cxr3" / f"{precision}.tflite"
    compiled = CompiledInterpreter(model)
    images = blocky_images()[:8]
    reference = Reference()
    theirs = reference.run("tflm", model.read_bytes(), compiled.encode(images))
    reference.close()
    assert not isinstance(theirs, str), theirs
    ours = compiled.raw(images)
    assert len(np.unique(ours)) > 3
    if precision == "int8":
        np.testing.assert_array_equal(ours, theirs)
    else:
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-9)


def test_an_operator_it_lacks_is_named(tmp_path: Path) -> None:
    compiler("cc")
    flat = FlatModel()
    x, y = flat.tensor((1, 4, 4, 1)), flat.tensor((1, 4, 4, 1))
    flat.op("TANH", (x,), (y,))
    flat.graph.inputs, flat.graph.outputs = [x], [y]
    (tmp_path / "tanh.tflite").write_bytes(flat.pack())
    with pytest.raises(ModelError, match="TANH"):
        CompiledInterpreter(tmp_path / "tanh.tflite")


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(MissingPackageError, match="needs a C compiler"):
        CompiledInterpreter(MODELS / "cxr3" / "int8.tflite")
