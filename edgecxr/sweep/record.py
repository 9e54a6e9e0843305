# SPDX-License-Identifier: Apache-2.0
"""``sweep.json``: which trials a folder holds, what came of them, and what they show together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from edgecxr import __version__
from edgecxr.core.evidence import Evidence, evidence
from edgecxr.core.files import check_writable, locked, write_atomic
from edgecxr.errors import OutputError, UsageError
from edgecxr.sweep.trial import Trial, TrialResult

RECORD = "sweep.json"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Summary(_Frozen):
    """One setting over its seeds. ``test`` is None unless each of them was tested."""

    setting: str
    seeds: tuple[int, ...]
    validation: Evidence
    test: Evidence | None = None


class SweepResult(_Frozen):
    """What ``sweep.json`` holds and ``edgecxr sweep --json`` prints.

    Attributes:
        chosen: the setting with the highest mean balanced accuracy of int8 on validation images.
        summary: settings with at least one whole trial, best first.
    """

    edgecxr: str = __version__
    trials: tuple[Trial, ...]
    results: tuple[TrialResult, ...] = ()
    summary: tuple[Summary, ...] = ()
    chosen: str | None = None


def summarise(trials: Sequence[Trial], results: Sequence[TrialResult]) -> SweepResult:
    """The record of a sweep.

    Raises:
        DataError: if the seeds of a setting were not trained from the same images.
    """
    summaries = sorted(
        (
            _summary(setting, [r for r in results if r.setting == setting])
            for setting in dict.fromkeys(r.setting for r in results if r.validation)
        ),
        key=lambda one: -one.validation.int8.balanced_accuracy.mean,
    )
    return SweepResult(
        trials=tuple(trials),
        results=tuple(results),
        summary=tuple(summaries),
        chosen=summaries[0].setting if summaries else None,
    )


def _summary(setting: str, results: Sequence[TrialResult]) -> Summary:
    validation = [result.validation for result in results if result.validation]
    test = [result.test for result in results if result.test]
    return Summary(
        setting=setting,
        seeds=tuple(result.seed for result in results if result.validation),
        validation=evidence(validation),
        test=evidence(test) if test and len(test) == len(results) else None,
    )


def check_same_trials(folder: Path, trials: Sequence[Trial]) -> None:
    """A folder goes on with the trials that it was begun with; new ones may be added.

    Raises:
        UsageError: if a trial of the same name was other than it is now.
        OutputError: if the record cannot be read.
    """
    path = folder / RECORD
    if not path.exists():
        return
    try:
        found = SweepResult.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise OutputError(
            f"{path} is not the record of a sweep of this version; choose another folder"
        ) from error
    # What is tested does not change what is trained.
    before = {trial.name: trial.model_copy(update={"test": False}) for trial in found.trials}
    for trial in trials:
        now = trial.model_copy(update={"test": False})
        if before.get(trial.name, now) != now:
            raise UsageError(
                f"{folder} was begun with other data or options for {trial.name}; give the same "
                "ones to go on, or choose another folder"
            )


def write_record(folder: Path, result: SweepResult) -> None:
    write_atomic(folder / RECORD, result.model_dump_json(indent=1) + "\n")


@contextmanager
def only_sweep(folder: Path) -> Iterator[None]:
    """Make the folder, and keep a second sweep out of it.

    Raises:
        OutputError: if it cannot be written, or if a sweep is at work in it.
    """
    check_writable(folder)
    with locked(folder / ".lock", wait=False) as alone:
        if not alone:
            raise OutputError(
                f"another sweep is at work in {folder}; wait for it, or choose another folder"
            )
        yield
