# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MAC that seals a PKCS#12 file: RFC 7292 section 4, and PBMAC1 inside the same structure (RFC 9879, before it RFC 9579).

Both are named in Java's words: HmacPBESHA256 takes its key from the derivation of PKCS#12, PBEWithHmacSHA256 (PBMAC1) from PBKDF2.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable

from ansible_collections.mutual.tls.plugins.module_utils import der, derivation
from ansible_collections.mutual.tls.plugins.module_utils.derivation import Digest, Secret
from ansible_collections.mutual.tls.plugins.module_utils.entries import Algorithm
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError, StoreError, UnsupportedStoreError

#: The MACs that are written.
SHA1 = "HmacPBESHA1"
SHA256 = "HmacPBESHA256"
PBMAC1 = "PBEWithHmacSHA256"

_DIGESTS = {SHA1: derivation.SHA1, SHA256: derivation.SHA256}
_WHAT = "the MAC"
_PBMAC1 = "1.2.840.113549.1.5.14"
#: Key lengths of PBMAC1 in bytes. A short key fits many passwords, and so a MAC with it can be made up (RFC 9879, security
#: considerations); one longer than the longest digest has no use.
_KEY_LENGTHS = range(20, 65)


def verify(mac_data: der.Element, sealed: der.Element | bytes, secret: Secret) -> Algorithm:
    """Check MacData over *sealed*, for an element over its content; PasswordError when it does not hold."""
    digest_info, salt, *count = der.parts(mac_data, _WHAT, 2, 3)
    algorithm, value = der.parts(digest_info, _WHAT, 2, 2)
    expected = value.expect(der.OCTET_STRING, _WHAT).content
    scheme, parameters = derivation.algorithm_identifier(algorithm, _WHAT)
    if scheme == _PBMAC1:
        mac, digest, derive = _pbmac1(derivation.required(parameters, _WHAT))
    else:
        mac, digest, derive = _of_pkcs12(algorithm, salt, *count)
    if len(expected) != digest.size:
        raise StoreError(f"the MAC has {len(expected)} bytes, and should have {digest.size}")
    content = sealed.content if isinstance(sealed, der.Element) else sealed
    if not hmac.compare_digest(_hmac(digest, derive(secret), content), expected):
        raise PasswordError("the password is wrong, or the store was damaged: its MAC does not hold")
    return mac


def _of_pkcs12(algorithm: der.Element, salt: der.Element, *count: der.Element) -> tuple[Algorithm, Digest, Callable[[Secret], bytes]]:
    """What MacData says: the MAC's name, its digest, and the way to its key (RFC 7292 appendix B.4)."""
    digest = derivation.digest(algorithm, _WHAT)
    iterations = derivation.iterations(count[0], _WHAT) if count else 1
    octets = salt.expect(der.OCTET_STRING, "the salt of the MAC").content

    def derive(secret: Secret) -> bytes:
        return secret.pkcs12(digest, derivation.MAC, octets, iterations, digest.size, _WHAT)

    return Algorithm(f"HmacPBE{digest.name}", iterations), digest, derive


def _pbmac1(parameters: der.Element) -> tuple[Algorithm, Digest, Callable[[Secret], bytes]]:
    """The same of PBMAC1-params (RFC 8018 appendix A.5). Salt and iterations beside them mean nothing."""
    function, scheme = der.parts(parameters, "the PBMAC1 parameters", 2, 2)
    derived = derivation.pbkdf2(function, _WHAT)
    digest = derivation.hmac_digest(scheme, _WHAT)
    length = derived.key_length
    if length is None or length not in _KEY_LENGTHS:
        said = "whose length is not said" if length is None else f"of {length} bytes"
        raise UnsupportedStoreError(
            f"the MAC is a PBMAC1 with a key {said}; {_KEY_LENGTHS[0]} to {_KEY_LENGTHS[-1]} bytes are accepted (RFC 9879)"
        )

    def derive(secret: Secret) -> bytes:
        return secret.pbkdf2(derived.digest, derived.salt, derived.iterations, length, _WHAT)

    return Algorithm(f"PBEWithHmac{digest.name}", derived.iterations), digest, derive


def _hmac(digest: Digest, key: bytes, content: bytes) -> bytes:
    try:
        return hmac.digest(key, content, digest.in_hashlib)
    except ValueError as error:
        raise derivation.absent(digest, _WHAT) from error


def make(sealed: bytes, secret: Secret, mac: Algorithm) -> bytes:
    """MacData, DER, over *sealed*, with a new salt. UnsupportedStoreError for what is only read."""
    name, iterations = mac.name, mac.iterations
    salt = os.urandom(derivation.SALT_LENGTH)
    if name == PBMAC1:
        digest = derivation.SHA256
        function = derivation.Pbkdf2(salt, iterations, digest.size, digest)
        key = secret.pbkdf2(digest, salt, iterations, digest.size, _WHAT)
        parameters = der.sequence(function.encode(), der.sequence(der.oid(digest.hmac_oid), der.null()))
        algorithm = der.sequence(der.oid(_PBMAC1), parameters)
    elif name in _DIGESTS:
        digest = _DIGESTS[name]
        key = secret.pkcs12(digest, derivation.MAC, salt, iterations, digest.size, _WHAT)
        algorithm = der.sequence(der.oid(digest.oid), der.null())
    else:
        raise UnsupportedStoreError(f"no store is sealed with {name} here, only with {SHA1}, {SHA256} or {PBMAC1}")
    digest_info = der.sequence(algorithm, der.octet_string(_hmac(digest, key, sealed)))
    count = [der.integer(iterations)] if iterations != 1 else []  # 1 is the DEFAULT, which DER leaves out
    return der.sequence(digest_info, der.octet_string(salt), *count)
