# SPDX-License-Identifier: Apache-2.0
"""Measures a bundle's models on a machine that is reached over SSH, with the host's own worker."""

from __future__ import annotations

import importlib.metadata
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgecxr.bench.here import Here
from edgecxr.bench.host import Advance, Outcome, Pictures, Progress, Settings, follow, run
from edgecxr.bench.messages import Request
from edgecxr.bench.reference import FLOAT32_TOLERANCE, LITERT_STEPS
from edgecxr.bench.runtimes import REFERENCE, RUNTIMES, choose
from edgecxr.bench.ssh import Connection, read_to_mark
from edgecxr.core.files import write_atomic
from edgecxr.core.interpreter import Precision
from edgecxr.core.result import BenchRow, InterpreterInfo

PREFIX = "ssh:"
_STEP = 1 / 256
"""Of int8 class probabilities, by the specification of TFLite's int8 softmax and logistic."""


class Remote:
    """Workers on the other machine. Models and images are copied once."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._there: dict[Path, str] = {}

    def look(self) -> Here:
        """What the machine is, and its state now."""
        said = self.connection.ask_module("edgecxr.bench.here")
        return Here.model_validate_json(said)

    def run_worker(self, request: Request, folder: Path, advance: Advance) -> Outcome:  # noqa: ARG002  (the folder is here)
        """As :func:`edgecxr.bench.host.run_worker`, over there.

        Raises:
            DeviceError: if the connection is lost.
            OutputError: if the disk there is full.
        """
        there = self.connection.folder
        asked = request.model_copy(
            update={
                "model": Path(there, self._copy(request.model)),
                "images": request.images and Path(there, self._copy(request.images)),
                "raw_scores": Path(there, "raw.npy"),
                "scores": Path(there, "scores.npy"),
            }
        )
        self.connection.put({"request.json": asked.model_dump_json().encode()})
        command = self.connection.module("edgecxr.bench.worker", f"{there}/request.json")
        with tempfile.TemporaryFile() as complaints:
            worker = self.connection.start(command, complaints)
            outcome = follow(worker, request, complaints, advance, greeting=read_to_mark)
        if outcome.measured is None:
            if not self.connection.alive or worker.returncode == 255:
                self._see_that_it_lives(request)
            return outcome
        if request.images is not None:
            write_atomic(request.raw_scores, self.connection.get("raw.npy"))
            write_atomic(request.scores, self.connection.get("scores.npy"))
        return outcome

    def _see_that_it_lives(self, request: Request) -> None:
        """ssh ends with 255 for a lost connection, and for a worker that a signal ended."""
        if not self.connection.alive:
            raise self.connection.lost(f"{request.runtime} ran")
        self.connection.get("request.json")

    def _copy(self, file: Path) -> str:
        if file not in self._there:
            name = f"{len(self._there)}{file.suffix}"
            self.connection.put({name: file})
            self._there[file] = name
        return self._there[file]


def run_over_ssh(
    remote: Remote,
    models: Mapping[Precision, Path],
    asked: Sequence[str],
    installed: Sequence[str],
    pictures: Pictures | None,
    settings: Settings,
    *,
    progress: Progress,
) -> tuple[list[BenchRow], list[str]]:
    """Measure every model on the runtimes that are asked for, else on all that are there.

    Without pictures, a few of seeded noise are compared.

    Returns:
        The rows, and a sentence for each runtime that is missing there.
    """
    runtimes = choose(asked) if asked else [RUNTIMES[name] for name in installed]
    return run(
        models,
        runtimes,
        pictures,
        settings,
        progress=progress,
        worker=remote.run_worker,
        device=f"{PREFIX}{remote.connection.host}",
    )


def mismatch(row: BenchRow) -> str | None:
    """A sentence if reference kernels there gave other scores than those here, beyond rounding.

    Optimized kernels round otherwise on every kind of processor; they are not held to bits.
    """
    ran, apart = row.interpreter, row.max_score_difference
    if ran is None or apart is None or ran.kernels != "reference":
        return None
    if apart <= _tolerance(row, ran):
        return None
    return (
        f"expected {row.runtime} {row.precision} on {row.device} to give the scores of {REFERENCE} "
        f"on this host, found {100 * (1 - (row.bit_exact_with_host or 0)):.1f} % of the images "
        f"with others, by up to {apart:.2g}; install the same version of {ran.name} on both, and "
        "report it if that does not help"
    )


def _tolerance(row: BenchRow, ran: InterpreterInfo) -> float:
    """None at all for int8 in the same version of the same package."""
    if row.precision == "float32":
        return FLOAT32_TOLERANCE
    package = RUNTIMES[REFERENCE].package
    if row.runtime == REFERENCE and ran.name == package:
        try:
            if importlib.metadata.version(package) == ran.version:
                return 0.0
        except importlib.metadata.PackageNotFoundError:
            pass
    return LITERT_STEPS * _STEP


def ssh_notes(rows: Sequence[BenchRow]) -> tuple[str, ...]:
    """What the figures of these rows mean."""
    if not rows:
        return ()
    return (
        "Over SSH: the same worker ran there with the same files and images; latencies and memory "
        f"are the other machine's, and every score was compared with {REFERENCE} on this host.",
    )
