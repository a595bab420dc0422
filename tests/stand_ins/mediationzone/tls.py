# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS contexts made from a keystore, with the trust rules of a Java server."""

from __future__ import annotations

import os
import secrets
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from mediationzone.keystores import Store, StoreError, private_key

# ssl.VERIFY_X509_PARTIAL_CHAIN has a name from Python 3.10 on. Java takes any trusted certificate, a leaf too, as the end of a chain.
PARTIAL_CHAIN = 0x80000


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path for functions that only take paths: memory where Linux offers it, else a file that nobody else can open."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        descriptor = os.memfd_create("identity", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile(prefix="mz-") as stream:
        stream.write(content)
        stream.flush()
        yield stream.name


@dataclass(frozen=True)
class Material:
    """A keystore, opened: enough to make contexts of every kind."""

    store: Store
    alias: str
    key_password: str

    @cached_property
    def _identity(self) -> tuple[bytes, bytes]:
        """Chain and key in PEM, the key encrypted under a passphrase of this moment, and that passphrase."""
        passphrase = secrets.token_bytes(32).hex().encode()
        chain = "".join(self.store.keys[self.alias]).encode()
        return chain + private_key(self.store, self.alias, self.key_password, passphrase), passphrase

    def _context(self, protocol: int) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.check_hostname = False
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        content, passphrase = self._identity
        with _as_file(content) as path:
            try:
                context.load_cert_chain(path, password=passphrase)
            except ssl.SSLError as error:
                raise StoreError(f"{self.store.path}: the entry '{self.alias}' cannot be used: {error}") from error
        return context

    def _trusting(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= PARTIAL_CHAIN
        context.load_verify_locations(cadata="".join(self.store.anchors()))
        return context

    def open_server(self) -> ssl.SSLContext:
        """A server that asks for no certificate."""
        return self._context(ssl.PROTOCOL_TLS_SERVER)

    def mutual_server(self) -> ssl.SSLContext:
        """A server that refuses a client without a trusted certificate."""
        return self._trusting(self._context(ssl.PROTOCOL_TLS_SERVER))

    def client(self) -> ssl.SSLContext:
        """A client that presents its identity when asked, and verifies the server's certificate but not its name."""
        return self._trusting(self._context(ssl.PROTOCOL_TLS_CLIENT))
