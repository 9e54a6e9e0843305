# SPDX-License-Identifier: Apache-2.0
"""The picture of a DICOM file, as a radiologist would see it, and nothing else of that file.

Only the attributes named here are ever parsed, so that no name, number or date of a patient is in
memory as anything but the file's bytes. For the same reason no error repeats what pydicom says:
its messages can quote values. A DICOM file's name and what is burnt into its picture are the
user's to see to (docs/dicom.md).
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgecxr.core.depth import significant_bits
from edgecxr.errors import DataError
from edgecxr.optional import require

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SUFFIXES: Final = (".dcm", ".dicom")
MAGIC: Final = b"DICM"
MAGIC_AT: Final = 128

_NEEDED: Final = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PlanarConfiguration",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
    "PixelData",
)
_PALE: Final = "MONOCHROME1"  # 0 is white
_GRAY: Final = (_PALE, "MONOCHROME2")
_DEFLATED: Final = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.1.2.1.99")
_WHOLE_BYTES: Final = 16  # bits; a file that names so many says nothing of its detector


@dataclass(frozen=True)
class DicomImage:
    """``image``: 8-bit gray, dark where air is. ``bits``: per pixel, as stored."""

    image: Image.Image
    bits: int


def is_dicom(data: bytes) -> bool:
    """Whether these bytes, or the first 132 of a file, begin as DICOM files do."""
    return data[MAGIC_AT : MAGIC_AT + len(MAGIC)] == MAGIC


def read_dicom(data: bytes, max_pixels: int) -> DicomImage:
    """Decode a DICOM file of one gray picture, its rescaling and window or lookup table applied.

    Raises:
        DataError: if it is no such file, or too large; the text is only the reason, and quotes
            nothing of the file but its size.
        MissingPackageError: if pydicom is missing.
    """
    header = _parsed(data, max_pixels)
    values = _decoded(header)
    with _quoting_nothing("its window, rescaling or lookup table is not usable"):
        shown, (low, high) = _shown(values, header)
    if not (np.isfinite(low) and np.isfinite(high) and high != low and np.isfinite(shown).all()):
        raise DataError("its window, rescaling or lookup table gives no gray levels")
    gray = np.clip((shown - low) * (255 / (high - low)) + 0.5, 0, 255).astype(np.uint8)
    pale = header.PhotometricInterpretation == _PALE
    return DicomImage(Image.fromarray(255 - gray if pale else gray), int(header.BitsStored))


def dicom_size(data: bytes, max_pixels: int) -> tuple[int, int]:
    """Width and height, from the attributes alone.

    Raises:
        DataError, MissingPackageError: as :func:`read_dicom`.
    """
    header = _parsed(data, max_pixels)
    return int(header.Columns), int(header.Rows)


def _parsed(data: bytes, max_pixels: int) -> Dataset:
    """The needed attributes, checked before any pixel is decoded."""
    require("pydicom", extra="dicom")
    from pydicom.filereader import dcmread, read_dataset

    # Its warnings quote values too. (A context would not do: files are decoded in threads.)
    warnings.filterwarnings("ignore", module="pydicom|edgecxr.core.dicom")

    file = io.BytesIO(data)
    with _quoting_nothing("it begins as DICOM files do, and is damaged or cut off"):
        file.seek(MAGIC_AT + len(MAGIC))
        meta = read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag.group != 2)
        syntax = str(meta.get("TransferSyntaxUID", ""))
        file.seek(0)
        # Inflating is done in one go and without a limit.
        header = None if syntax in _DEFLATED else dcmread(file, specific_tags=list(_NEEDED))
    if header is None:
        raise DataError("its data set is deflated as a whole, which is not read; store it plain")
    with _quoting_nothing("its attributes of the picture are missing or damaged"):
        _check(header, max_pixels)
    return header


@contextmanager
def _quoting_nothing(sentence: str) -> Iterator[None]:
    """Whatever pydicom raises becomes ``sentence``: it documents no list of what a damaged file
    can raise, and its texts can quote the file."""
    try:
        yield
    except DataError:
        raise
    except Exception:
        raise DataError(sentence) from None


def _check(header: Dataset, max_pixels: int) -> None:
    if "PixelData" not in header:
        raise DataError("it holds no picture, as DICOM reports and directories do")
    frames = int(header.get("NumberOfFrames") or 1)
    if frames != 1:
        raise DataError(
            f"one picture was expected, and it holds {frames} frames; export one of them"
        )
    if int(header.SamplesPerPixel) != 1 or header.PhotometricInterpretation not in _GRAY:
        raise DataError("a gray picture was expected, and it is in colour; X-rays are gray")
    width, height, bits = int(header.Columns), int(header.Rows), int(header.BitsStored)
    if not (width > 0 and height > 0 and 1 <= bits <= int(header.BitsAllocated) <= 32):
        raise DataError("its attributes of the picture are missing or damaged")
    if width * height > max_pixels:
        raise DataError(
            f"{width}×{height} pixels were found, more than the limit of "
            f"{max_pixels // 2**20} million that guards against decompression bombs"
        )


def _decoded(header: Dataset) -> NDArray[Any]:
    """The stored values, (height, width)."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    with _quoting_nothing("it is compressed in a way that pydicom cannot decode"):
        syntax = UID(header.file_meta.TransferSyntaxUID)
        decoder = get_decoder(syntax)
    if not decoder.is_available:
        raise DataError(
            f"it is compressed as {syntax.name}, which needs a plugin of pydicom; "
            "install it with: pip install python-gdcm"
        )
    with _quoting_nothing(
        f"its pixels ({syntax.name}) are damaged or cut off, or need another plugin of pydicom: "
        "pip install python-gdcm, or pylibjpeg and pylibjpeg-libjpeg for 12-bit lossy JPEG"
    ):
        values, _ = decoder.as_array(header, index=0)
    if values.shape != (header.Rows, header.Columns):
        raise DataError("its pixels are not as many as it says")
    return np.asarray(values)


def _shown(
    values: NDArray[Any], header: Dataset
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """The gray levels to show, and those that mean black and white."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    real = apply_modality_lut(values, header)
    shown = np.asarray(apply_voi_lut(real, header), np.float64)
    if header.get("VOILUTSequence"):
        return shown, (0.0, 2.0 ** int(header.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    if header.get("ModalityLUTSequence"):
        return shown, (0.0, 2.0 ** int(header.ModalityLUTSequence[0].LUTDescriptor[2]) - 1)
    windowed = header.get("WindowCenter") is not None and header.get("WindowWidth") is not None
    # pydicom spreads the window over the range that the stored bits could have.
    low, high = _range(None if windowed else values, header)
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    if slope is not None and intercept is not None:
        low, high = (end * float(slope) + float(intercept) for end in (low, high))
    # A negative slope turns the range of a window round too, and not its darkest gray level.
    return shown, (low, high) if windowed or low < high else (high, low)


def _range(values: NDArray[Any] | None, header: Dataset) -> tuple[float, float]:
    """The stored values that mean black and white, before rescaling.

    Those that the bits can hold. Where all 16 of two bytes are named and ``values`` given, the
    depth that :func:`significant_bits` finds, as for a TIFF or PNG.
    """
    bits = int(header.BitsStored)
    if header.PixelRepresentation == 1:
        return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
    if values is not None and bits == _WHOLE_BYTES:
        bits = significant_bits(int(values.max()))
    return 0.0, 2.0**bits - 1
