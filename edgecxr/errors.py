# SPDX-License-Identifier: Apache-2.0
"""One error tree. Each class carries its exit code; each message is one sentence for a person.

A message says what was expected, what was found, and what to do.
"""

from __future__ import annotations

EXIT_INTERRUPTED = 130


class EdgecxrError(Exception):
    """Anything that the user can be told in one sentence."""

    exit_code = 1


class DataError(EdgecxrError):
    """Images, labels or splits are not usable."""


class ModelError(EdgecxrError):
    """A model file is malformed, unsupported or does not match its manifest."""


class BundleError(EdgecxrError):
    """A bundle folder is missing, changed, or from a newer version."""


class TrainingError(EdgecxrError):
    """Training could not go on."""


class MissingPackageError(EdgecxrError):
    """An optional package is needed for this command and is not installed."""


class ClusterError(EdgecxrError):
    """Trials could not be handed to workers."""


class OutputError(EdgecxrError):
    """Results could not be written."""


class UsageError(EdgecxrError):
    """The command line asks for something that cannot be meant."""

    exit_code = 2


class DeviceError(EdgecxrError):
    """No device answers, or several do."""

    exit_code = 3


class FlashError(EdgecxrError):
    """Firmware could not be written to the board."""

    exit_code = 4


class VerificationError(EdgecxrError):
    """Two things that must be identical are not."""

    exit_code = 5


class GateError(EdgecxrError):
    """A figure missed the limit that the user set."""

    exit_code = 6
