# SPDX-License-Identifier: Apache-2.0
"""What ``edgecxr demo`` shows: bundles on this computer, devices, and Grad-CAM in its own process.

One image after the other on each: interpreters and boards have one place for an image.
"""

from __future__ import annotations

import base64
import importlib.util
import multiprocessing
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any

from edgecxr.cli import common
from edgecxr.errors import DataError, EdgecxrError, ModelError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edgecxr.cli.classify import Session
    from edgecxr.core.bundle import Bundle
    from edgecxr.core.interpreter import Precision

SAMPLE_SIZE = 192
PRECISIONS: tuple[Precision, ...] = ("float32", "int8")


class BenchTop:
    """A :class:`edgecxr.demo.app.Lab`. Close it at the end.

    Raises:
        BundleError, ModelError: if a bundle is not usable, or is in two folders of one name.
    """

    def __init__(self, folders: Sequence[Path], devices: Sequence[str], timeout_s: float) -> None:
        from edgecxr.core.bundle import Bundle

        self._bundles: dict[str, Bundle] = {}
        for folder in folders:
            bundle = Bundle.open(folder)
            name = bundle.manifest.name
            if name in self._bundles:
                raise UsageError(f"expected bundles of different names, found {name} twice")
            self._bundles[name] = bundle
        self._devices = {name: _Line(name, timeout_s) for name in devices}
        self._sessions = {name: self._hosted(each) for name, each in self._bundles.items()}
        self._lock = threading.Lock()
        self._explainer: ProcessPoolExecutor | None = None
        if importlib.util.find_spec("tensorflow"):
            spawn = multiprocessing.get_context("spawn")  # a fork would copy the server's threads
            self._explainer = ProcessPoolExecutor(1, mp_context=spawn)

    def close(self) -> None:
        for line in self._devices.values():
            line.close()
        if self._explainer is not None:
            self._explainer.shutdown(wait=False, cancel_futures=True)

    def choices(self) -> dict[str, Any]:
        from edgecxr.data.anatomy import OPACITIES
        from edgecxr.data.dataset import SYNTHETIC_PREFIX

        return {
            "bundles": {name: self._facts(bundle) for name, bundle in self._bundles.items()},
            "devices": list(self._devices),
            "samples": [SYNTHETIC_PREFIX + label for label in OPACITIES],
        }

    def sample(self, name: str) -> bytes:
        from edgecxr.cli.explain import png

        found = _samples()
        if name not in found:
            raise UsageError(f"expected a sample of {', '.join(found)}, found {name!r}")
        return png(found[name])

    def host(self, bundle: str, data: bytes) -> dict[str, Any]:
        from edgecxr.cli.explain import png

        sessions = self._sessions[self._named(bundle)]
        # One decoding at a time too: a large image takes some hundred MB.
        with self._lock:
            try:
                pixels = self._bundles[bundle].manifest.preprocessing.decode(data)
            except DataError as error:
                raise DataError(f"This file is not a usable image: {error}.") from error
            found = [_shown(session, pixels, "this computer") for session in sessions]
        return {
            "picture": _data_url(png(pixels)),
            "pixels": base64.b64encode(pixels.tobytes()).decode(),
            "found": found,
        }

    def device(self, bundle: str, device: str, pixels: bytes) -> dict[str, Any]:
        name = self._named(bundle)
        if device not in self._devices:
            raise UsageError(f"expected a device of {', '.join(self._devices)}, found {device!r}")
        shaped = self._shaped(name, pixels)
        return self._devices[device].classify(self._bundles[name], shaped)

    def explain(self, bundle: str, pixels: bytes) -> dict[str, Any]:
        name = self._named(bundle)
        shaped = self._shaped(name, pixels)
        if self._explainer is None:
            raise ModelError('Grad-CAM needs tensorflow: pip install "edgecxr[train]"')
        try:
            work = self._explainer.submit(explained, self._bundles[name].folder, shaped)
            picture, label, cells = work.result()
        except BrokenProcessPool as error:
            raise ModelError("the process of Grad-CAM ended; start the demo again") from error
        return {"picture": _data_url(picture), "label": label, "cells": cells}

    def _named(self, bundle: str) -> str:
        if bundle not in self._bundles:
            raise UsageError(f"expected a bundle of {', '.join(self._bundles)}, found {bundle!r}")
        return bundle

    def _shaped(self, bundle: str, pixels: bytes) -> NDArray[np.uint8]:
        import numpy as np

        shape = self._bundles[bundle].manifest.input
        if len(pixels) != shape.height * shape.width:
            raise UsageError(
                f"expected {shape.height * shape.width} pixels, found {len(pixels)}; "
                "choose the image again"
            )
        return np.frombuffer(pixels, np.uint8).reshape(shape.height, shape.width)

    def _facts(self, bundle: Bundle) -> dict[str, Any]:
        manifest = bundle.manifest
        return {
            "labels": list(manifest.labels),
            "level": manifest.decision.level if manifest.decision else None,
            "synthetic": manifest.synthetic_data,
            "explains": self._explainer is not None and "keras" in manifest.files,
        }

    @staticmethod
    def _hosted(bundle: Bundle) -> list[Session]:
        from edgecxr.bench.classify import OnHost
        from edgecxr.cli.classify import Session

        return [Session(bundle, p, OnHost(bundle.path(p)), on_host=True) for p in PRECISIONS]


