# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client as OpenSSL takes it: the key that it presents, and whom it trusts."""

from __future__ import annotations

import contextlib
import os
import secrets
import ssl
import tempfile
from collections.abc import Iterator, Sequence

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.crypto import serialization
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError
from ansible_collections.mutual.tls.plugins.module_utils.tls.identity import Identity

# X509_V_FLAG_PARTIAL_CHAIN of OpenSSL's x509_vfy.h, which Python's ssl names from 3.10 on only. With it every trusted
# certificate is an anchor by itself, as in Java; without it OpenSSL wants a self-signed one at the end of each chain.
_PARTIAL_CHAIN = 0x80000


def client_context(identity: Identity | None, trusted: Sequence[bytes] | None, check_names: bool) -> ssl.SSLContext:
    """A client's context: it presents *identity* (None: nothing) and trusts *trusted* (DER; each is an anchor by itself).

    *trusted* None verifies nothing, an empty one trusts nobody. Raises InputError, a phrase to follow the name of whose key and
    trust they are, for what OpenSSL does not take.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Raised, never lowered: the host's policy may allow TLS 1.3 only.
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    context.check_hostname = check_names
    if trusted is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.verify_flags |= _PARTIAL_CHAIN
        _load_trust(context, trusted)
    if identity is not None:
        _load_identity(context, identity)
    return context


def _load_trust(context: ssl.SSLContext, trusted: Sequence[bytes]) -> None:
    if not trusted:
        return
    try:
        context.load_verify_locations(cadata=b"".join(trusted))
    except (ssl.SSLError, ValueError) as error:
        raise InputError(f"one of its {len(trusted)} trusted certificates cannot be read by OpenSSL: {error}") from error


def _load_identity(context: ssl.SSLContext, identity: Identity) -> None:
    """Give *context* the key and chain. Python's ssl takes keys from files only."""
    if not identity.chain:
        raise InputError("the key that it presents has no certificate")
    # A private key is never on disk unencrypted, not for a moment: whatever becomes of the file (a crash, a snapshot, a
    # swapped page), what is in it is of no use without a passphrase that only this process's memory has.
    passphrase = secrets.token_hex(32).encode("ascii")
    pem = identity.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(passphrase)
    )
    pem += "".join(x509.der_to_pem(certificate) for certificate in identity.chain).encode("ascii")
    try:
        with _file_holding(pem) as path:
            context.load_cert_chain(path, password=passphrase)
    except ssl.SSLError as error:
        words = (error.reason or str(error)).replace("_", " ").lower()
        raise InputError(f"OpenSSL does not take the key and certificate that it presents ({words})") from error


@contextlib.contextmanager
def _file_holding(data: bytes) -> Iterator[str]:
    """The path of a file that has *data* and that nobody else can open: in memory where the system can, else 0600."""
    descriptor = _memory_file()
    if descriptor is not None:
        path = f"/proc/self/fd/{descriptor}"
    else:
        descriptor, path = tempfile.mkstemp()
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        yield path
    finally:
        os.close(descriptor)
        if not path.startswith("/proc/"):
            os.unlink(path)


def _memory_file() -> int | None:
    """The descriptor of a new file in memory that has a path, or None where there is no such thing."""
    if not hasattr(os, "memfd_create"):
        return None
    try:
        descriptor = os.memfd_create("identity")
    except OSError:
        return None
    if os.path.exists(f"/proc/self/fd/{descriptor}"):
        return descriptor
    os.close(descriptor)
    return None
