# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from edgecxr.cli import main
from edgecxr.data.anatomy import draw
from edgecxr.data.dataset import read_dataset
from edgecxr.data.pool import LabelRule
from edgecxr.errors import DataError, UsageError

CLASSES = ("normal", "focal_lobar")


def phantom(number: int) -> Image.Image:
    """One picture per number; classes alternate."""
    return Image.fromarray(draw(CLASSES[number % 2], np.random.default_rng(number), 128))


def write(root: Path, images: Mapping[str, Image.Image]) -> Path:
    for name, image in images.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(root / name)
    return root


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``target``: images 0 to 3. ``big``: 10 to 21, and a defect of each kind."""
    monkeypatch.setenv("EDGECXR_CACHE", str(tmp_path / "cache"))
    write(
        tmp_path / "target",
        {
            "train/normal/0.png": phantom(0),
            "train/sick/person7_a.png": phantom(1),
            "test/normal/2.png": phantom(2),
            "test/sick/3.png": phantom(3),
        },
    )
    write(
        tmp_path / "big",
        {f"train/{'ab'[i % 2]}/{i}.png": phantom(i) for i in range(10, 22)}
        | {
            "train/a/same-file.png": phantom(2),
            "train/b/person5_1.png": ImageOps.equalize(phantom(3)),
            "train/b/person5_2.png": phantom(33),  # a patient of the target, seen by the picture
            "train/a/twin.png": ImageOps.autocontrast(phantom(10), cutoff=2),
            "train/b/wrong.png": phantom(12),
        },
    )
    return tmp_path


def pool(
    capsys: pytest.CaptureFixture[str], folder: Path, *options: str, code: int = 0
) -> dict[str, Any]:
    arguments = ["data", "pool", str(folder / "big"), "--out", str(folder / "out" / "pool.csv")]
    arguments += ["--away-from", str(folder / "target"), *options, "--json"]
    assert main.run(arguments) == code
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_what_the_target_has_is_kept_out(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = pool(capsys, sets)
    reasons = {Path(item["file"]).stem: item["reason"] for item in answer["left_out_files"]}
    assert reasons == {
        "same-file": "same file as an image of the target",
        "person5_1": "near-duplicate of an image of the target",
        "person5_2": "patient of the target, or of one of its near-duplicates",
        "twin": "duplicate of an image that is in the pool",
        "12": "duplicates in the pool whose labels differ",
        "wrong": "duplicates in the pool whose labels differ",
    }
    assert answer["labels"] == {"a": 5, "b": 6}
    assert sum(answer["left_out"].values()) == 6


def test_the_csv_file_is_a_set_to_train_on_wherever_it_lies(
    sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = pool(capsys, sets)
    dataset = read_dataset(sets / "out" / "pool.csv")
    assert len(dataset.samples) == answer["images"] == 11
    assert dataset.root == sets / "big" / "train"
    assert {sample.split for sample in dataset.samples} == {"train"}
    assert dataset.samples[0].name == "a/10.png"


def test_only_the_named_splits_of_the_target_count(
    sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(sets / "big", {"train/a/of-train.png": phantom(0)})
    files = [item["file"] for item in pool(capsys, sets)["left_out_files"]]
    assert "../big/train/a/of-train.png" in files
    answer = pool(capsys, sets, "--away-from-splits", "test", "--force")
    assert "../big/train/a/of-train.png" not in [i["file"] for i in answer["left_out_files"]]
    assert answer["target_images"] == 2


def test_a_patient_whom_a_rule_names_is_one_in_all_sets(
    sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(sets / "big", {"train/a/person7_z.png": phantom(40)})
    assert "../big/train/a/person7_z.png" not in [
        item["file"] for item in pool(capsys, sets, "--away-from-splits", "test")["left_out_files"]
    ]
    answer = pool(capsys, sets, "--patients", r"(person\d+)_", "--force")
    assert {
        "file": "../big/train/a/person7_z.png",
        "reason": "patient of the target, or of one of its near-duplicates",
        "because_of": "../target/train/sick/person7_a.png",
        "score": None,
    } in answer["left_out_files"]


def test_a_patient_is_the_same_through_a_link(
    sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kermany's names: known by their folder, which a link gives another path."""
    write(sets / "big", {f"train/a/person{i}_virus_{i}.png": phantom(50 + 2 * i) for i in (1, 2)})
    write(sets / "big", {"train/a/person1_virus_9.png": phantom(60)})
    (sets / "linked").symlink_to(sets / "big")
    rows = "linked/train/a/person1_virus_1.png,a,test\nlinked/train/b/11.png,b,test\n"
    (sets / "target.csv").write_text("file,label,split\n" + rows)
    answer = pool(capsys, sets, "--away-from", str(sets / "target.csv"))
    reasons = {Path(item["file"]).stem: item["reason"] for item in answer["left_out_files"]}
    assert reasons["person1_virus_9"].startswith("patient of the target")
    assert "person2_virus_2" not in reasons


def test_labels_are_rewritten_and_empty_ones_leave_out(
    sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = ["--label", "a/1?.png=calm", "--label", "b/*=", "--label", "a/*=rest"]
    answer = pool(capsys, sets, *rules)
    # 10 is calm and its twin is rest, so that neither can be trusted.
    assert answer["labels"] == {"calm": 4, "rest": 1}
    assert answer["left_out"]["a label rule leaves it out"] == 9


def test_an_unreadable_image_is_left_out(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sets / "big/train/a/empty.png").write_bytes(b"")
    assert pool(capsys, sets)["left_out"]["it cannot be read"] == 1


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--label", "nothing*=x"], 1, "none of 17 is left for it"),
        (["--label", "nothing"], 2, "must be GLOB=LABEL, found 'nothing'"),
        (["--label", "b/*="], 1, "at least two classes, and 6 images of a are left"),
        (["--away-from-splits", "dev"], 2, "must list train, val or test, found 'dev'"),
        (["--away-from-splits", "val"], 1, "has no images in split val, only in train, test"),
        (["--out", "pool.txt"], 2, "must be a .csv file"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    sets: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    message: str,
) -> None:
    assert message in pool(capsys, sets, *options, code=code)["error"]
    assert not (sets / "out" / "pool.csv").exists()


def test_nothing_is_overwritten(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pool(capsys, sets)
    assert "exists already" in pool(capsys, sets, code=1)["error"]


def test_the_text_says_how_many_and_why(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = sets / "pool.csv"
    arguments = [str(sets / "big"), "--away-from", str(sets / "target"), "--out", str(out)]
    assert main.run(["data", "pool", *arguments]) == 0
    text = capsys.readouterr().out
    assert "11 images of 11 patients, away from 4 images" in text
    assert "2  duplicates in the pool whose labels differ" in text


def test_a_rule_needs_a_pattern() -> None:
    with pytest.raises(UsageError, match="must be GLOB=LABEL"):
        LabelRule.parse("=x")
    assert LabelRule.parse("a=b=c") == LabelRule(pattern="a=b", label="c")


def test_a_csv_of_files_elsewhere_must_name_files(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "set.csv").write_text("file,label,split\n../1.png,a,train\n")
    with pytest.raises(DataError, match=r"names \.\./1.png, and there is no such file"):
        read_dataset(tmp_path / "x" / "set.csv")
