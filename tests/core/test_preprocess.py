# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edgecxr.core import preprocess
from edgecxr.core.depth import significant_bits
from edgecxr.core.preprocess import Preprocessing, describe
from edgecxr.errors import DataError, UsageError

SAME_SIZE = Preprocessing(height=40, width=50)


def ramp() -> NDArray[np.uint8]:
    """Every grey level, dark at the top left; uint8 (40, 50)."""
    return np.linspace(0, 255, 2000).round().astype(np.uint8).reshape(40, 50)


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def gray() -> Image.Image:
    return Image.fromarray(ramp())


def deep(values: NDArray[Any], kind: str = "PNG") -> bytes:
    return encode(Image.fromarray(values), kind)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [(k, m) for k in ("PNG", "TIFF") for m in ("L", "RGB", "P", "RGBA", "LA")]
    + [("BMP", m) for m in ("L", "RGB", "P")],
)
def test_gray_stays_gray_in_every_mode(kind: str, mode: str) -> None:
    assert np.array_equal(SAME_SIZE.decode(encode(gray().convert(mode), kind)), ramp())


def test_jpeg_is_close() -> None:
    found = SAME_SIZE.decode(encode(gray(), "JPEG", quality=95)).astype(int)
    assert np.abs(found - ramp()).max() <= 4


def test_one_bit_becomes_black_and_white() -> None:
    found = SAME_SIZE.decode(encode(gray().point(lambda v: 255 * (v > 127), "1")))
    assert np.array_equal(found, np.where(ramp() > 127, 255, 0))


def test_colours_become_luminance() -> None:
    image = Image.new("RGB", (50, 40), (255, 0, 0))
    assert np.all(SAME_SIZE.decode(encode(image)) == 76)  # 0.299 × 255


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_without_ink_is_white(kind: str) -> None:
    image = Image.merge("CMYK", [Image.new("L", (50, 40), v) for v in (0, 0, 0, 0)])
    assert SAME_SIZE.decode(encode(image, kind)).min() >= 254


def test_transparent_is_black() -> None:
    image = gray().convert("RGBA")
    image.putalpha(
        Image.fromarray(np.where(np.arange(50) < 25, 0, 255).astype(np.uint8)[None].repeat(40, 0))
    )
    found = SAME_SIZE.decode(encode(image))
    assert np.all(found[:, :25] == 0)
    assert np.array_equal(found[:, 25:], ramp()[:, 25:])


def test_a_transparent_palette_colour_is_black() -> None:
    image = Image.new("P", (50, 40), 1)
    image.putpalette([0, 0, 0, 200, 200, 200])
    assert np.all(SAME_SIZE.decode(encode(image)) == 200)
    assert np.all(SAME_SIZE.decode(encode(image, transparency=1)) == 0)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_16_bit_files_are_scaled_by_the_depth_of_the_detector(kind: str, bits: int) -> None:
    values = (ramp().astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)
    found = SAME_SIZE.decode(deep(values, kind)).astype(int)
    assert np.abs(found - ramp()).max() <= 1
    assert (found.min(), found.max()) == (0, 255)


def test_32_bit_files_are_scaled() -> None:
    values = ramp().astype(np.int32) * (0xFFFF // 255)
    assert np.array_equal(SAME_SIZE.decode(deep(values, "TIFF")), ramp())


def test_floats_from_0_to_1_are_scaled() -> None:
    assert np.array_equal(SAME_SIZE.decode(deep(ramp().astype(np.float32) / 255, "TIFF")), ramp())


@pytest.mark.parametrize(
    "values",
    [
        np.full((40, 50), 300.0, np.float32),
        np.full((40, 50), -0.5, np.float32),
        np.full((40, 50), np.nan, np.float32),
        np.full((40, 50), -5, np.int32),
    ],
)
def test_pixels_without_a_known_scale_are_refused(values: NDArray[Any]) -> None:
    with pytest.raises(DataError, match="pixels from 0"):
        SAME_SIZE.decode(deep(values, "TIFF"))


@pytest.mark.parametrize("values", [ramp(), ramp().astype(np.uint16) * 257])
def test_a_tiff_whose_zero_is_white_is_inverted(values: NDArray[Any]) -> None:
    data = bytearray(deep(values, "TIFF"))
    tag = data.index(b"\x06\x01\x03\x00\x01\x00\x00\x00\x01")  # 262, SHORT, one value: 1
    data[tag + 8] = 0
    assert np.array_equal(SAME_SIZE.decode(bytes(data)), 255 - ramp())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_exif_orientation_turns_the_image(kind: str) -> None:
    exif = Image.Exif()
    exif[274] = 6  # to be shown turned by 90° clockwise
    data = encode(Image.fromarray(np.rot90(ramp()).copy()), kind, exif=exif)
    found = SAME_SIZE.decode(data).astype(int)
    assert np.abs(found - ramp()).max() <= (8 if kind == "JPEG" else 0)
    assert describe(data).turned


@given(st.integers(0, 2**31 - 1))
@settings(deadline=None)
def test_significant_bits_hold_the_brightest_pixel(brightest: int) -> None:
    bits = significant_bits(brightest)
    assert brightest < 2**bits
    assert bits == 8 or brightest >= 2 ** max(b for b in (8, 10, 12, 14, 16) if b < bits)


@given(st.integers(8, 200), st.integers(8, 200), st.integers(1, 300), st.integers(1, 300))
@settings(max_examples=30, deadline=None)
def test_any_size_is_squashed_to_the_asked_one(height: int, width: int, h: int, w: int) -> None:
    data = encode(Image.new("L", (w, h), 77))
    found = Preprocessing(height=height, width=width).decode(data)
    assert found.shape == (height, width)
    assert found.dtype == np.uint8
    assert np.all(found == 77)


def test_shrinking_is_antialiased() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (960, 480))
    found = Preprocessing().decode(encode(Image.fromarray(stripes)))
    assert 120 < found[:, 4:-4].min() <= found[:, 4:-4].max() < 135


