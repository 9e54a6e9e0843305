# SPDX-License-Identifier: Apache-2.0
"""From a command line to trials: every setting with every seed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecxr.errors import UsageError
from edgecxr.sweep.trial import Trial

# What the sweep itself says to `edgecxr train`.
OWN_OPTIONS = ("--out", "-o", "--seed", "--resume", "--force", "--json", "--help")


@dataclass(frozen=True)
class Choice:
    """One ``--set``: an option of `edgecxr train` and its values."""

    name: str
    values: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Choice:
        """``learning_rate=0.001,0.003``.

        Raises:
            UsageError: if it is not of that form, or has a value twice.
        """
        name, _, listed = text.partition("=")
        values = tuple(listed.split(","))
        name = name.strip().lstrip("-").replace("-", "_")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or not all(values):
            raise UsageError(
                f"expected --set NAME=VALUE,VALUE with an option of `edgecxr train`, such as "
                f"learning_rate=0.001,0.003, found {text!r}"
            )
        if len(set(values)) < len(values):
            raise UsageError(f"--set {text} has a value twice; leave one out")
        choice = cls(name, values)
        _refuse_own([choice.option])
        return choice

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")

    def words(self, value: str) -> tuple[str, ...]:
        """The option with a value, as on the command line; a switch is ``true`` or ``false``."""
        if value in ("true", "false"):
            return (self.option,) if value == "true" else ()
        return (self.option, value)


def trials(
    data: Path,
    seeds: Sequence[int],
    choices: Sequence[Choice],
    train: Sequence[str],
    reading: Sequence[str],
    threads: int = 1,
) -> list[Trial]:
    """Every combination of the choices, with every seed, seed by seed.

    Seed by seed, so that a sweep that is stopped half way has each setting as often as the others.

    Raises:
        UsageError: if ``train`` has an option that is the sweep's own, if an option is chosen
            twice, or if two trials would have the same name.
    """
    _refuse_own(train)
    names = [choice.name for choice in choices]
    if len(set(names)) < len(names):
        raise UsageError("expected each option in one --set, found one in two; join their values")
    made = [
        Trial(
            name=_folder_name(picked, seed),
            setting=",".join(f"{choice.name}={value}" for choice, value in picked),
            seed=seed,
            data=data,
            train=(*train, *(word for choice, value in picked for word in choice.words(value))),
            reading=tuple(reading),
            threads=threads,
        )
        for seed in seeds
        for values in itertools.product(*(choice.values for choice in choices))
        for picked in [list(zip(choices, values, strict=True))]
    ]
    if len({trial.name for trial in made}) < len(made):
        raise UsageError("two values of --set give the same folder name; sweep them one by one")
    return made


def seed_list(text: str) -> list[int]:
    """``5`` is 1 to 5; ``3,7`` is those two; ``2-4`` is 2, 3, 4.

    Raises:
        UsageError: if it is none of these.
    """
    number = "[0-9]{1,6}"
    seeds: list[int] = []
    if re.fullmatch(number, text):
        seeds = list(range(1, int(text) + 1))
    elif re.fullmatch(f"{number}(-{number})?(,{number}(-{number})?)*", text):
        ends = [part.split("-") for part in text.split(",")]
        seeds = [seed for end in ends for seed in range(int(end[0]), int(end[-1]) + 1)]
    if not seeds or len(set(seeds)) < len(seeds):
        raise UsageError(
            f"expected --seeds as a number (5: the seeds 1 to 5), a list (3,7) or a range (2-4), "
            f"found {text!r}"
        )
    return seeds


def _folder_name(picked: Sequence[tuple[Choice, str]], seed: int) -> str:
    words = [*(f"{choice.name}={value}" for choice, value in picked), f"seed={seed}"]
    return re.sub(r"[^A-Za-z0-9._=,+-]", "_", ",".join(words))


def _refuse_own(words: Sequence[str]) -> None:
    for word in words:
        if word.split("=")[0] in OWN_OPTIONS:
            raise UsageError(
                f"{word.split('=')[0]} is what the sweep says to each training itself; leave it out"
            )
