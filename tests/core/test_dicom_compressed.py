# SPDX-License-Identifier: Apache-2.0
"""Compressed pixels give what the same pixels give uncompressed.

RLE and 16-bit JPEG 2000 need pydicom and Pillow only. GDCM writes the others, and decodes those
that pydicom leaves to a plugin.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import (
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from edgecxr.errors import DataError
from tests.core.test_dicom import SAME_SIZE, ramp
from tests.dicoms import write_dicom

LOSSLESS = {
    "JPEGLosslessProcess14_1": JPEGLosslessSV1,
    "JPEGLSLossless": JPEGLSLossless,
    "JPEG2000Lossless": JPEG2000Lossless,
    "RLELossless": RLELossless,
}


def recoded(file: bytes, syntax: str, folder: Path) -> bytes:
    """The same file in another transfer syntax, by GDCM's name of it."""
    gdcm = pytest.importorskip("gdcm", reason="needs python-gdcm")
    plain, coded = folder / "plain.dcm", folder / "coded.dcm"
    plain.write_bytes(file)
    reader = gdcm.ImageReader()
    reader.SetFileName(str(plain))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(coded))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return coded.read_bytes()


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_rle_needs_no_plugin(bits: int) -> None:
    values = ramp(bits, "u1" if bits == 8 else "<u2")
    encoded = RLELosslessEncoder.encode(
        values,
        rows=16,
        columns=32,
        samples_per_pixel=1,
        number_of_frames=1,
        bits_allocated=8 * values.itemsize,
        bits_stored=bits,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
    )
    coded = write_dicom(values, bits=bits, syntax=RLELossless, encoded=encoded)
    plain = write_dicom(values, bits=bits)
    assert np.array_equal(SAME_SIZE.decode(coded), SAME_SIZE.decode(plain))


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_lossless_pixels_are_those_of_the_plain_file(
    syntax: str, bits: int, photometric: str, tmp_path: Path
) -> None:
    values = ramp(bits, "u1" if bits == 8 else "<u2")
    window = {"WindowCenter": 2 ** (bits - 1), "WindowWidth": 2 ** (bits - 2)}
    plain = write_dicom(values, bits=bits, PhotometricInterpretation=photometric, **window)
    coded = recoded(plain, syntax, tmp_path)
    assert LOSSLESS[syntax].encode() in coded
    assert np.array_equal(SAME_SIZE.decode(coded), SAME_SIZE.decode(plain))


def test_jpeg_pixels_are_near_those_of_the_plain_file(tmp_path: Path) -> None:
    plain = write_dicom(ramp(8, "u1"), bits=8)
    coded = recoded(plain, "JPEGBaselineProcess1", tmp_path)
    assert JPEGBaseline8Bit.encode() in coded
    found, wanted = (SAME_SIZE.decode(file).astype(int) for file in (coded, plain))
    assert np.abs(found - wanted).max() <= 4


def test_what_needs_yet_another_plugin_says_which(tmp_path: Path) -> None:
    coded = recoded(write_dicom(ramp(12)), "JPEGExtendedProcess2_4", tmp_path)
    if pylibjpeg_reads(JPEGExtended12Bit):
        pytest.skip("pylibjpeg-libjpeg is installed")
    with pytest.raises(DataError, match="pylibjpeg-libjpeg for 12-bit"):
        SAME_SIZE.decode(coded)


def pylibjpeg_reads(syntax: str) -> bool:
    return "pylibjpeg" in get_decoder(UID(syntax)).available_plugins
