# SPDX-License-Identifier: Apache-2.0
"""One trial: `edgecxr train`, `quantize` and `evaluate`, each step only if it is not done yet.

What is done is read from the disk alone, so a trial goes on wherever it stopped, on any machine
that sees its folder.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from edgecxr.core.bundle import MANIFEST, Bundle
from edgecxr.core.metrics import Evaluation
from edgecxr.core.process import (
    die_with_parent,
    how_it_ended,
    module_command,
    module_environment,
    why_it_ended,
)
from edgecxr.core.signature import KEY_VARIABLE
from edgecxr.errors import BundleError

STOP_SECONDS = 15.0
POLL_SECONDS = 0.2

Phase = Literal["waiting", "training", "quantizing", "evaluating", "done", "failed"]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Trial(_Frozen):
    """What to do, in words of the command line.

    Attributes:
        name: of the bundle's folder.
        setting: trials that differ in the seed alone have the same one.
        data: an absolute path.
        train, quantize, evaluate: further options of these commands.
        reading: options that all three take, such as ``--skip-unreadable``.
        threads: processor threads of each command. Their number decides the order of sums, and so
            the last bits of the weights: it is part of what a trial is.
        test: also evaluate the split "test", once.
    """

    name: str
    setting: str
    seed: int
    data: Path
    train: tuple[str, ...] = ()
    quantize: tuple[str, ...] = ()
    evaluate: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()
    threads: int = Field(1, ge=1)
    test: bool = False


class TrialResult(_Frozen):
    """What came of a trial.

    Attributes:
        bundle: the bundle's folder, relative to that of the sweep.
        error: why it is not whole, in one sentence.
        exit_code: of the step that failed; negative: the signal that ended it; 0: all is well.
    """

    name: str
    setting: str
    seed: int
    bundle: str
    epochs_run: int | None = None
    best_epoch: int | None = None
    seconds_per_epoch: float | None = None
    dataset_fingerprint: str | None = None
    validation: Evaluation | None = None
    test: Evaluation | None = None
    error: str | None = None
    exit_code: int = 0


class Progress(_Frozen):
    """How far a trial is. ``epoch`` of ``epochs`` are done; the accuracy is the last epoch's."""

    phase: Phase
    epoch: int = 0
    epochs: int | None = None
    validation_accuracy: float | None = None


def run_trial(trial: Trial, folder: Path, home: Path) -> TrialResult:
    """Do what is left of a trial.

    Args:
        folder: of the sweep; the bundle becomes ``folder/trial.name``. Absolute.
        home: the folder that relative paths in options start from.

    Returns:
        The result, with ``error`` and ``exit_code`` if a step failed or was killed.
    """
    for place in (folder, home):
        if not place.is_dir():
            return failed(
                trial,
                f"{socket.gethostname()} does not see the folder {place}; every worker needs the "
                "same folders under the same paths",
                1,
            )
    try:
        return _run_steps(
            trial, folder, {**module_environment(), **thread_limits(trial.threads)}, home
        )
    except BundleError as error:
        return failed(trial, f"{trial.name}: {error}", error.exit_code)


def _run_steps(
    trial: Trial, folder: Path, environment: Mapping[str, str], home: Path
) -> TrialResult:
    for step in _steps_left(trial, folder):
        with (folder / f"{trial.name}.log").open("a", encoding="utf-8") as log:
            log.write(f"$ edgecxr {' '.join(step)}\n")
            log.flush()
            begin = log.tell()
            # What a trial has made itself bears no signature; what it starts from may have to.
            asked = {} if step[0] == "train" else {KEY_VARIABLE: ""}
            code, out = _run(step, log.fileno(), {**environment, **asked}, home)
        if code:
            said = (folder / f"{trial.name}.log").read_bytes()[begin:].decode(errors="replace")
            return failed(trial, f"{trial.name}: {_reason(step[0], code, out, said)}", code)
    return result_of(trial, folder)


