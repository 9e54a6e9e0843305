# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgecxr.core.interpreter import Interpreter, Port, check_ports, open_interpreter
from edgecxr.core.tflm import TflmInterpreter
from edgecxr.errors import MissingPackageError, ModelError

INT8 = np.dtype(np.int8)
FLOAT = np.dtype(np.float32)


class Recorder(Interpreter):
    """Keeps the images that it is given, and scores them all alike."""

    name, version, kernels = "recorder", "1", "reference"

    def __init__(self, image: Port) -> None:
        self.input = image
        self.output = Port((1, 2), image.dtype, 0.5, -1)
        self.seen: list[Any] = []

    def run(self, image: Any) -> None:
        self.seen.append(image)

    def result(self) -> Any:
        return np.array([3, -1], self.output.dtype)


def test_tiny_models_run(tiny_int8, tiny_float32, tiny_images) -> None:
    for path, precision in ((tiny_int8, "int8"), (tiny_float32, "float32")):
        interpreter = open_interpreter(path)
        assert interpreter.precision == precision
        assert interpreter.raw(tiny_images).dtype == precision
        scores = interpreter.scores(tiny_images)
        assert scores.shape == (len(tiny_images), interpreter.classes) == (24, 3)
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=0.02)


def test_the_report_names_the_package_that_ran(tiny_int8) -> None:
    interpreter = open_interpreter(tiny_int8, kernels="reference")
    assert interpreter.name == "ai-edge-litert"
    assert interpreter.version == importlib.metadata.version("ai-edge-litert")
    assert interpreter.kernels == "reference"


def test_int8_agrees_with_float32(tiny_int8, tiny_float32, tiny_images) -> None:
    int8 = open_interpreter(tiny_int8, kernels="reference").scores(tiny_images)
    float32 = open_interpreter(tiny_float32).scores(tiny_images)
    assert np.abs(int8 - float32).max() < 0.15
    assert len(np.unique(float32.argmax(axis=1))) == 3


def test_tflm_gives_the_reference_scores_to_within_the_last_rounding(
    tiny_int8, tiny_images
) -> None:
    tflm = TflmInterpreter(tiny_int8).raw(tiny_images).astype(int)
    reference = open_interpreter(tiny_int8, kernels="reference").raw(tiny_images)
    assert np.abs(tflm - reference).max() <= 3


def test_an_image_scores_the_same_alone_and_among_others(tiny_int8, tiny_images) -> None:
    interpreter = open_interpreter(tiny_int8, kernels="reference")
    together = interpreter.raw(tiny_images)
    alone = [interpreter.raw(tiny_images[i : i + 1])[0] for i in range(len(tiny_images))]
    np.testing.assert_array_equal(together, alone)


def test_progress_counts_every_image(tiny_float32, tiny_images) -> None:
    steps: list[int] = []
    open_interpreter(tiny_float32).scores(tiny_images, advance=steps.append)
    assert sum(steps) == len(tiny_images)


def test_nothing_reaches_the_terminal(tiny_float32, tiny_images, capfd) -> None:
    open_interpreter(tiny_float32).raw(tiny_images[:1])
    assert capfd.readouterr() == ("", "")


@given(hnp.arrays(np.uint8, (2, 4, 4)))
def test_int8_input_is_the_pixel_less_128(images) -> None:
    encoded = Recorder(Port((1, 4, 4, 1), INT8, 1 / 128, 0)).encode(images)
    assert encoded.shape == (2, 4, 4, 1)
    np.testing.assert_array_equal(encoded[..., 0].astype(int), images.astype(int) - 128)


@given(hnp.arrays(np.uint8, (1, 4, 4)), st.floats(0.002, 0.02), st.integers(-10, 10))
def test_other_int8_scales_are_used_as_they_are(images, scale, zero_point) -> None:
    encoded = Recorder(Port((1, 4, 4, 1), INT8, scale, zero_point)).encode(images)
    real = (images.astype(float) - 128) / 128
    unclipped = np.abs(real / scale + zero_point) < 126
    back = scale * (encoded[..., 0].astype(float) - zero_point)
    assert (np.abs(back - real)[unclipped] <= scale * 0.5001).all()


def test_float32_input_is_normalised() -> None:
    pixels = np.array([[[0, 128], [64, 255]]], np.uint8)
    encoded = Recorder(Port((1, 2, 2, 1), FLOAT, 0, 0)).encode(pixels)
    np.testing.assert_array_equal(encoded[0, ..., 0], [[-1, 0], [-0.5, 127 / 128]])


