# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecxr.errors import UsageError
from edgecxr.sweep.plan import Choice, seed_list, trials

DATA = Path("/data")


def planned(*sets: str, seeds: str = "2", train: tuple[str, ...] = ()) -> list:
    return trials(DATA, seed_list(seeds), [Choice.parse(text) for text in sets], train, ())


def test_every_setting_with_every_seed_seed_by_seed() -> None:
    made = planned("learning_rate=0.001,0.003", "flip=true,false", train=("--epochs", "5"))
    assert [trial.seed for trial in made] == [1] * 4 + [2] * 4
    assert [trial.setting for trial in made[:4]] == [
        "learning_rate=0.001,flip=true",
        "learning_rate=0.001,flip=false",
        "learning_rate=0.003,flip=true",
        "learning_rate=0.003,flip=false",
    ]
    assert made[0].name == "learning_rate=0.001,flip=true,seed=1"
    assert made[0].train == ("--epochs", "5", "--learning-rate", "0.001", "--flip")
    assert made[1].train == ("--epochs", "5", "--learning-rate", "0.001")


def test_without_settings_there_are_seeds() -> None:
    assert [(trial.name, trial.setting) for trial in planned(seeds="3,7")] == [
        ("seed=3", ""),
        ("seed=7", ""),
    ]


def test_a_name_is_one_plain_folder() -> None:
    (trial,) = planned("init=models/a b", seeds="1")
    assert trial.name == "init=models_a_b,seed=1"
    assert trial.train == ("--init", "models/a b")
    with pytest.raises(UsageError, match="same folder name"):
        planned("init=a/b,a_b")


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("5", [1, 2, 3, 4, 5]), ("1", [1]), ("3,7", [3, 7]), ("2-4", [2, 3, 4]), ("9,1-2", [9, 1, 2])],
)
def test_seeds(text: str, seeds: list[int]) -> None:
    assert seed_list(text) == seeds


@pytest.mark.parametrize("text", ["0", "", "x", "3,3", "4-2", "1-2-3", "-1", "1,", "1.5", "²"])
def test_seeds_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="expected --seeds as a number"):
        seed_list(text)


@given(st.text(max_size=12))
def test_any_text_is_seeds_or_one_sentence(text: str) -> None:
    try:
        seeds = seed_list(text)
    except UsageError:
        return
    assert len(set(seeds)) == len(seeds) > 0
    assert min(seeds) >= 0


@pytest.mark.parametrize("text", ["", "dropout", "dropout=", "=1", "dropout=1,,2", "Drop out=1"])
def test_settings_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="expected --set NAME=VALUE,VALUE"):
        Choice.parse(text)


@given(st.text(max_size=20))
def test_any_text_is_a_choice_or_one_sentence(text: str) -> None:
    try:
        choice = Choice.parse(text)
    except UsageError:
        return
    assert all(choice.values)
    assert choice.option.startswith("--")


def test_what_the_sweep_says_itself_is_refused() -> None:
    with pytest.raises(UsageError, match="--seed is what the sweep says"):
        planned(train=("--seed", "4"))
    with pytest.raises(UsageError, match="--out is what the sweep says"):
        planned(train=("--out=x",))
    with pytest.raises(UsageError, match="--seed is what the sweep says"):
        planned("seed=1,2")
    with pytest.raises(UsageError, match="a value twice"):
        planned("dropout=0.1,0.1")
    with pytest.raises(UsageError, match="found one in two"):
        planned("dropout=0.1", "dropout=0.2")
