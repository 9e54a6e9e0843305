# SPDX-License-Identifier: Apache-2.0
"""Phantoms with planted defects: each is found, and a clean set is clean."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from edgecxr.cli import main
from edgecxr.data.anatomy import draw

pytestmark = pytest.mark.heavy

EACH = {"train": 30, "test": 10}
CLASSES = ("focal", "normal")
DRAWN = {"focal": "focal_lobar", "normal": "normal"}


@pytest.fixture(scope="module")
def pictures() -> dict[tuple[str, str, int], NDArray[np.uint8]]:
    """Drawn once: split, class and number → uint8 (128, 128)."""
    found = {}
    for split, count in EACH.items():
        for label in CLASSES:
            for number in range(count):
                seed = [ord(split[1]), CLASSES.index(label), number]
                found[split, label, number] = draw(DRAWN[label], np.random.default_rng(seed), 128)
    return found


@pytest.fixture
def clean(
    pictures: dict[tuple[str, str, int], NDArray[np.uint8]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    monkeypatch.setenv("EDGECXR_CACHE", str(tmp_path / "cache"))
    for (split, label, number), pixels in pictures.items():
        path = tmp_path / "set" / split / label / f"{label}{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return tmp_path / "set"


def audit(capsys: pytest.CaptureFixture[str], *sources: Path, options: Any = ()) -> dict[str, Any]:
    assert main.run(["data", "audit", *map(str, sources), *options, "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def kinds(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {finding["kind"]: finding for finding in report["findings"]}


def change(folder: Path, pattern: str, function: Callable[[Image.Image], Image.Image]) -> None:
    for path in sorted(folder.glob(pattern)):
        with Image.open(path) as image:
            changed = function(image)
        changed.save(path)


def test_a_clean_set_is_clean(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["data", "audit", str(clean), "--strict", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["findings"] == []
    assert report["pairs"] == []
    assert report["sets"][0]["images"] == 80


def test_copies_across_splits(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = Image.open(clean / "train/focal/focal3.png")
    copy.save(clean / "test/focal/exact.png", compress_level=1)
    ImageOps.equalize(copy).save(clean / "test/focal/near.png")
    found = kinds(audit(capsys, clean))["copies-across-splits"]
    assert found["severity"] == "high"
    assert found["count"] == 2
    assert "(1 exact, 1 near)" in found["what"]
    assert "2 of 22 images of test (2 of focal)" in found["what"]
    assert found["examples"][0] == ["test/focal/exact.png", "train/focal/focal3.png"]


def test_copies_within_a_split_are_ranked_by_split(
    clean: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "test"):
        with Image.open(clean / split / "normal/normal1.png") as image:
            ImageOps.autocontrast(image, cutoff=3).save(clean / split / "normal/again.png")
    findings = audit(capsys, clean)["findings"]
    assert [(f["kind"], f["severity"]) for f in findings] == [
        ("copies-within-split", "medium"),
        ("copies-within-split", "low"),
    ]
    assert "lie within test" in findings[0]["what"]
    assert "a validation split drawn from train" in findings[1]["why"]


def test_a_label_conflict(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Image.open(clean / "train/focal/focal7.png") as image:
        image.save(clean / "train/normal/wrong.png", compress_level=1)
    found = kinds(audit(capsys, clean))["label-conflict"]
    assert found["severity"] == "high"
    assert "1 focal and normal" in found["what"]
    assert found["examples"] == [["train/focal/focal7.png", "train/normal/wrong.png"]]


def test_patients_whom_a_rule_names(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = audit(capsys, clean, options=["--patients", r"(normal\d)\."])
    found = kinds(report)["patients-across-splits"]
    assert found["severity"] == "high"
    assert found["count"] == 10
    assert "10 patients have images in train and in test" in found["what"]


def test_beginnings_of_names_that_may_be_patients(
    clean: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split, number in (("train", 1), ("train", 2), ("test", 3)):
        path = clean / split / f"normal/normal{number}.png"
        path.rename(path.with_name(f"case12_view{number}.png"))
    report = kinds(audit(capsys, clean))
    assert report["patients-across-splits"]["severity"] == "medium"
    assert report["patients-across-splits"]["count"] == 1
    assert report["patients-repeat"]["severity"] == "low"
    assert len(report["patients-repeat"]["examples"][0]) == 2


def test_sizes_that_give_the_class_away(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(clean, "*/focal/*.png", lambda image: image.resize((160, 128)))
    found = kinds(audit(capsys, clean))["class-from-size"]
    assert found["severity"] == "high"
    assert "median width:height: focal 1.25, normal 1" in found["what"]


def test_formats_that_give_the_class_away(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(clean, "*/focal/*.png", lambda image: image.convert("RGB"))
    assert kinds(audit(capsys, clean))["class-from-format"]["severity"] == "high"


def test_brightness_that_gives_the_class_away(
    clean: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(clean, "*/focal/*.png", lambda image: image.point([v // 2 for v in range(256)]))
    found = kinds(audit(capsys, clean))["class-from-brightness"]
    assert found["severity"] == "high"
    assert "median mean grey level: focal " in found["what"]
    assert "median deviation: focal " in found["what"]


def test_sharpness_that_gives_the_class_away(
    clean: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(clean, "*/focal/*.png", lambda image: image.filter(ImageFilter.GaussianBlur(0.8)))
    found = kinds(audit(capsys, clean))["class-from-sharpness"]
    assert found["severity"] == "high"
    assert "median Laplacian over deviation: focal " in found["what"]


def test_frames_that_give_the_class_away(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(clean, "*/focal/*.png", lambda image: ImageOps.expand(image.crop((6, 6, 122, 122)), 6))
    found = kinds(audit(capsys, clean))["class-from-frames"]
    assert found["severity"] == "high"
    assert "images with frames: focal 100%, normal" in found["what"]
    assert "class-from-borders" in kinds(audit(capsys, clean))


def test_letters_that_give_the_class_away(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def stamp(image: Image.Image) -> Image.Image:
        pen = ImageDraw.Draw(image)
        pen.rectangle((4, 4, 28, 22), fill=10)
        pen.text((8, 7), "AP", fill=240)
        return image

    change(clean, "*/focal/*.png", stamp)
    found = kinds(audit(capsys, clean))["class-from-marks"]
    assert found["severity"] == "high"
    assert "images with burnt-in marks: focal 100%" in found["what"]


def test_something_outside_the_lungs(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def shade(image: Image.Image) -> Image.Image:
        image.paste(
            image.crop((40, 112, 88, 128)).point([v * 2 // 3 for v in range(256)]), (40, 112)
        )
        return image

    change(clean, "*/focal/*.png", shade)
    found = kinds(audit(capsys, clean))
    assert found["class-without-lungs"]["severity"] == "high"
    assert "from the whole image" in found["class-from-borders"]["what"]


def test_a_test_split_from_elsewhere(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(clean, "test/*/*.png", lambda image: image.point([40 + v // 2 for v in range(256)]))
    assert "test-differs-from-train" in kinds(audit(capsys, clean))


def test_an_unreadable_file(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clean / "train/focal/empty.png").write_bytes(b"")
    found = kinds(audit(capsys, clean))["unreadable"]
    assert "train/focal/empty.png: it is empty" in found["what"]


def test_two_sets(clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Classes may have other names there; what no name explains is a conflict."""
    other = tmp_path / "other"
    places = {
        "focal/focal1": "Sick/1",
        "focal/focal2": "Sick/2",
        "normal/normal3": "NORMAL/3",
        "normal/normal4": "Sick/4",
    }
    for i, (old, new) in enumerate(places.items()):
        path = other / "test" / f"{new}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(clean / "train" / f"{old}.png") as image:
            (image if i % 2 else ImageOps.equalize(image)).save(path)
    report = audit(capsys, clean, other)
    found = kinds(report)
    assert found["copies-across-sets"]["severity"] == "high"
    assert found["copies-across-sets"]["count"] == 4
    assert "4 of them join a train and a test image" in found["copies-across-sets"]["what"]
    assert "'focal' and 'Sick'" in found["class-names-differ"]["what"]
    assert found["label-conflict"]["examples"] == [
        ["set/train/normal/normal4.png", "other/test/Sick/4.png"]
    ]


