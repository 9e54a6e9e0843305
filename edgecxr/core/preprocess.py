# SPDX-License-Identifier: Apache-2.0
"""From any image file to the uint8 pixels that the model sees; defined here and nowhere else.

The steps are named in the manifest, so that a bundle says how its images were made. A new step is
a function and its name in ``STEPS``.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile
from pydantic import BaseModel, ConfigDict, Field, field_validator

from edgecxr.core import filters
from edgecxr.core.depth import significant_bits
from edgecxr.core.dicom import MAGIC, MAGIC_AT, SUFFIXES, dicom_size, is_dicom, read_dicom
from edgecxr.errors import DataError, UsageError

IMAGE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", *SUFFIXES)

# Only these decoders run: Pillow would otherwise try some forty formats on a file's first bytes.
_FORMATS: Final = ("PNG", "JPEG", "TIFF", "BMP")

# The largest X-ray detectors give about 20 million pixels. Pillow's own limit is 179 million.
MAX_PIXELS: Final = 2**26

# Raised by Pillow's decoders on damaged files; none of them is documented as complete.
_DECODE_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

_PHOTOMETRIC: Final = 262  # the TIFF tag that says whether 0 is black (1) or white (0)
_WHITE_IS_ZERO: Final = "edgecxr white is zero"

Step = Callable[[Image.Image, "Preprocessing"], Image.Image]


def _deep_to_gray(image: Image.Image) -> Image.Image:
    """16- or 32-bit integers, or floats from 0 to 1, to 8-bit gray."""
    values = np.asarray(image)
    low, high = values.min(), values.max()
    if values.dtype.kind == "f":
        if not (low >= 0 and high <= 1):  # also true for NaN
            raise ValueError(f"float pixels from 0 to 1 were expected, found {low:g} to {high:g}")
        top = 1
    else:
        if low < 0:
            raise ValueError(f"pixels from 0 upwards were expected, found {low}")
        top = 2 ** significant_bits(int(high)) - 1
    # Rounded half up, so that 8 of 16 bits come back as they were.
    gray = (values.astype(np.float64) * (255 / top) + 0.5).astype(np.uint8)
    return Image.fromarray(255 - gray if image.info.get(_WHITE_IS_ZERO) else gray)


def _orient(image: Image.Image, _: Preprocessing) -> Image.Image:
    return ImageOps.exif_transpose(image)


def _gray(image: Image.Image, _: Preprocessing) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _deep_to_gray(image)
    if image.has_transparency_data:
        # Black is what an X-ray shows outside the body.
        rgba = image.convert("RGBA")
        black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, rgba)
    if image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    return image.convert("L")


def _crop(image: Image.Image, _: Preprocessing) -> Image.Image:
    return image.crop(filters.frame(np.asarray(image)))


def _squash(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    size = (preprocessing.width, preprocessing.height)
    return image.resize(size, Image.Resampling.LANCZOS)


def _fit_shortest(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    size = (preprocessing.width, preprocessing.height)
    return ImageOps.fit(image, size, Image.Resampling.LANCZOS)


def _fit_longest(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    return _padded(image, preprocessing, reflect=False)


def _reflect_pad(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    return _padded(image, preprocessing, reflect=True)


def _padded(image: Image.Image, preprocessing: Preprocessing, *, reflect: bool) -> Image.Image:
    height, width = preprocessing.height, preprocessing.width
    scale = min(height / image.height, width / image.width)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    inner = np.asarray(image.resize(size, Image.Resampling.LANCZOS))
    return Image.fromarray(filters.pad_to(inner, height, width, reflect=reflect))


def _equalize(image: Image.Image, _: Preprocessing) -> Image.Image:
    return ImageOps.equalize(image)


def _clahe(image: Image.Image, _: Preprocessing) -> Image.Image:
    return Image.fromarray(filters.clahe(np.asarray(image)))


def _gaussian(image: Image.Image, _: Preprocessing) -> Image.Image:
    return Image.fromarray(filters.gaussian_3x3(np.asarray(image)))


# From any file to 8-bit gray; every image begins with these.
FIRST: Final[dict[str, Step]] = {"exif-orientation": _orient, "gray-8bit": _gray}
# On the image in its own size.
BEFORE_RESIZE: Final[dict[str, Step]] = {"crop-border": _crop}
RESIZES: Final[dict[str, Step]] = {
    "resize-squash": _squash,
    "resize-fit-shortest": _fit_shortest,
    "resize-fit-longest": _fit_longest,
    "resize-reflect-pad": _reflect_pad,
}
# On the pixels that the model would see, so that they do not depend on how large the file was.
AFTER_RESIZE: Final[dict[str, Step]] = {
    "equalize": _equalize,
    "clahe": _clahe,
    "gaussian-3x3": _gaussian,
}
STEPS: Final[dict[str, Step]] = {**FIRST, **BEFORE_RESIZE, **RESIZES, **AFTER_RESIZE}


class Preprocessing(BaseModel):
    """How an image file becomes the model's input. Stored in the manifest.

    The steps, applied in order:

    - ``exif-orientation``: turned as the EXIF tag says;
    - ``gray-8bit``: luminance (ITU-R BT.601) in 8 bits; alpha on black; more than 8 bits are scaled
      by the detector's depth (``significant_bits``), floats from 0 to 1 by 255; of a DICOM file,
      what its rescaling, window and photometric interpretation make of it (``read_dicom``);
    - ``crop-border``: a black or white frame cut off (``filters.frame``);
    - ``resize-squash``: to height × width without regard to the aspect, Lanczos, antialiased;
    - ``resize-fit-shortest``: the short side fits, what is too long is cut off on both ends;
    - ``resize-fit-longest``: the long side fits, zeros (black) around the rest;
    - ``resize-reflect-pad``: the same, with the picture's mirror instead of zeros;
    - ``equalize``: the histogram of the whole image made flat (Pillow's ``ImageOps.equalize``);
    - ``clahe``: local equalization in 8×8 tiles, contrast at most tripled (``filters.clahe``);
    - ``gaussian-3x3``: smoothed by a 3×3 Gaussian of σ = 1 pixel.

    Raises:
        DataError: for a step that this version does not know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: int = Field(default=96, ge=8, le=1024)
    width: int = Field(default=96, ge=8, le=1024)
    steps: tuple[str, ...] = ("exif-orientation", "gray-8bit", "resize-squash")

    @field_validator("steps")
    @classmethod
    def _known(cls, steps: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [step for step in steps if step not in STEPS]
        if unknown:
            raise DataError(
                f"preprocessing step '{unknown[0]}' is not known; this version of edgecxr has "
                f"{', '.join(STEPS)}; a newer version is needed, or the name is wrong"
            )
        return steps

    @classmethod
    def of(
        cls, resize: str = "squash", steps: Sequence[str] = (), height: int = 96, width: int = 96
    ) -> Preprocessing:
        """With a way to resize (``RESIZES``, without ``resize-``) and further steps.

        Steps run in the order given, except that those of ``BEFORE_RESIZE`` come before it.

        Raises:
            UsageError: for a name that is not known or stands twice.
        """
        further = (*BEFORE_RESIZE, *AFTER_RESIZE)
        wrong = [s for i, s in enumerate(steps) if s not in further or s in steps[:i]]
        if wrong or f"resize-{resize}" not in RESIZES:
            name = wrong[0] if wrong else resize
            ways = ", ".join(way.removeprefix("resize-") for way in RESIZES)
            raise UsageError(
                f"preprocessing steps are {', '.join(further)}, each at most once, and the ways to "
                f"resize {ways}; found '{name}'"
            )
        before = [step for step in steps if step in BEFORE_RESIZE]
        after = [step for step in steps if step in AFTER_RESIZE]
        chosen = (*FIRST, *before, f"resize-{resize}", *after)
        return cls(height=height, width=width, steps=chosen)

    def key(self) -> str:
        """16 hexadecimal digits that change with everything here that changes pixels."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    def load(self, path: Path) -> NDArray[np.uint8]:
        """The pixels of an image file, uint8 (height, width); of several pages the first.

        Raises:
            DataError: if the file cannot be read or decoded; the sentence names it.
        """
        try:
            return self.decode(path.read_bytes())
        except OSError as error:
            raise DataError(f"{path} could not be read: {error.strerror or error}") from error
        except DataError as error:
            raise DataError(f"{path} is not a usable image: {error}") from error

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """The pixels of an encoded image, uint8 (height, width).

        Raises:
            DataError: if it cannot be decoded; the text is only the reason.
        """
        image = open_image(data)
        try:
            for step in self.steps:
                image = STEPS[step](image, self)
        except _DECODE_ERRORS as error:
            raise DataError(_reason(error)) from error
        if image.mode != "L" or image.size != (self.width, self.height):
            raise DataError(
                f"the preprocessing steps {', '.join(self.steps)} leave {image.mode} pixels of "
                f"{image.width}×{image.height}; 8-bit gray of {self.width}×{self.height} is needed"
            )
        return np.asarray(image, dtype=np.uint8)


@dataclass(frozen=True)
class ImageFacts:
    """What an image file holds before preprocessing.

    Attributes:
        format: PNG, JPEG, TIFF, BMP or DICOM.
        mode: Pillow's name for the pixels: L is gray, P palette, RGBA with alpha, I;16 16-bit gray.
        width, height: in pixels, as stored.
        bits: per channel, as stored.
        used_bits: per channel, as its brightest pixel shows; see ``significant_bits``.
        turned: an EXIF tag asks for another orientation.
    """

    format: str
    mode: str
    width: int
    height: int
    bits: int
    used_bits: int
    turned: bool


@dataclass(frozen=True)
class ImageHeader:
    """What an image file says before it is decoded; ``coarseness`` sums its JPEG tables, else 0."""

    format: str
    mode: str
    width: int
    height: int
    turned: bool
    coarseness: int


def is_image(path: Path) -> bool:
    """Whether a file's name says that it is an image, or, where it has no suffix, its first bytes.

    DICOM files of an archive often have none, or a number (IM0001, 1.2.840.113704.7).
    """
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return True
    return (not suffix or suffix[1:].isdigit()) and _begins_as_dicom(path)


def _begins_as_dicom(path: Path) -> bool:
    try:
        file = path.open("rb")
    except OSError:  # whoever needs the file will say so
        return False
    with file:
        return is_dicom(file.read(MAGIC_AT + len(MAGIC)))


def peek(path: Path) -> ImageHeader:
    """The header of an image file; its pixels may still be damaged.

    Raises:
        DataError: if there is no such header; the sentence names the file.
    """
    try:
        if _begins_as_dicom(path):
            width, height = dicom_size(path.read_bytes(), MAX_PIXELS)
            return ImageHeader("DICOM", "L", width, height, turned=False, coarseness=0)
        with Image.open(path, formats=_FORMATS) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
            tables = getattr(image, "quantization", {})
            coarseness = sum(sum(table) for table in tables.values())
            kind = image.format or ""
            return ImageHeader(kind, image.mode, image.width, image.height, turned, coarseness)
    except DataError as error:
        raise DataError(f"{path} is not a usable image: {error}") from error
    except _DECODE_ERRORS as error:
        raise DataError(f"{path} is not a usable image: {_reason(error)}") from error


def describe(data: bytes) -> ImageFacts:
    """Decode an image in full and say what it is.

    Raises:
        DataError: as ``open_image`` does.
    """
    if is_dicom(data):
        found = read_dicom(data, MAX_PIXELS)
        width, height = found.image.size
        return ImageFacts("DICOM", "L", width, height, found.bits, found.bits, turned=False)
    image = _open(data)
    # Pillow reads 16 bits per channel of RGB as 8; only the decoder's arguments still tell.
    deep = image.mode.startswith("I;16") or ";16" in str(image.tile)
    try:
        # Asked before the pixels are decoded: Pillow turns a TIFF while it decodes it.
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    except _DECODE_ERRORS as error:
        raise DataError(_reason(error)) from error
    _load(image)
    bits = 16 if deep else {"1": 1, "I": 32, "F": 32}.get(image.mode, 8)
    used = bits
    if image.mode.startswith("I"):
        used = significant_bits(int(np.asarray(image).max()))
    return ImageFacts(image.format or "", image.mode, image.width, image.height, bits, used, turned)


def open_image(data: bytes) -> Image.Image:
    """An encoded PNG, JPEG, TIFF, BMP or DICOM image, decoded in full.

    Raises:
        DataError: if it is damaged, truncated, too large or of another format; the text is only
            the reason.
        MissingPackageError: if it is a DICOM file, and pydicom is missing.
    """
    if is_dicom(data):
        return read_dicom(data, MAX_PIXELS).image
    image = _open(data)
    _load(image)
    if isinstance(image, TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == 0:
        # Pillow inverts these itself if they have 8 bits or fewer, and not if they have more.
        image.info[_WHITE_IS_ZERO] = True
    return image


def _open(data: bytes) -> ImageFile.ImageFile:
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError as error:
        what = (
            "it is empty" if not data else "no PNG, JPEG, TIFF, BMP or DICOM image was found in it"
        )
        raise DataError(what) from error
    except _DECODE_ERRORS as error:
        raise DataError(_reason(error)) from error
    if image.width * image.height > MAX_PIXELS:
        raise DataError(
            f"{image.width}×{image.height} pixels were found, more than the limit of "
            f"{MAX_PIXELS // 2**20} million that guards against decompression bombs"
        )
    return image


def _load(image: Image.Image) -> None:
    try:
        image.load()
    except _DECODE_ERRORS as error:
        raise DataError(_reason(error)) from error


def _reason(error: BaseException) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return "it has more pixels than the limit that guards against decompression bombs"
    return str(error) or type(error).__name__
