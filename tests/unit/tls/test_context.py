# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How OpenSSL is given a private key: never by a file that anybody else could use."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError
from ansible_collections.mutual.tls.plugins.module_utils.tls import context
from ansible_collections.mutual.tls.plugins.module_utils.tls.identity import Identity
from ansible_collections.mutual.tls.plugins.module_utils.tls.probes import Probe, probe

from .parties import to
from .servers import TlsServer


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_private_key_is_never_on_disk_unencrypted(files, parties, tmp_path, monkeypatch, in_memory):
    """Every file that was ever in TMPDIR is kept by a hard link, as a snapshot of the disk would."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(context.tempfile, "tempdir", None)
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create")
    kept = tmp_path / "kept"
    kept.mkdir()
    seen = []
    real = ssl.SSLContext.load_cert_chain

    def snapshot(context, path, *arguments, **named):
        modes = [oct(each.stat().st_mode & 0o777) for each in tmp_path.iterdir() if each.is_file()]
        seen.append((Path(path).read_bytes(), modes))
        for each in tmp_path.iterdir():
            if each.is_file():
                os.link(each, kept / each.name)
        return real(context, path, *arguments, **named)

    with TlsServer(files) as server:
        monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", snapshot)
        outcome = probe(to(server, parties))
    assert outcome.outcome == "accepted"
    [(content, modes)] = seen
    assert modes == ([] if in_memory else ["0o600"])
    assert [each.name for each in tmp_path.iterdir()] == ["kept"], "the file was left behind"
    contents = [content, *(each.read_bytes() for each in kept.iterdir())]
    assert len(contents) == (1 if in_memory else 2)
    for each in contents:
        assert b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in each
        assert b"BEGIN PRIVATE KEY" not in each and b"EC PRIVATE KEY" not in each
        with pytest.raises(TypeError):  # cryptography's word for "a password is needed"
            serialization.load_pem_private_key(each, password=None)


def test_a_key_that_fails_to_load_leaves_no_file(parties, tmp_path, monkeypatch):
    monkeypatch.setattr(context.tempfile, "tempdir", str(tmp_path))
    monkeypatch.delattr(os, "memfd_create")
    mixed = Identity(parties.client.key, parties.server.chain)
    with pytest.raises(InputError, match=r"^The probe 'p' cannot be made: OpenSSL does not take the key .* \(key values mismatch\)\.$"):
        probe(Probe("p", "127.0.0.1", 1, identity=mixed))
    assert list(tmp_path.iterdir()) == []