def test_a_csv_of_two_origins(clean: Path, tmp_path: Path, capsys: Any) -> None:
    rows = ["file,label,split"]
    for label, folder in (("focal", "here"), ("normal", "there")):
        for path in sorted((clean / "train" / label).glob("*.png")):
            target = tmp_path / folder / path.name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
            rows.append(f"{folder}/{path.name},{label},train")
    (tmp_path / "mixed.csv").write_text("\n".join(rows))
    found = kinds(audit(capsys, tmp_path / "mixed.csv"))["class-from-origin"]
    assert found["severity"] == "high"
    assert "focal only from mixed/here" in found["what"]


def test_strict_and_out(clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Image.open(clean / "train/focal/focal7.png") as image:
        image.save(clean / "test/focal/leak.png")
    out = tmp_path / "audit.json"
    assert main.run(["data", "audit", str(clean), "--strict", "--out", str(out)]) == 6
    streams = capsys.readouterr()
    assert "1. HIGH copies-across-splits [set]" in streams.out
    assert "test/focal/leak.png = train/focal/focal7.png" in streams.out
    assert "--strict allows no finding of high severity, found 1" in streams.err
    assert json.loads(out.read_text())["pairs"][0]["exact"] is True
    assert main.run(["data", "audit", str(clean), "--out", str(out)]) == 1
    assert "exists already" in capsys.readouterr().err
