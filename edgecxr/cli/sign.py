# SPDX-License-Identifier: Apache-2.0
"""``edgecxr sign``: a bundle gets the signature of whoever vouches for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgecxr.cli import common
from edgecxr.core.text import one_line


def sign(
    model: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle folder.")],
    key: Annotated[Path, typer.Option(help="Your private key: PEM, of an elliptic curve.")],
    force: common.ForceOption = False,
    as_json: common.JsonOption = False,
) -> None:
    """Sign every file of a bundle, with OpenSSF's model-signing; no network is used.

    The signature is model.sig in the bundle. Afterwards the bundle is not changed any more: what
    would change it says so. The password of a key that has one is in EDGECXR_KEY_PASSWORD. See
    docs/signing.md.
    """
    import os

    from edgecxr.core.bundle import Bundle, signed_names
    from edgecxr.core.signature import PASSWORD_VARIABLE, SIGNATURE, check_signing_key
    from edgecxr.core.signature import sign as make
    from edgecxr.errors import OutputError

    bundle = Bundle.open(model, own=True)
    if bundle.signed and not force:
        raise OutputError(f"{model} is signed already; pass --force to sign it anew")
    password = os.environ.get(PASSWORD_VARIABLE)
    check_signing_key(key, password)
    recorded = bundle.with_documents(signed=bundle.signed)
    signer = make(model, signed_names(recorded.manifest), key, password)
    if as_json:
        common.print_json(
            {
                "model": str(model),
                "signature": SIGNATURE,
                "key_sha256": signer.fingerprint,
                "files": sorted(signed_names(recorded.manifest)),
            }
        )
        return
    count = len(signed_names(recorded.manifest))
    common.say(
        f"{one_line(str(model))}: {count} files signed with {signer}, in {SIGNATURE}.\n"
        "Give the public key away by another way than the bundle."
    )
