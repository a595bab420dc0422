# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries: a key shows itself to nobody by accident, and one that cannot be used is said by its alias."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed448

from ansible_collections.mutual.tls.plugins.module_utils.entries import Contents, PrivateKeyEntry, Protection, SecretKeyEntry, shown, told
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError, StoreError, UnsupportedStoreError
from ansible_collections.mutual.tls.plugins.module_utils.keystore import Store
from ansible_collections.mutual.tls.plugins.module_utils.pkcs12.reader import _Key

from .factory import issue, new_key, shared_key

pytestmark = pytest.mark.codec


def test_no_repr_shows_a_key() -> None:
    issued = issue("ec1")
    entry = PrivateKeyEntry("ec1", issued.pkcs8, issued.chain)
    assert "pkcs8" not in repr(entry)
    secret = SecretKeyEntry("secret", issued.pkcs8, pkcs8=issued.pkcs8)
    contents = Contents((entry, secret), Protection(), opaque=(issued.pkcs8,), shadowed=(("ec1", issued.pkcs8),))
    for each in (entry, secret, contents, Store(contents), _Key(issued.pkcs8, issued.pkcs8, "a password")):
        assert repr(issued.pkcs8)[2:-1] not in repr(each)
        assert "a password" not in repr(each)


def test_sentences_show_the_beginning_of_an_alias_on_one_line() -> None:
    alias = "x\x1b[2J" + "y" * 3000
    for pkcs8, kind in ((None, PasswordError), (b"", StoreError)):
        with pytest.raises(kind) as refused:
            PrivateKeyEntry(alias, pkcs8, ()).private_key()
        assert str(refused.value).isprintable()
        assert "yyy' " not in str(refused.value)


@pytest.mark.parametrize("kind", ["RSA", "EC", "Ed25519"])
def test_keys_for_tls_are_loaded(kind: str) -> None:
    issued = issue("a", key=shared_key(kind))
    loaded = PrivateKeyEntry("a", issued.pkcs8, ()).private_key()
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert loaded.public_key().public_bytes(*form) == issued.key.public_key().public_bytes(*form)


def test_other_keys_are_refused_by_alias() -> None:
    form = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    entry = PrivateKeyEntry("goldilocks", ed448.Ed448PrivateKey.generate().private_bytes(*form), ())
    with pytest.raises(UnsupportedStoreError, match="^the key under the alias 'goldilocks' is neither RSA nor EC nor Ed25519$"):
        entry.private_key()


EC = issue("a", key=new_key()).pkcs8


@pytest.mark.parametrize(
    "pkcs8",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x30\x03\x02\x01\x00", id="no-algorithm"),
        pytest.param(EC[:-1], id="cut-short"),
        pytest.param(EC.replace(b"\x2a\x86\x48\xce\x3d\x03\x01\x07", b"\x2a\x86\x48\xce\x3d\x03\x01\x7f"), id="unknown-curve"),
        pytest.param(EC.replace(b"\x2a\x86\x48\xce\x3d\x02\x01", b"\x2a\x86\x48\xce\x3d\x02\x7f"), id="unknown-algorithm"),
    ],
)
def test_what_is_no_key_is_refused_by_alias(pkcs8: bytes) -> None:
    with pytest.raises(StoreError, match="^the key under the alias 'broken' cannot be read: "):
        PrivateKeyEntry("broken", pkcs8, ()).private_key()


@pytest.mark.parametrize(
    ("alias", "text"),
    [
        ("ec1", "'ec1'"),
        ("two\nlines\x1b[31m", r"'two\u000alines\u001b[31m'"),
        ("x" * 64, f"'{'x' * 64}'"),
        ("x" * 65, f"'{'x' * 64}...'"),
        ("\uffff" * 65, "'" + r"\uffff" * 10 + r"\uff...'"),
    ],
)
def test_an_alias_is_shown_on_one_line_that_is_not_long(alias: str, text: str) -> None:
    assert shown(alias) == text


def test_of_many_remarks_the_first_are_told() -> None:
    found = told(f"remark {number}" for number in [*range(1000), *range(1000)])
    assert found[0] == "remark 0"
    assert len(set(found)) == len(found) < 1000
    assert found[-1] == f"{1000 - len(found) + 1} more things like these are not told one by one"
    assert told(["a", "b", "a"]) == ("a", "b")
