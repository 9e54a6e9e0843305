# SPDX-License-Identifier: Apache-2.0
"""Who made a bundle: its signature, by OpenSSF's model-signing with a key file, without a network.

A SHA-256 in the manifest finds damage; whoever forges a file forges the sum beside it too. The
signature lies in the bundle, in the form that the ``model_signing`` program reads and writes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

from edgecxr.core.files import read_regular, write_atomic
from edgecxr.core.text import one_line, shortened
from edgecxr.errors import OutputError, UsageError, VerificationError
from edgecxr.optional import require

SIGNATURE = "model.sig"
KEY_VARIABLE = "EDGECXR_VERIFY_KEY"
PASSWORD_VARIABLE = "EDGECXR_KEY_PASSWORD"
_EXTRA = "sign"
_LARGEST_SIGNATURE = 2**20
_LARGEST_KEY = 2**16
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_HOW = "make one with `openssl ecparam -name prime256v1 -genkey -noout -out KEY.pem`"


@dataclass(frozen=True)
class Signer:
    """Whose signature it is.

    Attributes:
        key: the name of the file of the public key.
        fingerprint: SHA-256 of the public key (DER, SubjectPublicKeyInfo), 64 hexadecimal digits.
    """

    key: str
    fingerprint: str

    def __str__(self) -> str:
        return f"the key {one_line(self.key)} (SHA-256 {self.fingerprint[:16]}…)"


def trusted_key() -> Path | None:
    """The public key that bundles must be signed with, as the environment says; None without."""
    name = os.environ.get(KEY_VARIABLE)
    return Path(name) if name else None


def sign(folder: Path, names: Collection[str], key: Path, password: str | None = None) -> Signer:
    """Sign the files of a folder, and put the signature beside them.

    Args:
        names: the files in it; it may hold no other.
        key: a private key of an elliptic curve, PEM.
        password: of the key, if it has one.

    Raises:
        MissingPackageError: if model-signing is not installed.
        UsageError: if the key is none, or needs a password.
        OutputError: if the folder holds anything else, or cannot be written.
    """
    stranger = _stranger(folder, names)
    if stranger is not None:
        raise OutputError(
            f"{folder} holds {one_line(stranger)}, which belongs to no bundle; take it away, so "
            "that the signature stands for all that is there"
        )
    signer = _signer_of(_private_key(key, password).public_key(), key)
    signing, hashing = _library("signing"), _library("hashing")
    secret: Any = password.encode() if password else None
    with tempfile.TemporaryDirectory(prefix="edgecxr-") as place, _quiet():
        made = Path(place) / SIGNATURE
        config = signing.Config().use_elliptic_key_signer(private_key=key, password=secret)
        config.set_hashing_config(_all_but_the_signature(hashing)).sign(folder.resolve(), made)
        content = made.read_bytes()
    write_atomic(folder / SIGNATURE, content)
    return signer


def verify(folder: Path, names: Collection[str], key: Path) -> Signer:
    """See that all files of a folder are as somebody with this key has signed them.

    Args:
        names: the files that must be signed; there may be no other.
        key: the public key, PEM.

    Raises:
        MissingPackageError: if model-signing is not installed.
        UsageError: if the key is none.
        VerificationError: if there is no signature, if it was made with another key, or if a file
            is missing, changed or added.
    """
    signer = _signer_of(_public_key(key), key)
    signature = _signature(folder, signer)
    stranger = _stranger(folder, names)
    if stranger is not None:
        raise VerificationError(
            f"expected {folder} to hold what was signed, found {one_line(stranger)} too; remove "
            "it, or get the bundle again"
        )
    verifying, hashing = _library("verifying"), _library("hashing")
    try:
        with _quiet():
            config = verifying.Config().use_elliptic_key_verifier(public_key=key)
            config.set_hashing_config(_all_but_the_signature(hashing))
            config.verify(folder.resolve(), folder / SIGNATURE)
        missing = set(names) - _covered(signature)
    except Exception as error:  # of a stranger's file the library raises whatever happens in it
        raise VerificationError(
            f"expected {folder} to be as it was signed with {signer}, found otherwise"
            f"{_why(error)}; do not use it, get it again from whom you trust"
        ) from error
    if missing:
        raise VerificationError(
            f"expected the signature of {folder} to cover every file, found {min(missing)} left "
            "out; ask whoever signed it for `edgecxr sign`"
        )
    return signer


def _signature(folder: Path, signer: Signer) -> bytes:
    """Its bytes, before anything else reads the file."""
    path = folder / SIGNATURE
    try:
        return read_regular(path, _LARGEST_SIGNATURE)
    except FileNotFoundError as error:
        raise VerificationError(
            f"expected {folder} to be signed with {signer}, found no {SIGNATURE}; ask whoever "
            f"made it for a signed one, or unset {KEY_VARIABLE} for a bundle that you made"
        ) from error
    except OSError as error:
        raise VerificationError(
            f"{path} {error.strerror or error}; get the bundle again from whom you trust"
        ) from error


def _covered(signature: bytes) -> set[str]:
    """Names of the files that a signature speaks of; it was verified."""
    payload = json.loads(base64.b64decode(json.loads(signature)["dsseEnvelope"]["payload"]))
    return {each["name"] for each in payload["predicate"]["resources"]}


def _stranger(folder: Path, names: Collection[str]) -> str | None:
    """The first entry of a folder that is neither one of these nor the signature."""
    known = {*names, SIGNATURE}
    found = sorted(entry.name for entry in os.scandir(folder) if entry.name not in known)
    return found[0] if found else None


def _why(error: Exception) -> str:
    said = " ".join(str(error).split())
    return f" ({shortened(one_line(said), 160)})" if said else ""


def _all_but_the_signature(hashing: Any) -> Any:
    return hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)


def _library(module: str) -> ModuleType:
    return require(f"model_signing.{module}", extra=_EXTRA)


@contextmanager
def _quiet() -> Iterator[None]:
    """The library prints warnings on stdout, which is for data."""
    with redirect_stdout(StringIO()):
        yield


def _key_bytes(key: Path) -> bytes:
    try:
        data = key.read_bytes() if key.is_file() else None
    except (OSError, ValueError) as error:
        raise UsageError(f"the key {key} could not be read: {error}") from error
    if data is None:
        raise UsageError(f"expected a key file at {key}, found none; name one, or {_HOW}")
    if len(data) > _LARGEST_KEY:
        raise UsageError(f"{key} has {len(data):,} bytes, expected a PEM key of a few hundred")
    return data


def check_signing_key(key: Path, password: str | None) -> None:
    """See that a key can sign, before anything is changed.

    Raises:
        MissingPackageError: if model-signing is not installed.
        UsageError: if the key is none, or needs a password.
    """
    _library("signing")
    _private_key(key, password)


def _private_key(key: Path, password: str | None) -> Any:
    serialization = require("cryptography.hazmat.primitives.serialization", extra=_EXTRA)
    data = _key_bytes(key)
    try:
        loaded = serialization.load_pem_private_key(data, password.encode() if password else None)
    except TypeError as error:  # a password is missing, or one too many
        needs = "needs a password" if password is None else "has no password"
        raise UsageError(f"the key {key} {needs}; see {PASSWORD_VARIABLE}") from error
    except Exception as error:  # ValueError and classes of cryptography's own
        raise UsageError(
            f"expected a private key in PEM in {key}, with its right password, found something "
            f"else; {_HOW}"
        ) from error
    return _on_a_curve(loaded, key)


def _public_key(key: Path) -> Any:
    serialization = require("cryptography.hazmat.primitives.serialization", extra=_EXTRA)
    try:
        loaded = serialization.load_pem_public_key(_key_bytes(key))
    except UsageError:
        raise
    except Exception as error:  # ValueError and classes of cryptography's own
        raise UsageError(
            f"expected a public key in PEM in {key}, found something else; make it of the private "
            "one with `openssl pkey -in KEY.pem -pubout -out KEY.pub`"
        ) from error
    return _on_a_curve(loaded, key)


def _on_a_curve(loaded: Any, key: Path) -> Any:
    curve = getattr(getattr(loaded, "curve", None), "name", type(loaded).__name__)
    if curve not in _CURVES:
        raise UsageError(
            f"{key} is a key of the kind {curve}, expected one of the curves {', '.join(_CURVES)}; "
            f"{_HOW}"
        )
    return loaded


def _signer_of(public: Any, key: Path) -> Signer:
    serialization = require("cryptography.hazmat.primitives.serialization", extra=_EXTRA)
    der = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Signer(key.name, hashlib.sha256(der).hexdigest())
