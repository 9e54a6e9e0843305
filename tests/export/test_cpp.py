# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecxr.errors import UsageError
from edgecxr.export.cpp import check_identifier, comment, float_literal, string_literal


@given(st.text())
def test_a_string_literal_says_the_text(text: str) -> None:
    literal = string_literal(text)
    assert literal.isascii()
    assert literal.isprintable()
    assert "?" not in literal
    assert ast.literal_eval("b" + literal) == text.encode()


@given(st.text())
def test_a_comment_stays_on_its_line(text: str) -> None:
    assert comment(text).isascii()
    assert not set(comment(text)) & set("\\?\n\r\t")
    assert len(comment(text)) == len(text)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_literal_is_exact(value: float) -> None:
    literal = float_literal(value)
    assert literal.endswith("f")
    assert set(literal) & set(".e")
    assert np.float32(literal[:-1]) == np.float32(value)


def test_identifiers() -> None:
    assert check_identifier("cxr3_model", "--namespace") == "cxr3_model"
    with pytest.raises(UsageError, match="--namespace is 'new'"):
        check_identifier("new", "--namespace")
