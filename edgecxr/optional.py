# SPDX-License-Identifier: Apache-2.0
"""The one door for optional packages."""

from __future__ import annotations

import importlib
from types import ModuleType

from edgecxr.errors import MissingPackageError


def require(module: str, *, extra: str) -> ModuleType:
    """Import ``module``, or say which extra brings it.

    Raises:
        MissingPackageError: if the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingPackageError(
            f"this needs {module.split('.')[0]}, which is not installed; "
            f'install it with: pip install "edgecxr[{extra}]"'
        ) from error
