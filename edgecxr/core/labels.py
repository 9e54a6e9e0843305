# SPDX-License-Identifier: Apache-2.0
"""Labels of a model as users give them: in a text file, one a line."""

from __future__ import annotations

import stat
from pathlib import Path

from edgecxr.core.files import read_regular
from edgecxr.errors import ModelError

_LARGEST = 2**20


def label_lines(path: Path | str) -> list[str] | None:
    """The lines of a text file, without their ends.

    Returns:
        None if there is no such file: a thousand names in a row can be none either.

    Raises:
        ModelError: if it is larger than any labels are, or no UTF-8.
    """
    try:
        real = Path(path).resolve()
        if not stat.S_ISREG(real.stat().st_mode):
            return None
    except (OSError, ValueError):  # too long, or with a NUL
        return None
    try:
        return read_regular(real, _LARGEST).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else f"is no UTF-8: {error}"
        raise ModelError(
            f"the labels in {path} could not be read: the file {said}; give a UTF-8 text file with "
            "one label per line"
        ) from error
