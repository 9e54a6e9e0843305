# SPDX-License-Identifier: Apache-2.0
"""Keys for one run of the tests; nothing else was ever signed with them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PASSWORD = "open sesame"
_PEM = serialization.Encoding.PEM
_PKCS8 = serialization.PrivateFormat.PKCS8
_SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
_NO_PASSWORD = serialization.NoEncryption()


@dataclass(frozen=True)
class Keys:
    """``public``, ``private`` and ``locked`` (with a password) are one key; ``other`` is the public
    part of another, and ``rsa`` one of a kind that is not taken."""

    private: Path
    public: Path
    locked: Path
    other: Path
    rsa: Path
    fingerprint: str


def make_keys(folder: Path) -> Keys:
    mine, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    strange = rsa.generate_private_key(65537, 2048)
    lock = serialization.BestAvailableEncryption(PASSWORD.encode())
    contents = {
        "mine.pem": mine.private_bytes(_PEM, _PKCS8, _NO_PASSWORD),
        "mine.pub": mine.public_key().public_bytes(_PEM, _SPKI),
        "locked.pem": mine.private_bytes(_PEM, _PKCS8, lock),
        "other.pub": other.public_key().public_bytes(_PEM, _SPKI),
        "rsa.pem": strange.private_bytes(_PEM, _PKCS8, _NO_PASSWORD),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    der = mine.public_key().public_bytes(serialization.Encoding.DER, _SPKI)
    return Keys(*(folder / name for name in contents), hashlib.sha256(der).hexdigest())
