# SPDX-License-Identifier: Apache-2.0
"""``edgecxr`` and ``python -m edgecxr``: starts the command line."""

from __future__ import annotations

import sys


def start() -> None:
    """Run the command line. Ctrl-C ends it quietly even while its modules are being imported."""
    try:
        from edgecxr.cli.main import main

        main()
    except KeyboardInterrupt:
        from edgecxr.errors import EXIT_INTERRUPTED

        print("edgecxr: interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    start()