class _Line:
    """A device that is opened when it is first asked, and kept.

    All of it happens in one thread: one image at a time, whoever asks, and an emulator ends with
    the thread that began it.
    """

    def __init__(self, name: str, timeout_s: float) -> None:
        self.name, self._timeout_s = name, timeout_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="edgecxr-device")
        self._stack = ExitStack()
        self._open: tuple[str, Session] | None = None

    def classify(self, bundle: Bundle, pixels: NDArray[np.uint8]) -> dict[str, Any]:
        return self._thread.submit(self._classify, bundle, pixels).result()

    def close(self) -> None:
        self._thread.submit(self._stack.close)
        self._thread.shutdown(wait=True)

    def _classify(self, bundle: Bundle, pixels: NDArray[np.uint8]) -> dict[str, Any]:
        try:
            if self._open is None or self._open[0] != bundle.manifest.name:
                self._reset()
                self._open = (bundle.manifest.name, self._opened(bundle))
            return _shown(self._open[1], pixels, self.name)
        except EdgecxrError:
            self._reset()  # so that a board plugged in again is found
            raise

    def _reset(self) -> None:
        self._open = None
        self._stack.close()

    def _opened(self, bundle: Bundle) -> Session:
        from edgecxr.bench.classify import OnDevice
        from edgecxr.cli.classify import Session
        from edgecxr.cli.devices import check_firmware, opened

        device = self._stack.enter_context(opened(self.name, bundle, "int8", self._timeout_s))
        kind = check_firmware(device, bundle, PRECISIONS)
        return Session(bundle, kind, OnDevice(device, bundle.path(kind)), on_host=False)


def _shown(session: Session, pixels: NDArray[np.uint8], where: str) -> dict[str, Any]:
    found = session.classified("", session.classifier.classify(pixels))
    return {**found.model_dump(mode="json"), "where": where, "precision": session.kind}


def _data_url(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode()


@cache
def _samples() -> dict[str, NDArray[np.uint8]]:
    from edgecxr.data.phantom import demo_phantoms

    return demo_phantoms(SAMPLE_SIZE, SAMPLE_SIZE)


@cache
def _explainer(folder: Path) -> Any:
    from edgecxr.core.bundle import Bundle
    from edgecxr.training.explain import Explainer

    bundle = Bundle.open(folder)
    with common.quiet():
        return bundle.manifest.labels, Explainer(bundle)


def explained(folder: Path, pixels: NDArray[np.uint8]) -> tuple[bytes, str, list[int]]:
    """In the process of Grad-CAM: a PNG, the class that it is for, and the cells of its map."""
    from edgecxr.cli.explain import overlay, png

    labels, explainer = _explainer(folder)
    found = explainer.explain(pixels)
    return png(overlay(pixels, found.heat)), labels[found.explained], list(explainer.cells)
