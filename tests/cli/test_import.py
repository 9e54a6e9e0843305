# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgecxr.bench.compiled import CompiledInterpreter
from edgecxr.cli import main
from edgecxr.core.bundle import Bundle
from edgecxr.core.interpreter import open_interpreter
from edgecxr.core.pixels import PixelRange, pixel_range
from edgecxr.core.quant import pixel_values
from edgecxr.core.tflm import TflmInterpreter
from edgecxr.export import foreign
from edgecxr.export.foreign import adapt

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_a_foreign_model_becomes_a_bundle_that_classifies_and_is_exported(
    tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], precision: str
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("0 first\n1 second one\n2 third\n")  # as Teachable Machine writes them
    out, image = tmp_path / "theirs", tmp_path / "x.png"
    model = tiny_models / f"{precision}.tflite"
    arguments = ["import", str(model), "--labels", str(labels), "--out", str(out)]
    if precision == "float32":  # which does not say what it was trained on
        assert main.run(arguments) == 2
        assert "give --input-range" in capsys.readouterr().err
        arguments += ["--input-range", "0..1"]
    assert main.run(arguments) == 0
    manifest = Bundle.open(out).manifest
    assert manifest.training is None
    assert manifest.labels == ("first", "second one", "third")
    Image.fromarray(np.full((50, 70), 90, np.uint8)).save(image)
    capsys.readouterr()
    assert main.run(["classify", str(image), "--model", str(out), "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert set(result["scores"]) == set(manifest.labels)
    assert main.run(["export", str(out), "--format", "c", "--out", str(tmp_path / "c")]) == 0


def test_what_is_missing_of_an_imported_bundle_is_said(
    tiny_int8: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "theirs"
    assert main.run(["import", str(tiny_int8), "--labels", "a,b,c", "--out", str(out)]) == 0
    arguments = ["export", str(out), "--format", "c", "--precision", "float32"]
    assert main.run([*arguments, "--out", str(tmp_path / "c")]) == 1
    assert "was imported with int8 only" in capsys.readouterr().err
    assert main.run(["import", str(tiny_int8), "--labels", "a,b", "--out", str(out)]) == 1
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("labels", ["a,b", "a,b,b", "a,b,c,d", ""])
def test_labels_that_do_not_fit_are_refused(
    tiny_int8: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], labels: str
) -> None:
    out = tmp_path / "theirs"
    assert main.run(["import", str(tiny_int8), "--labels", labels, "--out", str(out)]) == 2
    assert "expected 3 different labels" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("scale", "zero_point"), [(1 / 128, 0), (1 / 255, -128), (1.0, -128), (2 / 255, -1)]
)
def test_an_int8_input_says_which_range_pixels_have(scale: float, zero_point: int) -> None:
    assert np.array_equal(pixel_values("int8", scale, zero_point), np.arange(-128, 128))


def test_ties_give_each_pixel_a_value_of_its_own() -> None:
    assert np.array_equal(
        pixel_values("int8", 2 / 255, 0, "-1..1"), np.arange(-127, 129).clip(max=127)
    )
    assert np.array_equal(pixel_values("int8", 2 / 255, -1, "-1..1"), np.arange(-128, 128))


def scores_of_litert(model: Path, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What LiteRT itself makes of an input tensor, as shares; nothing of this package is in it."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.BUILTIN_REF
    lite = Interpreter(str(model), experimental_op_resolver_type=kind, num_threads=1)
    lite.allocate_tensors()
    source, target = lite.get_input_details()[0], lite.get_output_details()[0]
    lite.set_tensor(source["index"], values[np.newaxis].astype(source["dtype"]))
    lite.invoke()
    raw = lite.get_tensor(target["index"])[0]
    scale, zero_point = target["quantization"]
    return raw if scale == 0 else np.float32(scale) * (raw.astype(np.float32) - zero_point)


@pytest.fixture
def photo(tmp_path: Path, tiny_images: np.ndarray[Any, Any]) -> Path:
    Image.fromarray(tiny_images[3]).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def imported(model: Path, out: Path, *options: str) -> Path:
    assert main.run(["import", str(model), "--labels", "a,b,c", "--out", str(out), *options]) == 0
    return out


def classified(bundle: Path, photo: Path, capsys: pytest.CaptureFixture[str]) -> list[float]:
    capsys.readouterr()
    assert main.run(["classify", str(photo), "--model", str(bundle), "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    return [result["scores"][label] for label in "abc"]


@pytest.mark.parametrize(("name", "range_"), [("unit", "0..1"), ("signed", "-1..1")])
@pytest.mark.parametrize("kind", ["float32", "int8", "uint8"])
def test_rgb_models_give_the_scores_that_their_makers_see(
    foreign_models: Path,
    tmp_path: Path,
    photo: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    range_: PixelRange,
    kind: str,
) -> None:
    model = foreign_models / f"{name}-{kind}.tflite"
    colours = np.repeat(np.asarray(Image.open(photo))[..., np.newaxis], 3, axis=-1)
    values = colours.astype(np.float32) / 255 if name == "unit" else colours / np.float32(127.5) - 1
    if kind == "int8":  # 0 to 255 becomes -128 to 127, as the quantization says of both ranges
        values = colours.astype(np.int16) - 128
    theirs = scores_of_litert(model, colours if kind == "uint8" else values)
    needed = ("--input-range", range_) if kind == "float32" else ()
    bundle = imported(model, tmp_path / "theirs", *needed)
    ours = classified(bundle, photo, capsys)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)  # classify prints six digits
    assert max(ours) - min(ours) > 0.01
    precision = Bundle.open(bundle).precisions[0]
    assert precision == ("float32" if kind == "float32" else "int8")
    if kind == "float32":
        other = imported(model, tmp_path / "wrong", "--input-range", "0..255")
        assert np.abs(np.array(classified(other, photo, capsys)) - theirs).max() > 1e-3


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize("name", ["unit-float32", "signed-float32", "signed-uint8"])
def test_rgb_models_run_compiled_with_the_same_scores(
    foreign_models: Path, tmp_path: Path, tiny_images: np.ndarray[Any, Any], name: str
) -> None:
    options = ("--input-range", "0..1" if "unit" in name else "-1..1")
    bundle = Bundle.open(imported(foreign_models / f"{name}.tflite", tmp_path / "theirs", *options))
    model = bundle.path(bundle.default)
    compiled = CompiledInterpreter(model)
    if (
        compiled.precision == "int8"
    ):  # LiteRT's reference kernels round the last layer once, TFLM twice
        assert np.array_equal(compiled.raw(tiny_images), TflmInterpreter(model).raw(tiny_images))
        return
    theirs = open_interpreter(model, kernels="reference").scores(tiny_images)
    np.testing.assert_allclose(compiled.scores(tiny_images), theirs, rtol=0, atol=2e-6)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize(
    "name", ["unit-int8", pytest.param("signed-float32", marks=pytest.mark.slow)]
)
def test_firmware_of_an_rgb_model_gets_gray_in_each_channel(
    foreign_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    needed = ("--input-range", "-1..1") if "float32" in name else ()
    bundle = imported(foreign_models / f"{name}.tflite", tmp_path / "theirs", *needed)
    capsys.readouterr()
    assert main.run(["bench", str(bundle), "--device", "emulator:host", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["agreement_with_host"] == 1
    assert row["bit_exact_with_host"] == 1 or "float32" in name


def test_the_range_is_in_the_file_and_nothing_else_of_it_changes(
    foreign_models: Path, tiny_images: np.ndarray[Any, Any]
) -> None:
    given = (foreign_models / "signed-int8.tflite").read_bytes()
    assert adapt(given, None) == given
    assert pixel_range(given) is None
    ours = adapt(given, "-1..1")
    assert pixel_range(ours) == "-1..1"
    assert adapt(ours, "-1..1") == ours
    assert pixel_range(adapt(ours, "0..255")) == "0..255"
    before, after = (open_interpreter(each, kernels="reference") for each in (given, ours))
    values = before.encode(tiny_images[:4])
    for image in values:
        before.run(image[np.newaxis])
        after.run(image[np.newaxis])
        assert np.array_equal(before.result(), after.result())


@pytest.mark.parametrize(
    ("name", "range_"),
    [("unit-int8", "-1..1"), ("unit-uint8", "-1..1"), ("unit-int8", "0..255")],
)
def test_a_range_that_the_quantization_cannot_hold_is_a_usage_error(
    foreign_models: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    range_: str,
) -> None:
    model, out = foreign_models / f"{name}.tflite", tmp_path / "x"
    arguments = ["import", str(model), "--labels", "a,b,c", "--out", str(out)]
    assert main.run([*arguments, "--input-range", range_]) == 2
    message = capsys.readouterr().err
    assert f"int8 for numbers from 0 to 1, and its pixels are said to be {range_}" in message
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "range_"), [("unit-int8", "0..1"), ("unit-uint8", "0..1"), ("signed-int8", "-1..1")]
)
def test_a_range_that_the_quantization_spans_may_be_named(
    foreign_models: Path, tmp_path: Path, name: str, range_: str
) -> None:
    bundle = imported(foreign_models / f"{name}.tflite", tmp_path / "x", "--input-range", range_)
    origin = Bundle.open(bundle).manifest.imported
    assert origin is not None
    assert origin.input_range == range_


def test_an_unknown_range_is_a_usage_error(
    tiny_float32: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["import", str(tiny_float32), "--labels", "a,b,c", "--out", str(tmp_path / "x")]
    assert main.run([*arguments, "--input-range", "0..2"]) == 2
    assert "expected 0..1, -1..1, 0..255" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("kind", ["int8", "float32"])
def test_boards_tells_of_the_model_that_is_there(
    tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    options = ("--input-range", "-1..1") if kind == "float32" else ()
    bundle = imported(tiny_models / f"{kind}.tflite", tmp_path / "theirs", *options)
    capsys.readouterr()
    assert main.run(["boards", str(bundle), "--json"]) == 0
    fits = json.loads(capsys.readouterr().out)["fits"]
    assert {fit["precision"] for fit in fits} == {kind}


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc")
@pytest.mark.parametrize("kind", ["float32", pytest.param("int8", marks=pytest.mark.slow)])
def test_an_imported_model_is_built_into_firmware(
    tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    options = ("--input-range", "-1..1") if kind == "float32" else ()
    bundle = imported(tiny_models / f"{kind}.tflite", tmp_path / "theirs", *options)
    arguments = ["flash", "--board", "stm32f405", "--model", str(bundle), "--dry-run"]
    assert main.run(arguments) == 0
    assert "Dry run: no board was touched" in capsys.readouterr().out


@pytest.mark.parametrize("ends", ["uint8-int8", "int8-uint8"])
def test_a_model_with_uint8_at_one_end_gets_int8_there(
    foreign_models: Path, tiny_images: np.ndarray[Any, Any], ends: str
) -> None:
    mixed, whole = (
        open_interpreter(adapt((foreign_models / name).read_bytes(), None), kernels="reference")
        for name in (f"signed-{ends}.tflite", "signed-int8.tflite")
    )
    assert (mixed.input, mixed.output) == (whole.input, whole.output)
    assert np.array_equal(mixed.raw(tiny_images[:4]), whole.raw(tiny_images[:4]))


def test_float32_at_one_end_only_is_refused_for_what_it_is(
    foreign_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = foreign_models / "signed-uint8-float32.tflite", tmp_path / "x"
    assert main.run(["import", str(model), "--labels", "a,b,c", "--out", str(out)]) == 1
    assert "expected int8 or float32 for both input and output" in capsys.readouterr().err
    assert not out.exists()


def opened(path: Path) -> Any:
    """A file as the objects of TensorFlow Lite's schema."""
    return foreign._schema().ModelT.InitFromPackedBuf(bytearray(path.read_bytes()), 0)


def test_a_uint8_model_of_an_old_converter_gets_int8_ends(
    foreign_models: Path, tiny_images: np.ndarray[Any, Any]
) -> None:
    given = foreign_models / "unit-uint8.tflite"
    model = opened(given)
    for code in model.operatorCodes:  # it wrote the operator's number as a byte, and no other
        assert code.deprecatedBuiltinCode
        code.builtinCode = 0
    old, new = (
        open_interpreter(adapt(data, None), kernels="reference")
        for data in (foreign._packed(model), given.read_bytes())
    )
    assert old.precision == "int8"
    assert np.array_equal(old.raw(tiny_images[:4]), new.raw(tiny_images[:4]))


def test_a_uint8_model_of_another_kind_is_refused(
    foreign_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = opened(foreign_models / "unit-uint8.tflite")
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].quantization.zeroPoint = [5]  # no longer int8's, shifted by 128
    strange = tmp_path / "strange.tflite"
    strange.write_bytes(foreign._packed(model))
    arguments = ["import", str(strange), "--labels", "a,b,c", "--out", str(tmp_path / "x")]
    assert main.run(arguments) == 1
    assert "convert it again with int8 or float32 at both ends" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
