# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from edgecxr.bench import runtimes
from edgecxr.bench.runtimes import RUNTIMES, choose
from edgecxr.errors import MissingPackageError, UsageError


def names(*wanted: str) -> list[str]:
    return [runtime.name for runtime in choose(wanted)]


def test_each_name_once_in_the_order_asked_for() -> None:
    assert names("tflm", "litert", "tflm") == ["tflm", "litert"]


def test_an_unknown_name_is_a_usage_error_that_lists_the_known() -> None:
    known = "litert, litert-reference, tflm, compiled, tflite-runtime"
    with pytest.raises(UsageError, match=known):
        choose(["onnx"])


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ({"ai-edge-litert", "tflite-micro"}, ["litert", "litert-reference", "tflm"]),
        ({"ai-edge-litert", "tflite-runtime"}, ["litert", "litert-reference", "tflite-runtime"]),
        ({"tflite-runtime"}, ["litert", "litert-reference"]),
        ({"tensorflow"}, ["litert", "litert-reference"]),
    ],
)
def test_by_default_what_is_installed_runs_once(monkeypatch, installed, expected) -> None:
    monkeypatch.setattr(runtimes, "_is_installed", lambda package: package in installed)
    monkeypatch.setenv("CC", "no-such-compiler")
    assert names() == expected


def test_the_compiled_runtime_needs_a_compiler_only(monkeypatch) -> None:
    monkeypatch.setattr(runtimes, "_is_installed", lambda package: False)  # noqa: ARG005
    monkeypatch.setenv("CC", "true")
    assert names() == ["compiled"]


def test_nothing_installed_is_said_with_the_way_out(monkeypatch) -> None:
    monkeypatch.setattr(runtimes, "_is_installed", lambda _: False)
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(MissingPackageError, match="pip install ai-edge-litert"):
        choose([])


def test_only_optimized_kernels_have_threads() -> None:
    assert {name for name, one in RUNTIMES.items() if one.threaded} == {"litert", "tflite-runtime"}
