# SPDX-License-Identifier: Apache-2.0
"""Which images are of the same patient."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from edgecxr.data.layout import Entry, split_name
from edgecxr.errors import DataError, UsageError

# Kermany 2018: person1946_bacteria_4875, IM-0115-0001, NORMAL2-IM-0383-0001-0001.
_KERMANY: Final = re.compile(r"(person\d+)(?=_)|((?:NORMAL2-)?IM-\d+)(?=-)")


class PatientRule:
    """The patient of each image: by the user's pattern, by a column, or by Kermany's names.

    Raises:
        UsageError: if the pattern is no regular expression.
    """

    def __init__(self, pattern: str | None = None) -> None:
        try:
            self._pattern = re.compile(pattern) if pattern is not None else None
        except re.error as error:
            raise UsageError(
                f"the patient rule must be a regular expression, and '{pattern}' is not: {error}"
            ) from error

    def find(self, entries: Sequence[Entry], *, guess: bool = True) -> list[str]:
        """One patient per entry; the entry's name where none is known.

        Args:
            guess: know the patients of Kermany's names.

        Raises:
            DataError: if the user's pattern matches no name at all.
        """
        if self._pattern is None:
            return [
                entry.patient or (guess and _kermany(entry.name)) or entry.name for entry in entries
            ]
        found = [_matched(self._pattern, entry.name) for entry in entries]
        if not any(found):
            raise DataError(
                f"the patient rule '{self._pattern.pattern}' was expected to match file names, and "
                f"matches none of {len(entries)}, such as {entries[0].name}; correct the rule"
            )
        return [patient or entry.name for patient, entry in zip(found, entries, strict=True)]


def _matched(pattern: re.Pattern[str], name: str) -> str | None:
    match = pattern.search(name)
    if match is None:
        return None
    if "patient" in pattern.groupindex:
        return match["patient"]
    return match[1] if pattern.groups else match[0]


def _kermany(name: str) -> str | None:
    folder, _, file = name.rpartition("/")
    match = _KERMANY.match(file)
    if match is None:
        return None
    # 170 of Kermany's person numbers occur in train and in test; the numbering starts anew in
    # each. So the number counts within its own split folder only, wherever a CSV file puts it.
    parts = folder.split("/")
    depth = max((i for i, part in enumerate(parts) if split_name(part)), default=-1)
    return "/".join((*parts[: depth + 1], match[0]))
