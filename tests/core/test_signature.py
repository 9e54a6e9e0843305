# SPDX-License-Identifier: Apache-2.0
"""Signed bundles: the real library, keys of one test run, and no network."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edgecxr.core.bundle import Bundle, signed_names
from edgecxr.core.signature import KEY_VARIABLE, SIGNATURE, sign, trusted_key, verify
from edgecxr.errors import BundleError, OutputError, UsageError, VerificationError
from tests.bundles import write_bundle
from tests.keys import PASSWORD, Keys

CXR3 = Path(__file__).parents[2] / "models" / "cxr3"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("signing must not use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


@pytest.fixture
def signed(tmp_path: Path, keys: Keys) -> Path:
    bundle = write_bundle(tmp_path / "b", CXR3).with_documents(b"# Card\n")
    sign(bundle.folder, signed_names(bundle.manifest), keys.private)
    return bundle.folder


def check(folder: Path, key: Path) -> str:
    """Whose signature it is; raises what verifying raises."""
    return verify(folder, signed_names(Bundle.open(folder, own=True).manifest), key).fingerprint


def test_what_was_signed_verifies_and_says_whose_key_it_was(signed: Path, keys: Keys) -> None:
    assert check(signed, keys.public) == keys.fingerprint
    bundle = Bundle.open(signed, key=keys.public)
    assert (
        bundle.maker == f"signed with the key {keys.public.name} (SHA-256 {keys.fingerprint[:16]}…)"
    )


def test_the_folder_may_be_moved_and_linked(signed: Path, keys: Keys) -> None:
    moved = signed.rename(signed.with_name("another name"))
    link = signed.with_name("link")
    link.symlink_to(moved)
    assert check(link, keys.public) == keys.fingerprint


def test_another_key_does_not_verify(signed: Path, keys: Keys) -> None:
    with pytest.raises(VerificationError, match="signed with the key other"):
        check(signed, keys.other)


@pytest.mark.parametrize("name", ["manifest.json", "int8.tflite", "README.md"])
def test_one_changed_bit_does_not_verify(signed: Path, keys: Keys, name: str) -> None:
    """As a forger does it: the sums in the manifest are made to fit again."""
    data = bytearray((signed / name).read_bytes())
    if name == "manifest.json":
        data = data.replace(b'"synthetic_data": true', b'"synthetic_data":  true')
    else:
        data[-1] ^= 1
    (signed / name).write_bytes(data)
    bundle = Bundle(signed, json_manifest(signed))
    (signed / SIGNATURE).rename(signed / "kept")
    if name == "int8.tflite":
        bundle.with_files({"int8": bytes(data)})
    elif name == "README.md":
        bundle.with_documents()
    (signed / "kept").rename(signed / SIGNATURE)
    Bundle.open(signed)  # its own sums hold
    with pytest.raises(VerificationError, match="found otherwise"):
        check(signed, keys.public)


def json_manifest(folder: Path) -> object:
    from edgecxr.core.bundle import Manifest

    return Manifest.model_validate(json.loads((folder / "manifest.json").read_text()))


def test_a_file_more_does_not_verify(signed: Path, keys: Keys) -> None:
    (signed / "run me.sh").write_text("")
    with pytest.raises(VerificationError, match=r"found run me\.sh too"):
        check(signed, keys.public)


def test_a_file_that_the_signature_leaves_out_does_not_verify(signed: Path, keys: Keys) -> None:
    """The library can sign a part of a folder; a bundle is signed as a whole."""
    (signed / SIGNATURE).unlink()
    program = [sys.executable, "-m", "model_signing", "sign", "key", str(signed)]
    program += ["--signature", str(signed / SIGNATURE), "--private_key", str(keys.private)]
    subprocess.run([*program, "--ignore-paths", str(signed / "int8.tflite")], check=True)
    with pytest.raises(VerificationError, match=r"found int8\.tflite left out"):
        check(signed, keys.public)


def test_the_program_of_the_library_reads_ours_and_we_read_its(signed: Path, keys: Keys) -> None:
    program = [sys.executable, "-m", "model_signing"]
    where = ["--signature", str(signed / SIGNATURE)]
    ask = [*program, "verify", "key", str(signed), *where, "--public_key", str(keys.public)]
    assert subprocess.run(ask, capture_output=True).returncode == 0
    (signed / SIGNATURE).unlink()
    make = [*program, "sign", "key", str(signed), *where, "--private_key", str(keys.private)]
    subprocess.run(make, check=True, capture_output=True)
    assert check(signed, keys.public) == keys.fingerprint


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[" * 100_000, b'{"dsseEnvelope": 1}', b"\xff\xfe", b"null"]
)
def test_a_signature_that_is_none_is_one_sentence(signed: Path, keys: Keys, content: bytes) -> None:
    (signed / SIGNATURE).write_bytes(content)
    with pytest.raises(VerificationError) as caught:
        check(signed, keys.public)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_a_signature_is_a_regular_file(signed: Path, keys: Keys, make) -> None:
    (signed / SIGNATURE).unlink()
    make(signed / SIGNATURE)
    with pytest.raises(VerificationError, match=r"model\.sig is"):
        check(signed, keys.public)


def test_a_configured_key_is_asked_for_whenever_a_bundle_is_opened(
    signed: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, str(keys.public))
    assert trusted_key() == keys.public
    assert Bundle.open(signed).signer is not None
    monkeypatch.setenv(KEY_VARIABLE, str(keys.other))
    with pytest.raises(VerificationError):
        Bundle.open(signed)
    (signed / SIGNATURE).unlink()  # taking the signature away does not help either
    with pytest.raises(VerificationError, match=r"found no model\.sig"):
        Bundle.open(signed)
    Bundle.open(signed, own=True)


def test_a_signed_bundle_is_not_changed(signed: Path, keys: Keys) -> None:
    bundle = Bundle.open(signed)
    for change in (
        lambda: bundle.count_read("test", "f"),
        lambda: bundle.with_manifest(name="x"),
        lambda: bundle.with_documents(b"x"),
        bundle.refuse_change,
    ):
        with pytest.raises(OutputError, match="would break its signature"):
            change()
    assert check(signed, keys.public) == keys.fingerprint


def test_without_a_key_a_signature_is_said_not_to_be_verified(signed: Path) -> None:
    assert Bundle.open(signed).maker.startswith("signed, not verified")
    (signed / SIGNATURE).unlink()
    assert Bundle.open(signed).maker == "not signed, so nobody vouches for it"


def test_keys_that_cannot_be_used_are_one_sentence(signed: Path, keys: Keys) -> None:
    names = signed_names(Bundle.open(signed).manifest)
    for key, why in (
        (keys.public, "expected a private key"),
        (keys.locked, "needs a password"),
        (keys.rsa, "a key of the kind"),
        (signed / "nothing", "found none"),
    ):
        with pytest.raises(UsageError, match=why):
            sign(signed, names, key)
    with pytest.raises(UsageError, match="expected a public key"):
        check(signed, keys.private)
    (signed / SIGNATURE).unlink()
    sign(signed, names, keys.locked, PASSWORD)
    assert check(signed, keys.public) == keys.fingerprint


def test_a_folder_with_a_stranger_s_file_is_not_signed(tmp_path: Path, keys: Keys) -> None:
    bundle = write_bundle(tmp_path / "b", CXR3)
    (bundle.folder / "notes.txt").write_text("")
    with pytest.raises(OutputError, match=r"holds notes\.txt"):
        sign(bundle.folder, signed_names(bundle.manifest), keys.private)
    assert not (bundle.folder / SIGNATURE).exists()


def test_the_manifest_cannot_name_itself_or_the_signature(signed: Path) -> None:
    path = signed / "manifest.json"
    content = json.loads(path.read_text())
    content["files"]["int8"]["path"] = SIGNATURE
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match="not a plain name"):
        Bundle.open(signed)