def test_of_several_pages_the_first_counts() -> None:
    data = encode(gray(), "TIFF", save_all=True, append_images=[Image.new("L", (50, 40))])
    assert np.array_equal(SAME_SIZE.decode(data), ramp())


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_a_truncated_file_is_one_sentence_with_its_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "half.png"
    data = encode(gray(), kind)
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(DataError, match=r"half\.png is not a usable image: ") as caught:
        SAME_SIZE.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"hello", "no PNG, JPEG, TIFF, BMP or DICOM"),
        (b"GIF89a" + bytes(40), "no PNG, JPEG, TIFF, BMP or DICOM"),
    ],
)
def test_what_is_no_image_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        SAME_SIZE.decode(data)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.png could not be read: No such file"):
        SAME_SIZE.load(tmp_path / "gone.png")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("edge", [9_000, 30_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(edge: int) -> None:
    data = bytearray(encode(Image.new("1", (8, 8)), "BMP"))
    data[18:26] = edge.to_bytes(4, "little") * 2
    with pytest.raises(DataError, match="decompression bombs"):
        SAME_SIZE.decode(bytes(data))


@pytest.mark.filterwarnings("ignore:::PIL")
@given(st.integers(0, 2**32), st.sampled_from(["PNG", "JPEG", "TIFF", "BMP"]))
@settings(max_examples=150, deadline=None)
def test_a_damaged_file_gives_pixels_or_a_data_error(seed: int, kind: str) -> None:
    chance = random.Random(seed)
    data = bytearray(encode(gray().convert(chance.choice(["L", "RGB"])), kind))
    for _ in range(chance.choice([1, 4, 16])):
        data[chance.randrange(min(len(data), chance.choice([64, 4096])))] = chance.randrange(256)
    for read in (SAME_SIZE.decode, describe):
        with contextlib.suppress(DataError):
            read(bytes(data))


def test_describe_tells_stored_and_used_bits() -> None:
    facts = describe(deep(ramp().astype(np.uint16) * 16))
    assert (facts.format, facts.mode, facts.bits, facts.used_bits) == ("PNG", "I;16", 16, 12)
    facts = describe(encode(gray(), "JPEG"))
    assert (facts.format, facts.bits, facts.used_bits, facts.turned) == ("JPEG", 8, 8, False)
    assert (facts.width, facts.height) == (50, 40)


def test_steps_are_stored_and_read_back() -> None:
    stored = Preprocessing().model_dump_json()
    assert '"exif-orientation","gray-8bit","resize-squash"' in stored
    assert Preprocessing.model_validate_json(stored) == Preprocessing()


def test_a_step_of_a_newer_version_is_one_sentence() -> None:
    text = '{"height":96,"width":96,"steps":["gray-8bit","sharpen"]}'
    with pytest.raises(DataError, match="step 'sharpen' is not known; this version of edgecxr has"):
        Preprocessing.model_validate_json(text)


def test_steps_that_leave_no_gray_image_are_refused() -> None:
    with pytest.raises(DataError, match=r"leave RGB pixels of 50×40; 8-bit gray of 96×96"):
        Preprocessing(steps=("exif-orientation",)).decode(encode(gray().convert("RGB")))


def test_the_key_changes_with_everything_that_changes_pixels() -> None:
    variants = [
        Preprocessing(),
        Preprocessing(height=64),
        Preprocessing(width=64),
        Preprocessing(steps=("gray-8bit", "resize-squash")),
        *(Preprocessing.of(name) for name in RESIZES if name != "squash"),
        *(Preprocessing.of(steps=[name]) for name in FURTHER),
        Preprocessing.of(steps=["clahe", "gaussian-3x3"]),
        Preprocessing.of(steps=["gaussian-3x3", "clahe"]),
    ]
    assert len({variant.key() for variant in variants}) == len(variants)
    assert Preprocessing().key() == variants[0].key()


RESIZES = tuple(name.removeprefix("resize-") for name in preprocess.RESIZES)
FURTHER = (*preprocess.BEFORE_RESIZE, *preprocess.AFTER_RESIZE)


def test_bundles_of_before_have_the_same_key_and_pixels() -> None:
    """The literals are of the first version: a change here would disown every bundle."""
    stored = '{"height":96,"width":96,"steps":["exif-orientation","gray-8bit","resize-squash"]}'
    old = Preprocessing.model_validate_json(stored)
    assert old == Preprocessing() == Preprocessing.of()
    assert old.model_dump_json() == stored
    assert old.key() == "5224b784f0f30f45"
    assert np.array_equal(SAME_SIZE.decode(encode(gray())), ramp())


@given(
    st.sampled_from(RESIZES),
    st.lists(st.sampled_from(FURTHER), unique=True),
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
@settings(max_examples=60)
def test_any_steps_on_any_picture_give_the_asked_size_each_time(
    resize: str, steps: list[str], size: tuple[int, int], seed: int, flat: bool
) -> None:
    made = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    data = encode(Image.fromarray(np.full_like(made, seed % 256) if flat else made))
    preprocessing = Preprocessing.of(resize, steps, height=24, width=40)
    found = preprocessing.decode(data)
    assert (found.shape, found.dtype) == ((24, 40), np.uint8)
    assert np.array_equal(found, preprocessing.decode(data))
    again = Preprocessing.model_validate_json(preprocessing.model_dump_json())
    assert (again, again.key()) == (preprocessing, preprocessing.key())


def test_resizing_keeps_the_aspect_where_it_says_so() -> None:
    wide = np.full((50, 100), 200, np.uint8)
    wide[:, :25] = 100  # the outer quarter on each side
    wide[:, 75:] = 60
    found = {
        name: Preprocessing.of(name, height=40, width=40).decode(encode(Image.fromarray(wide)))
        for name in RESIZES
    }

    def near(part: NDArray[np.uint8], level: int) -> bool:  # Lanczos rings beside edges
        return bool(np.abs(part.astype(int) - level).max() <= 3)

    assert near(found["squash"][:, 12:28], 200)
    assert near(found["squash"][:, :8], 100)
    assert near(found["fit-shortest"][:, 2:38], 200)
    for name in ("fit-longest", "reflect-pad"):
        assert near(found[name][12:28, 12:28], 200)
        assert near(found[name][12:28, :8], 100)
    assert found["fit-longest"][:10].max() == found["fit-longest"][30:].max() == 0
    assert np.array_equal(found["reflect-pad"][:10], found["reflect-pad"][20:10:-1])


def test_a_frame_is_cut_off_before_resizing() -> None:
    framed = Image.fromarray(np.pad(ramp()[4:, :].clip(20, 230), ((30, 9), (0, 22))))
    cropped = Image.fromarray(ramp()[4:, :].clip(20, 230))
    with_step = Preprocessing.of(steps=["crop-border"])
    assert np.array_equal(with_step.decode(encode(framed)), with_step.decode(encode(cropped)))
    assert np.array_equal(
        with_step.decode(encode(cropped)), Preprocessing().decode(encode(cropped))
    )


def test_steps_run_in_the_order_given_but_for_the_crop() -> None:
    made = Preprocessing.of("fit-longest", ["gaussian-3x3", "crop-border", "clahe"])
    first = ("exif-orientation", "gray-8bit", "crop-border", "resize-fit-longest")
    assert made.steps == (*first, "gaussian-3x3", "clahe")


def test_equalize_uses_all_grey_levels() -> None:
    dull = Image.fromarray((100 + ramp().astype(int) // 8).astype(np.uint8))
    found = Preprocessing.of(steps=["equalize"]).decode(encode(dull))
    assert (found.min(), found.max()) == (0, 255)


@pytest.mark.parametrize(
    ("resize", "steps", "name"),
    [
        ("stretch", [], "stretch"),
        ("squash", ["sharpen"], "sharpen"),
        ("squash", ["clahe", "clahe"], "clahe"),
        ("squash", ["resize-squash"], "resize-squash"),
    ],
)
def test_a_step_that_cannot_be_meant_is_one_sentence(
    resize: str, steps: list[str], name: str
) -> None:
    with pytest.raises(UsageError, match=rf"gaussian-3x3, each at most once.*; found '{name}'$"):
        Preprocessing.of(resize, steps)


def test_every_step_is_described_where_a_reader_looks() -> None:
    for name in preprocess.STEPS:
        assert name in (Preprocessing.__doc__ or "")
