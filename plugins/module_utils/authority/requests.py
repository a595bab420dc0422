# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a signing request (PKCS#10, RFC 2986) counts: the key, and that its holder made the request."""

from __future__ import annotations

from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.authority.ledger import Ledger
from ansible_collections.mutual.tls.plugins.module_utils.authority.wishes import Request, Task
from ansible_collections.mutual.tls.plugins.module_utils.crypto import UnsupportedAlgorithm
from ansible_collections.mutual.tls.plugins.module_utils.crypto import x509 as crypto_x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, TrustError

#: Digests with which anybody could have signed what somebody else wrote.
_BROKEN_DIGESTS = ("md5", "sha1")
#: What the package raises for a request that it cannot read.
_UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    UnsupportedAlgorithm,
    crypto_x509.DuplicateExtension,
    crypto_x509.UnsupportedGeneralNameType,
)


def proven_keys(ledger: Ledger, task: Task) -> dict[str, Any]:
    """Name -> the key that its holder proved to have. Refuses all requests when one is wrong, and names each that is."""
    known = {wish.name for wish in task.authorities}
    lines = ledger.certificates.values()
    holders: dict[str, str] = {line.key_sha256: line.name for line in lines}
    revoked_keys = {line.key_sha256 for line in lines if line.state == "revoked"}
    revoked_names = {revocation.name for revocation in task.revocations}
    keys: dict[str, Any] = {}
    refused: list[str] = []
    for request in task.requests:
        if request.authority not in known:
            raise InputError(f"'{request.name}' asks the authority '{request.authority}', and there are: {', '.join(sorted(known))}.")
        if request.name in keys:
            raise InputError(f"'{request.name}' asks twice.")
        if request.name in revoked_names:
            raise InputError(f"'{request.name}' asks for a certificate, and is to be revoked.")
        try:
            key = _proven_key(request.csr)
            fingerprint = x509.key_sha256(key)
            if fingerprint in revoked_keys:
                raise TrustError("a certificate for its key was revoked; it needs another key")
            holder = holders.setdefault(fingerprint, request.name)
            if holder != request.name:
                raise TrustError(f"its key is that of '{holder}'")
            keys[request.name] = key
        except TrustError as error:
            refused.append(f"the request of '{request.name}' is refused: {error}")
    if refused:
        raise TrustError(
            "Nothing was signed, because " + "; ".join(refused) + ". A request is made on its host (mutual.tls.keystore, csr: true)."
        )
    return keys


def _proven_key(csr: str) -> Any:
    """The public key of a signing request (PEM) that its holder signed. Raises TrustError for a request that proves nothing."""
    try:
        request = crypto_x509.load_pem_x509_csr(csr.encode("ascii"))
        public_key, digest = request.public_key(), request.signature_hash_algorithm
        proven = request.is_signature_valid
    except _UNREADABLE as error:
        raise TrustError(f"it cannot be read: {error}") from error
    if not proven:
        raise TrustError("it is not signed with the key that it is for, so it does not show who holds that key")
    if digest is not None and digest.name in _BROKEN_DIGESTS:
        raise TrustError(f"it is signed with {digest.name.upper()}, which shows nothing any more")
    found = x509.describe_key(public_key)
    try:
        x509.check_key(found["key_type"], key_size=found["key_size"], curve=found["curve"])
    except InputError as error:
        raise TrustError(
            f"its key is {found['key_type']} {found['curve'] or found['key_size']}, which is too weak, or of no kind that is signed"
        ) from error
    return public_key


def check_names(request: Request) -> None:
    """Refuse a request that asks for other names than the plan: whoever signs it may copy them. Raises TrustError."""
    try:
        found = crypto_x509.load_pem_x509_csr(request.csr.encode("ascii"))
        subject, names = x509.format_name(found.subject), _alternative_names(found)
        more = [each.oid.dotted_string for each in found.extensions if not isinstance(each.value, crypto_x509.SubjectAlternativeName)]
    except _UNREADABLE as error:
        raise TrustError(f"The request of '{request.name}' cannot be read: {error}. It was left nowhere.") from error
    if more:
        raise TrustError(
            f"The request of '{request.name}' asks for more than names (extensions {', '.join(more)}), and who signs it may grant that. It "
            "was left nowhere; see what runs on that host."
        )
    wished = x509.format_name(x509.parse_name(request.subject))
    wished_names = x509.parse_alternative_names(request.subject_alt_name)
    if subject != wished or sorted(map(str, names)) != sorted(map(str, wished_names)):
        raise TrustError(
            f"The request of '{request.name}' asks for other names than the inventory wishes: '{subject}' "
            f"({', '.join(map(x509.format_alternative_name, names)) or 'no alternative names'}) where '{wished}' "
            f"({', '.join(request.subject_alt_name) or 'none'}) are wished. It was left nowhere; see what runs on that host."
        )


def requested_keys(text: str) -> set[str]:
    """The key of a request (PEM), by its SHA-256; none where there is no request."""
    try:
        return {x509.key_sha256(crypto_x509.load_pem_x509_csr(text.encode("ascii", "replace")).public_key())}
    except _UNREADABLE:
        return set()


def is_same_request(left: str, right: str) -> bool:
    """Whether two requests (PEM) ask for the same names and for the same key; signatures differ each time."""
    try:
        found = [crypto_x509.load_pem_x509_csr(text.encode("ascii", "replace")) for text in (left, right)]
        keys = {x509.key_sha256(each.public_key()) for each in found}
        names = [_alternative_names(each) for each in found]
    except _UNREADABLE:
        return False
    return len(keys) == 1 and found[0].subject == found[1].subject and names[0] == names[1]


def _alternative_names(request: Any) -> list[Any]:
    try:
        return list(request.extensions.get_extension_for_class(crypto_x509.SubjectAlternativeName).value)
    except crypto_x509.ExtensionNotFound:
        return []
