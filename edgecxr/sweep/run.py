# SPDX-License-Identifier: Apache-2.0
"""Trials over Ray's workers: started, watched, and taken up again where a worker died."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecxr import __version__
from edgecxr.errors import ClusterError, EdgecxrError, UsageError
from edgecxr.sweep.cluster import connected
from edgecxr.sweep.trial import (
    Progress,
    Trial,
    TrialResult,
    failed,
    is_done,
    progress_of,
    result_of,
    run_trial,
)

POLL_SECONDS = 1.0
STOP_SECONDS = 20.0
# A trial may lose any number of workers as long as it gets on; so often without one more epoch.
LOSSES_WITHOUT_PROGRESS = 3


@dataclass(frozen=True)
class Event:
    """Something that a person wants to know. ``progress`` is of all trials, by name."""

    progress: Mapping[str, Progress]
    trial: str | None = None
    text: str = ""


OnEvent = Callable[[Event], None]


@dataclass(frozen=True)
class Workers:
    """How many trials at once (None: as many as there are processors for), and where."""

    count: int | None = None
    address: str | None = None

    def at_once(self, left: Sequence[Trial], machines: Sequence[int]) -> int:
        """So many that no processor is promised twice, unless ``count`` says otherwise.

        Args:
            machines: the processors of each.
        """
        threads = max(trial.threads for trial in left)
        fitting = sum(processors // threads for processors in machines)
        return max(1, min(self.count or fitting, len(left)))


def available_processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_trials(
    trials: Sequence[Trial], folder: Path, workers: Workers, on_event: OnEvent
) -> list[TrialResult]:
    """Do what is left of the trials; those that are done are read, not repeated.

    A trial whose worker dies goes on from its last whole epoch on another worker.

    Args:
        folder: of the sweep; it exists. Workers need it under the same path, as they need the data.

    Returns:
        A result for each trial, in order. A trial that failed has an ``error``; the others went on.

    Raises:
        UsageError: if a command line is wrong; the other trials are stopped.
        MissingPackageError, ClusterError: see :func:`edgecxr.sweep.cluster.connected`.
    """
    done = {t.name: result_of(t, folder) for t in trials if is_done(t, folder)}
    left = [trial for trial in trials if trial.name not in done]
    if left:
        count = workers.at_once(left, [available_processors()])
        with connected(workers.address, count) as ray:
            if workers.address is not None:
                count = workers.at_once(left, _machines(ray, left))
            work = Work(folder.resolve(), Path.cwd())
            sweep = _Sweep(ray, trials, work, count, workers.address is not None, on_event)
            done = sweep.run(done)
    return [done[trial.name] for trial in trials]


def _machines(ray: Any, left: Sequence[Trial]) -> list[int]:
    """The processors of each node of the cluster.

    Raises:
        ClusterError: if none has as many as one trial needs; Ray would wait for such a node.
    """
    found = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    threads = max(trial.threads for trial in left)
    if max(found, default=0) < threads:
        raise ClusterError(
            f"a trial with --threads {threads} needs a node with so many processors, and those of "
            f"the cluster have {', '.join(map(str, found)) or 'none'}: lower it or add a node"
        )
    return found


@dataclass(frozen=True)
class Work:
    """What a worker needs to know beside the trial; see :func:`run_trial`."""

    folder: Path
    home: Path
    version: str = __version__


@dataclass
class _Losses:
    """How often a trial lost its worker at the place where it is."""

    at: Progress | None = None
    count: int = 0

    def add(self, at: Progress) -> int:
        self.count = self.count + 1 if at == self.at else 1
        self.at = at
        return self.count


class _Sweep:
    """The loop that hands trials to workers."""

    def __init__(
        self,
        ray: Any,
        trials: Sequence[Trial],
        work: Work,
        workers: int,
        on_cluster: bool,
        on_event: OnEvent,
    ) -> None:
        self.ray = ray
        self.trials = trials
        self.work = work
        self.workers = workers
        # On this machine Ray has one processor for each worker; a cluster counts real ones.
        self.on_cluster = on_cluster
        self.on_event = on_event
        self.running: dict[Any, Trial] = {}
        self.losses: dict[str, _Losses] = {}
        self.progress: dict[str, Progress] = {}

    def run(self, done: Mapping[str, TrialResult]) -> dict[str, TrialResult]:
        results = dict(done)
        waiting = deque(trial for trial in self.trials if trial.name not in done)
        self.progress = {t.name: self._progress_of(t, done.get(t.name)) for t in self.trials}
        try:
            while waiting or self.running:
                while waiting and len(self.running) < self.workers:
                    self._start(waiting.popleft())
                for trial, result in self._finished():
                    if self._is_over(trial, result):
                        results[trial.name] = result
                    else:
                        waiting.appendleft(trial)
        finally:
            self._stop()
        return results

    def _start(self, trial: Trial) -> None:
        at = self.progress[trial.name]
        processors = trial.threads if self.on_cluster else 1
        task = self.ray.remote(num_cpus=processors, max_retries=0, max_calls=1)(_run_there)
        self.running[task.remote(trial, self.work)] = trial
        self._tell(trial, f"goes on after epoch {at.epoch}" if at.epoch else "started")

    def _finished(self) -> list[tuple[Trial, TrialResult]]:
        """Wait a moment, look at what runs, and return what ended."""
        refs, _ = self.ray.wait(list(self.running), num_returns=1, timeout=POLL_SECONDS)
        ended = [(trial, self._result(ref, trial)) for ref in refs for trial in [self.running[ref]]]
        for ref in refs:
            del self.running[ref]
        for trial in self.running.values():
            self.progress[trial.name] = self._progress_of(trial)
        for trial, result in ended:
            self.progress[trial.name] = self._progress_of(trial, result)
        self._tell()
        return ended

    def _result(self, ref: Any, trial: Trial) -> TrialResult:
        errors = self.ray.exceptions
        try:
            result: TrialResult = self.ray.get(ref)
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError) as error:
            return failed(trial, f"{trial.name}: its worker died ({type(error).__name__})", -1)
        except errors.RayTaskError as error:
            if isinstance(error.cause, EdgecxrError):
                raise error.cause from None
            raise
        return result

    def _is_over(self, trial: Trial, result: TrialResult) -> bool:
        """False if the trial must be taken up again.

        Raises:
            UsageError: if the command line is wrong, which no other trial will do better.
        """
        if result.exit_code == UsageError.exit_code:
            raise UsageError(result.error or "")
        if result.exit_code < 0:
            at = self._progress_of(trial)
            again = self.losses.setdefault(trial.name, _Losses()).add(at) < LOSSES_WITHOUT_PROGRESS
            if again:
                self.progress[trial.name] = at
                self._tell(trial, f"{result.error}; it goes on after epoch {at.epoch}")
                return False
        self._tell(trial, result.error or "done")
        return True

    def _progress_of(self, trial: Trial, result: TrialResult | None = None) -> Progress:
        if result is None or result.error:
            at = progress_of(trial, self.work.folder)
            return at.model_copy(update={"phase": "failed"}) if result else at
        accuracy = result.validation.int8.accuracy if result.validation else None
        epochs = result.epochs_run
        return Progress(
            phase="done", epoch=epochs or 0, epochs=epochs, validation_accuracy=accuracy
        )

    def _tell(self, trial: Trial | None = None, text: str = "") -> None:
        self.on_event(Event(dict(self.progress), trial.name if trial else None, text))

    def _stop(self) -> None:
        """Stop what runs; a stopped trial goes on from its last whole epoch another time."""
        refs = list(self.running)
        for ref in refs:
            self.ray.cancel(ref)
        if refs:
            self.ray.wait(refs, num_returns=len(refs), timeout=STOP_SECONDS)


def _run_there(trial: Trial, work: Work) -> TrialResult:
    """What a worker does."""
    if work.version != __version__:
        raise ClusterError(
            f"{socket.gethostname()} has edgecxr {__version__} where {work.version} is needed; "
            "install that one on every node"
        )
    return run_trial(trial, work.folder, work.home)