def thread_limits(threads: int) -> dict[str, str]:
    """The environment that keeps a command's libraries to so many threads."""
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    return dict.fromkeys((*names, "OPENBLAS_NUM_THREADS"), str(threads))


def result_of(trial: Trial, folder: Path) -> TrialResult:
    """The figures of a trial whose bundle is there.

    Raises:
        BundleError: if it is not, or is damaged.
    """
    manifest = Bundle.open(folder / trial.name, own=True).manifest
    training = manifest.trained
    return TrialResult(
        name=trial.name,
        setting=trial.setting,
        seed=trial.seed,
        bundle=trial.name,
        epochs_run=training.epochs_run,
        best_epoch=training.best_epoch,
        seconds_per_epoch=training.seconds_per_epoch,
        dataset_fingerprint=training.dataset_fingerprint,
        validation=manifest.metrics.get("val"),
        test=manifest.metrics.get("test"),
    )


def is_done(trial: Trial, folder: Path) -> bool:
    """True if no step is left."""
    return next(_steps_left(trial, folder), None) is None


def progress_of(trial: Trial, folder: Path) -> Progress:
    """How far a trial is, by the files that its commands leave."""
    if not (folder / trial.name / MANIFEST).exists():
        return _training_progress(folder / f"{trial.name}.training" / "state.json")
    step = next(_steps_left(trial, folder), None)
    if step is None:
        return Progress(phase="done")
    return Progress(phase="quantizing" if step[0] == "quantize" else "evaluating")


def _training_progress(state: Path) -> Progress:
    try:
        found = json.loads(state.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Progress(phase="waiting")
    history = found["history"]
    return Progress(
        phase="training",
        epoch=len(history),
        epochs=found["settings"]["epochs"],
        validation_accuracy=history[-1]["val_accuracy"] if history else None,
    )


def _steps_left(trial: Trial, folder: Path) -> Iterator[list[str]]:
    """Each step, at the moment when the one before it is done."""
    bundle = folder / trial.name
    data = str(trial.data)
    if not (bundle / MANIFEST).exists():
        own = ["--out", str(bundle), "--seed", str(trial.seed), "--resume"]
        own += ["--threads", str(trial.threads)]
        yield ["train", data, *own, *trial.train, *trial.reading]
    manifest = Bundle.open(bundle, own=True).manifest
    on = ["--data", data, *trial.reading]
    if "int8" not in manifest.files:
        yield ["quantize", str(bundle), *on, *trial.quantize]
    for split in ("val", "test") if trial.test else ("val",):
        if split not in manifest.metrics:
            yield ["evaluate", str(bundle), *on, "--split", split, "--record", *trial.evaluate]


def _run(step: list[str], log: int, environment: Mapping[str, str], home: Path) -> tuple[int, str]:
    """Run one command to its end. If this process is told to stop, the command is stopped too."""
    process = subprocess.Popen(
        [*module_command("edgecxr", *step), "--json"],
        cwd=home,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        preexec_fn=_begin,
    )
    try:
        while True:
            # In short waits: Ray interrupts Python code, not a wait inside the system.
            try:
                out, _ = process.communicate(timeout=POLL_SECONDS)
                return process.returncode, out
            except subprocess.TimeoutExpired:
                continue
    finally:
        _stop(process)


def _begin() -> None:
    """In the child: Ray's workers block SIGINT, and a child would inherit that."""
    die_with_parent()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _reason(step: str, code: int, out: str, said: str) -> str:
    if code < 0:
        return f"`edgecxr {step}` {how_it_ended(code)}"
    try:
        return str(json.loads(out)["error"])
    except (ValueError, KeyError):
        return f"`edgecxr {step}` failed: {why_it_ended(code, said)}"


def failed(trial: Trial, error: str, code: int) -> TrialResult:
    """The result of a trial that did not end well."""
    return TrialResult(
        name=trial.name,
        setting=trial.setting,
        seed=trial.seed,
        bundle=trial.name,
        error=error,
        exit_code=code,
    )
