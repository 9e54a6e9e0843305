# SPDX-License-Identifier: Apache-2.0
"""``edgecxr verify``: is a bundle as somebody has signed it?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgecxr.cli import common
from edgecxr.core.text import one_line


def verify(
    model: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle folder.")],
    key: Annotated[
        Path,
        typer.Option(
            envvar="EDGECXR_VERIFY_KEY",
            help="The public key of whom you trust: PEM, of an elliptic curve.",
        ),
    ],
    as_json: common.JsonOption = False,
) -> None:
    """Verify the signature of a bundle with a public key; no network is used.

    Another key, a changed, missing or added file is exit code 5. With the key in
    EDGECXR_VERIFY_KEY, or in `edgecxr --verify-key KEY COMMAND`, every command verifies each
    bundle that it opens.
    """
    from edgecxr.core.bundle import Bundle, signed_names

    bundle = Bundle.open(model, key=key)
    assert bundle.signer is not None  # a key was given
    names = signed_names(bundle.manifest)
    if as_json:
        common.print_json(
            {
                "model": str(model),
                "verified": True,
                "key_sha256": bundle.signer.fingerprint,
                "files": sorted(names),
            }
        )
        return
    common.say(
        f"{one_line(str(model))}: all {len(names)} files are as they were signed with "
        f"{bundle.signer}."
    )
