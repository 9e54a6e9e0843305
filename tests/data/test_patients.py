# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecxr.data.layout import Entry
from edgecxr.data.patients import PatientRule
from edgecxr.errors import DataError, UsageError


def patient(name: str, pattern: str | None = None, column: str = "") -> str:
    return PatientRule(pattern).find([Entry(name, "a", "train", column)])[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train/PNEUMONIA/person1946_bacteria_4875.jpeg", "train/person1946"),
        ("train/NORMAL/IM-0115-0001.jpeg", "train/IM-0115"),
        ("test/NORMAL/NORMAL2-IM-0035-0001.png", "test/NORMAL2-IM-0035"),
        ("set/val/NORMAL/NORMAL2-IM-1427-0001.png", "set/val/NORMAL2-IM-1427"),
        ("PNEUMONIA/person3_virus_15.png", "person3"),
        ("a/person_1.png", "a/person_1.png"),
        ("a/xperson1_2.png", "a/xperson1_2.png"),
        ("person1_dir/scan.png", "person1_dir/scan.png"),
        ("001.png", "001.png"),
    ],
)
def test_kermany_names(name: str, expected: str) -> None:
    assert patient(name) == expected


def test_kermany_numbers_start_anew_in_each_split() -> None:
    one, other = "train/PNEUMONIA/person1_virus_6.png", "test/PNEUMONIA/person1_virus_7.png"
    assert patient(one) != patient(other)


def test_the_column_goes_before_kermany_names() -> None:
    assert patient("train/a/person1_virus_6.png", column="Ann") == "Ann"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [(r"p\d+", "p12"), (r"p(\d+)", "12"), (r"(p)(?P<patient>\d+)", "12"), (r"^[^/]+", "train")],
)
def test_the_users_rule_goes_before_all(pattern: str, expected: str) -> None:
    assert patient("train/a/p12_3.png", pattern, column="Ann") == expected


def test_a_name_that_the_rule_does_not_match_is_a_patient_of_its_own() -> None:
    entries = [Entry("a/p1_1.png", "a", ""), Entry("a/other.png", "a", "")]
    assert PatientRule(r"p\d+").find(entries) == ["p1", "a/other.png"]


def test_a_rule_that_matches_nothing_is_one_sentence() -> None:
    with pytest.raises(DataError, match=r"'q\\d' was expected to match .* such as a/1.png"):
        patient("a/1.png", r"q\d")


def test_a_rule_that_is_no_expression_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="must be a regular expression"):
        PatientRule("(")


@given(st.text(min_size=1))
@settings(deadline=None)
def test_any_name_has_a_patient(name: str) -> None:
    assert patient(name)
