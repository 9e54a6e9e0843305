# SPDX-License-Identifier: Apache-2.0
"""DICOM files for tests, whose patient's data are marked strings."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

MARK = "Zq7Xmark"
DATE = "19371113"  # a date can hold no letters; no test has another reason to write this one
UID = "1.2.826.0.1.7363636"
MARKS = (MARK, DATE, UID)


def write_dicom(
    values: NDArray[Any],
    *,
    bits: int = 12,
    syntax: str = ExplicitVRLittleEndian,
    encoded: bytes | None = None,
    **attributes: Any,
) -> bytes:
    """A digital X-ray; ``encoded`` in place of the plain pixels. None takes an attribute out."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = f"{UID}.1"
    file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    _add_patient(file)
    file.Rows, file.Columns = values.shape[-2:]
    file.SamplesPerPixel = 1
    file.PhotometricInterpretation = "MONOCHROME2"
    file.BitsAllocated = 8 * values.dtype.itemsize
    file.BitsStored, file.HighBit = bits, bits - 1
    file.PixelRepresentation = int(values.dtype.kind == "i")
    file.PixelData = values.tobytes() if encoded is None else encapsulate([encoded])
    file["PixelData"].VR = "OB" if encoded is not None or values.itemsize == 1 else "OW"
    for name, value in attributes.items():
        if value is None:
            delattr(file, name)
        else:
            setattr(file, name, value)
    buffer = io.BytesIO()
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _add_patient(file: Dataset) -> None:
    file.SOPClassUID, file.SOPInstanceUID = DigitalXRayImageStorageForPresentation, f"{UID}.1"
    file.StudyInstanceUID, file.SeriesInstanceUID = f"{UID}.2", f"{UID}.3"
    file.PatientName, file.PatientID = f"{MARK}^Name", f"{MARK}-ID"
    file.PatientBirthDate = file.StudyDate = file.ContentDate = DATE
    file.InstitutionName = file.ReferringPhysicianName = f"{MARK}-place"
    file.WindowCenterWidthExplanation = f"{MARK}-why"
    file.PatientAge = "083Y"
    private = file.private_block(0x0011, f"{MARK} maker", create=True)
    private.add_new(1, "LO", f"{MARK}-private")


def lut(values: list[int], bits: int) -> Dataset:
    """A lookup table that begins at stored value 0."""
    table = Dataset()
    table.LUTDescriptor = [len(values), 0, bits]
    table["LUTDescriptor"].VR = "US"
    table.LUTExplanation = MARK
    table.LUTData = np.array(values, "<u2").tobytes()
    table["LUTData"].VR = "OW"
    return table