def test_colour_models_get_gray_in_every_channel() -> None:
    pixels = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    encoded = Recorder(Port((1, 4, 4, 3), INT8, 1 / 128, 0)).encode(pixels)
    assert encoded.shape == (1, 4, 4, 3)
    for channel in range(3):
        np.testing.assert_array_equal(encoded[..., channel], pixels.astype(int) - 128)


def test_int8_scores_are_dequantized() -> None:
    interpreter = Recorder(Port((1, 4, 4, 1), INT8, 1 / 128, 0))
    scores = interpreter.scores(np.zeros((2, 4, 4), np.uint8))
    np.testing.assert_array_equal(scores, [[2, 0], [2, 0]])


@pytest.mark.parametrize("shape", [(1, 4, 5), (4, 4), (1, 4, 4, 2)])
def test_images_of_another_size_are_refused(shape) -> None:
    interpreter = Recorder(Port((1, 4, 4, 1), INT8, 1 / 128, 0))
    with pytest.raises(ModelError, match="takes images of 4×4 pixels"):
        interpreter.raw(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "expected the identifier TFL3"),
        (b"PK\x03\x04" + bytes(100), "expected the identifier TFL3"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(100), "does not run in ai-edge-litert"),
    ],
)
def test_a_bad_file_gets_one_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "bad.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=words) as caught:
        open_interpreter(path)
    assert "bad.tflite" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_truncated_file_gets_one_sentence(tmp_path: Path, tiny_int8: Path) -> None:
    path = tmp_path / "short.tflite"
    path.write_bytes(tiny_int8.read_bytes()[:2000])
    with pytest.raises(ModelError, match="does not run in ai-edge-litert"):
        open_interpreter(path)


def test_a_missing_file_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="could not be read: No such file"):
        open_interpreter(tmp_path / "none.tflite")


def broken_tflite_runtime() -> ModuleType:
    """Imports, and dies when an interpreter is made, as tflite-runtime does beside numpy 2."""

    def die(**_: Any) -> None:
        try:
            raise ImportError("numpy.core.multiarray failed to import")
        except ImportError as cause:
            raise SystemError("returned a result with an exception set") from cause

    class Resolver:
        AUTO = BUILTIN_REF = 0

    module = ModuleType("tflite_runtime.interpreter")
    vars(module).update(Interpreter=die, OpResolverType=Resolver)
    return module


def test_a_package_that_only_imports_is_passed_over(monkeypatch, tiny_int8) -> None:
    monkeypatch.setitem(sys.modules, "tflite_runtime", ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", broken_tflite_runtime())
    found = open_interpreter(tiny_int8, packages=("tflite-runtime", "ai-edge-litert"))
    assert found.name == "ai-edge-litert"


def test_no_package_that_works_is_one_sentence_with_the_reasons(monkeypatch, tiny_int8) -> None:
    monkeypatch.setitem(sys.modules, "tflite_runtime", ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", broken_tflite_runtime())
    with pytest.raises(MissingPackageError, match="multiarray failed to import") as caught:
        open_interpreter(tiny_int8, packages=("tflite-runtime",))
    assert "pip install" in str(caught.value)


IMAGE = Port((1, 96, 96, 1), INT8, 1 / 128, 0)
SCORES = Port((1, 3), INT8, 1 / 256, -128)


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        ([IMAGE, IMAGE], [SCORES], "found 2 and 1"),
        ([IMAGE], [], "found 1 and 0"),
        ([Port((1, 96), INT8, 1, 0)], [SCORES], "expected an input of shape"),
        ([Port((4, 96, 96, 1), INT8, 1, 0)], [SCORES], "batch of 1"),
        ([IMAGE], [Port((1, 3), FLOAT, 0, 0)], "found int8 and float32"),
        ([Port((1, 9, 9, 1), np.dtype("u1"), 1, 0)], [Port((1, 3), np.dtype("u1"), 1, 0)], "uint8"),
        ([Port((1, 96, 96, 1), INT8, 0, 0)], [SCORES], "no quantization scale"),
    ],
)
def test_models_that_are_no_image_classifier_are_refused(inputs, outputs, words) -> None:
    with pytest.raises(ModelError, match=words):
        check_ports(inputs, outputs)
