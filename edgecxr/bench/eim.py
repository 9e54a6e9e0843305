# SPDX-License-Identifier: Apache-2.0
"""Anyone's ``.eim``, driven through Edge Impulse's own SDK."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecxr.core.preprocess import Preprocessing
from edgecxr.core.text import fault_of_labels
from edgecxr.errors import DeviceError, MissingPackageError

SUFFIX = ".eim"
_START_S = 30
_END_S = 5
_RESIZES = ("squash", "fit-shortest", "fit-longest")


@dataclass(frozen=True)
class EimInfo:
    """What an ``.eim`` says of itself.

    Attributes:
        height, width, channels: of the images that it takes.
        resize: squash, fit-shortest or fit-longest; squash if it says nothing.
        sha256: of the ``.tflite`` file in it; None if edgecxr did not make it.
        precision, runtime: likewise.
    """

    name: str
    labels: tuple[str, ...]
    height: int
    width: int
    channels: int
    resize: str
    sha256: str | None = None
    precision: str | None = None
    runtime: str | None = None

    @property
    def preprocessing(self) -> Preprocessing:
        """From an image file to its pixels; Edge Impulse's own resizes by area, not by Lanczos."""
        return Preprocessing.of(self.resize, height=self.height, width=self.width)


class Eim:
    """A running ``.eim``. Make one with :func:`opened_eim`."""

    def __init__(self, path: Path, runner: Any, timeout_s: float) -> None:
        self.path, self._runner = path, runner
        hello = self._said(runner.init)
        runner._client.settimeout(timeout_s)
        self.info = _info(path, hello)

    def classify(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
        """The scores, float32 (classes,), and the milliseconds of the round trip.

        Args:
            image: gray pixels, (height, width); a model of three channels gets them in each.

        Raises:
            DeviceError: if no such answer comes in time.
        """
        features = (image.astype(np.uint32) * 0x010101).ravel().tolist()
        start = time.perf_counter()
        reply = self._said(self._runner.classify, features)
        took = (time.perf_counter() - start) * 1e3
        found = reply.get("result", {}).get("classification")
        if not isinstance(found, dict) or set(found) != set(self.info.labels):
            raise DeviceError(
                f"expected one score for each label from {self.path}, found another kind of "
                "result; give an .eim that classifies images"
            )
        return np.array([found[label] for label in self.info.labels], np.float32), took

    def _said(self, call: Any, *arguments: Any) -> dict[str, Any]:
        # The SDK raises bare Exception for what a program answers, IndexError when it hangs up.
        try:
            answer: dict[str, Any] = call(*arguments)
        except DeviceError:
            raise
        except Exception as error:
            why = "it hung up" if isinstance(error, IndexError) else str(error)
            raise DeviceError(
                f"{self.path} gave no good answer to Edge Impulse's SDK: {why or 'no reason'}; "
                f"run `{self.path} --self-check` by hand if edgecxr made it"
            ) from error
        return answer


def _info(path: Path, hello: dict[str, Any]) -> EimInfo:
    parameters, ours = hello.get("model_parameters", {}), hello.get("edgecxr", {})
    height, width = (int(parameters.get(f"image_input_{side}", 0)) for side in ("height", "width"))
    kind = parameters.get("model_type")
    if not height or not width or kind != "classification":
        raise DeviceError(
            f"expected an image classifier in {path}, found {kind or 'no kind of model'} with "
            f"{width}×{height} pixels; give an .eim that classifies images"
        )
    labels = tuple(str(label) for label in parameters.get("labels", ()))
    fault = fault_of_labels(labels)
    if fault is not None:
        raise DeviceError(
            f"expected different labels that can be printed in {path}, found {fault}; make it anew"
        )
    resize = parameters.get("image_resize_mode")
    return EimInfo(
        name=str(hello.get("project", {}).get("name", path.stem)),
        labels=labels,
        height=height,
        width=width,
        channels=int(parameters.get("image_channel_count", 1)),
        resize=resize if resize in _RESIZES else _RESIZES[0],
        sha256=ours.get("sha256"),
        precision=ours.get("precision"),
        runtime=ours.get("runtime"),
    )


class _Patience:
    """The ``time`` of the SDK's module. The SDK waits for the socket of a program that has ended
    for ever; here that ends the wait.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.runner = path, None
        self.deadline = time.monotonic() + _START_S

    def time(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        process: subprocess.Popen[bytes] | None = getattr(self.runner, "_runner", None)
        if process is not None and process.poll() is not None:
            raise DeviceError(
                f"{self.path} ended with code {process.returncode} before it opened its socket; "
                f"run `{self.path} SOCKET` by hand to see why"
            )
        if time.monotonic() > self.deadline:
            raise DeviceError(
                f"{self.path} has not opened its socket within {_START_S} s; run it by hand to "
                "see why"
            )
        time.sleep(seconds)


def _sdk() -> Any:
    """The SDK's module ``runner``, a fresh one. The package itself imports microphones and cameras.

    Raises:
        MissingPackageError: if it is not installed.
    """
    found = importlib.util.find_spec("edge_impulse_linux")
    if found is None or not found.submodule_search_locations:
        raise MissingPackageError(
            "an .eim is driven by Edge Impulse's SDK, which is not installed; install it with: "
            'pip install "edgecxr[edge-impulse]"'
        )
    path = Path(found.submodule_search_locations[0]) / "runner.py"
    spec = importlib.util.spec_from_file_location("edge_impulse_linux_runner", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def opened_eim(path: Path, timeout_s: float = 30.0) -> Iterator[Eim]:
    """Start an ``.eim`` and end it afterwards, however that goes.

    Args:
        timeout_s: for one answer.

    Raises:
        DeviceError: if it is no program, ends early, does not answer, or is no image classifier.
        MissingPackageError: if the SDK is not installed.
    """
    if sys.platform == "win32" or not path.is_file():
        raise DeviceError(f"expected a program in {path}, found none; name an .eim file")
    module = _sdk()
    patience = _Patience(path)
    module.time = patience
    runner = module.ImpulseRunner(str(path.resolve()))
    runner._timeout = timeout_s
    patience.runner = runner
    process: subprocess.Popen[bytes] | None = None
    try:
        yield Eim(path, runner, timeout_s)
    finally:
        process = runner._runner
        if process is not None and process.poll() is not None:
            runner._runner = None  # else the SDK signals a process that is no more
        runner.stop()
        _end(process)


def _end(process: subprocess.Popen[bytes] | None) -> None:
    """The SDK has sent SIGINT and does not wait."""
    if process is None:
        return
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
