# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from edgecxr.errors import BundleError, ModelError
from edgecxr.export.reader import MAX_BYTES
from edgecxr.export.source import open_source
from tests.bundles import write_bundle
from tests.export.flat import small_classifier


def test_a_bare_file_has_its_file_s_name_and_no_labels(small_int8: Path) -> None:
    source = open_source(small_int8)
    assert (source.name, source.labels, source.preprocessing) == ("small", (), ())
    assert source.input.shape == (1, 8, 8, 1)
    assert source.output.shape == (1, 3)


def test_a_bundle_says_more(tiny_models: Path, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "cxr", tiny_models, ("a", "b", "c"))
    source = open_source(bundle.folder)
    assert (source.name, source.labels, source.synthetic_data) == ("cxr", ("a", "b", "c"), True)
    assert source.preprocessing == bundle.manifest.preprocessing.steps
    assert source.input.dtype == "int8"
    assert open_source(bundle.folder, precision="float32").input.dtype == "float32"
    with pytest.raises(ModelError, match="names its own labels"):
        open_source(bundle.folder, labels=tmp_path / "labels.txt")


def test_labels_come_from_a_file(small_int8: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("one\n\n two \nthree\n")
    assert open_source(small_int8, labels=labels).labels == ("one", "two", "three")


@pytest.mark.parametrize("content", [b"one\ntwo\n", b"\xff\xfe\0"])
def test_labels_that_do_not_fit_are_refused(
    small_int8: Path, tmp_path: Path, content: bytes
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_bytes(content)
    with pytest.raises(ModelError, match=r"3 outputs and 2 labels|could not be read"):
        open_source(small_int8, labels=labels)


def test_a_float_model_asked_for_as_int8_is_refused(small_float32: Path) -> None:
    assert open_source(small_float32).input.dtype == "float32"
    with pytest.raises(ModelError, match="takes float32 and gives float32, expected int8"):
        open_source(small_float32, precision="int8")


def test_two_inputs_are_refused(small_int8: Path) -> None:
    flat = small_classifier()
    flat.graph.inputs = [0, flat.tensor((1, 8, 8, 1))]
    small_int8.write_bytes(flat.pack())
    with pytest.raises(ModelError, match="2 inputs and 1 outputs, expected one of each"):
        open_source(small_int8)


def test_an_int8_input_without_a_scale_is_refused(small_int8: Path) -> None:
    flat = small_classifier()
    flat.graph.tensors[0].quantization = None
    small_int8.write_bytes(flat.pack())
    with pytest.raises(ModelError, match=r"int8 input of .* has no scale"):
        open_source(small_int8)


def test_a_huge_file_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    path = tmp_path / "huge.tflite"
    with path.open("wb") as file:
        file.truncate(64 * MAX_BYTES)
    with pytest.raises(ModelError, match="at most 16,777,216"):
        open_source(path)


def test_a_missing_file_and_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"could not be read: No such file"):
        open_source(tmp_path / "none.tflite")
    with pytest.raises(BundleError, match="is not a bundle"):
        open_source(tmp_path)
