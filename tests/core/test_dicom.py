# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
)

from edgecxr.core import preprocess
from edgecxr.core.preprocess import Preprocessing, describe, is_image, peek
from edgecxr.errors import DataError, MissingPackageError
from tests.dicoms import MARKS, lut, write_dicom

SAME_SIZE = Preprocessing(height=16, width=32)


def ramp(bits: int, kind: str = "<u2") -> NDArray[Any]:
    """512 stored values from 0 to the greatest of so many bits; (16, 32)."""
    return np.linspace(0, 2**bits - 1, 512).round().reshape(16, 32).astype(kind)


def gray_of(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    return np.clip((values.astype(float) - low) * 255 / (high - low) + 0.5, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("bits", range(9, 17))
def test_the_stored_bits_are_the_range(bits: int) -> None:
    found = SAME_SIZE.decode(write_dicom(ramp(bits), bits=bits))
    assert np.array_equal(found, gray_of(ramp(bits), 0, 2**bits - 1))


def test_eight_bits_stay_as_they_are() -> None:
    values = ramp(8, "u1")
    assert np.array_equal(SAME_SIZE.decode(write_dicom(values, bits=8)), values)


def test_twelve_bits_that_call_themselves_sixteen_are_not_black() -> None:
    found = SAME_SIZE.decode(write_dicom(ramp(12), bits=16))
    assert np.array_equal(found, gray_of(ramp(12), 0, 4095))


def test_monochrome1_is_inverted() -> None:
    pale = write_dicom(ramp(12), PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(SAME_SIZE.decode(pale), 255 - SAME_SIZE.decode(write_dicom(ramp(12))))


@pytest.mark.parametrize(("slope", "intercept"), [(2, -1000), (0.5, 7), (-1, 4095)])
def test_a_linear_window_is_that_of_the_rescaled_values(slope: float, intercept: float) -> None:
    values = ramp(12)
    real = values.astype(float) * slope + intercept
    centre, width = float(real.mean()), float(np.ptp(real)) / 4
    file = write_dicom(
        values,
        RescaleSlope=slope,
        RescaleIntercept=intercept,
        WindowCenter=round(centre, 2),
        WindowWidth=round(width, 2),
    )
    # DICOM PS3.3 C.11.2.1.2.1: from c - 0.5 - (w - 1) / 2 to c - 0.5 + (w - 1) / 2.
    expected = gray_of(real, centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2)
    assert np.abs(SAME_SIZE.decode(file).astype(int) - expected).max() <= 1


def test_a_sigmoid_window() -> None:
    file = write_dicom(ramp(12), WindowCenter=2048, WindowWidth=800, VOILUTFunction="SIGMOID")
    expected = 255 / (1 + np.exp(-4 * (ramp(12).astype(float) - 2048) / 800))
    assert np.abs(SAME_SIZE.decode(file) - expected).max() <= 1


def test_of_several_windows_the_first_is_used() -> None:
    one = write_dicom(ramp(12), WindowCenter=1000, WindowWidth=400)
    two = write_dicom(ramp(12), WindowCenter=[1000, 3000], WindowWidth=[400, 50])
    assert np.array_equal(SAME_SIZE.decode(one), SAME_SIZE.decode(two))


def test_a_lookup_table_goes_before_a_window() -> None:
    squared = [v * v // 255 for v in range(256)]
    file = write_dicom(
        ramp(8), bits=8, VOILUTSequence=[lut(squared, 8)], WindowCenter=9, WindowWidth=3
    )
    assert np.array_equal(SAME_SIZE.decode(file), np.array(squared, np.uint8)[ramp(8)])


def test_signed_values() -> None:
    values = (ramp(12).astype(int) - 2048).astype("<i2")
    found = SAME_SIZE.decode(write_dicom(values))
    assert np.array_equal(found, gray_of(values, -2048, 2047))


def test_a_negative_slope_without_a_window_keeps_low_dark() -> None:
    file = write_dicom(ramp(12), RescaleSlope=-1, RescaleIntercept=4095)
    assert np.array_equal(SAME_SIZE.decode(file), gray_of(4095 - ramp(12).astype(int), 0, 4095))


@pytest.mark.parametrize(
    ("syntax", "kind", "options"),
    [(JPEGBaseline8Bit, "JPEG", {"quality": 95}), (JPEG2000Lossless, "JPEG2000", {"no_jp2": True})],
)
def test_compressed_pixels(syntax: str, kind: str, options: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    values = ramp(8, "u1")
    Image.fromarray(values).save(buffer, kind, **options)
    file = write_dicom(values, bits=8, syntax=syntax, encoded=buffer.getvalue())
    assert np.abs(SAME_SIZE.decode(file).astype(int) - values).max() <= 4


def cut(data: bytes) -> bytes:
    return data[:-100]


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (write_dicom(np.zeros((3, 16, 32), "u1"), bits=8, NumberOfFrames=3), "3 frames"),
        (
            write_dicom(
                np.zeros((16, 96), "u1"),
                bits=8,
                Columns=32,
                SamplesPerPixel=3,
                PhotometricInterpretation="RGB",
                PlanarConfiguration=0,
            ),
            "in colour",
        ),
        (write_dicom(ramp(12), PixelData=None), "holds no picture"),
        (write_dicom(ramp(12), Rows=None), "attributes of the picture"),
        (write_dicom(ramp(12), Rows=65535, Columns=65535), "million"),
        (cut(write_dicom(ramp(12))), "damaged or cut off"),
        (write_dicom(ramp(12))[:200], "damaged|holds no picture|missing"),
        (write_dicom(ramp(12), WindowCenter=7, WindowWidth=0), "window"),
        (write_dicom(ramp(12), syntax=DeflatedExplicitVRLittleEndian), "deflated"),
        (
            write_dicom(ramp(8, "u1"), bits=8, syntax=JPEGLosslessSV1, encoded=b"\xff\xd8"),
            r"JPEG Lossless.* pip install python-gdcm",
        ),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_sentence(file: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason) as caught:
        SAME_SIZE.decode(file)
    assert not any(mark in str(caught.value) for mark in MARKS)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@settings(max_examples=60)
@given(st.data())
def test_damage_gives_pixels_or_a_data_error(data: st.DataObject) -> None:
    whole = bytearray(write_dicom(ramp(12), WindowCenter=900, WindowWidth=700))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(132, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert SAME_SIZE.decode(bytes(whole)).shape == (16, 32)
    except DataError as error:
        assert not any(mark in str(error) for mark in MARKS)  # noqa: PT017


def test_facts(tmp_path: Any) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(write_dicom(ramp(12)))
    facts = describe(path.read_bytes())
    assert (facts.format, facts.width, facts.height, facts.bits) == ("DICOM", 32, 16, 12)
    header = peek(path)
    assert (header.format, header.width, header.height) == ("DICOM", 32, 16)


@pytest.mark.parametrize("name", ["IM0001", "1.2.840.113704.7", "x.dcm", "x.DICOM"])
def test_archives_name_dicom_files_oddly(name: str, tmp_path: Any) -> None:
    path = tmp_path / name
    path.write_bytes(write_dicom(ramp(12)))
    assert is_image(path)
    assert np.array_equal(SAME_SIZE.load(path), gray_of(ramp(12), 0, 4095))


@pytest.mark.parametrize("name", ["README", "DICOMDIR.txt", "notes.1"])
def test_other_files_are_no_images(name: str, tmp_path: Any) -> None:
    (tmp_path / name).write_bytes(b"text" * 99)
    assert not is_image(tmp_path / name)


def test_without_pydicom_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_dicom(ramp(12))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingPackageError, match=r'pip install "edgecxr\[dicom\]"'):
        SAME_SIZE.decode(file)


def test_a_large_picture_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preprocess, "MAX_PIXELS", 511)
    with pytest.raises(DataError, match="32×16 pixels were found"):
        SAME_SIZE.decode(write_dicom(ramp(12)))
