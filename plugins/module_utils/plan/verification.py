# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether one keystore accepts the certificates that one identity presents.

A link must work with the product's Java, and with OpenSSL, which makes our own handshakes (tls/); so a chain is accepted here only
if JSSE of Java 11, 17, 21 and 25 (PKIX, its defaults) and OpenSSL 3 with its security level 2 all accept it, with TLS 1.2 and with 1.3.
What each of them does was measured: `tests/interop/test_proof_and_reality.py` holds these rules against them, in both directions.

In short: a leaf that is trusted itself is all that Java looks at, whatever it says of itself; OpenSSL judges its dates and usages too.
Above a leaf Java judges what is presented and nothing of the anchor but its key and that it is a CA; OpenSSL judges the anchor too.

``cryptography.x509.verification`` is not used. It is for the web's certificates: whatever extension policies it is given, it takes
no Ed25519 and no version 1, it does not apply constraints to subjects, and does not say which certificate it refuses.
"""

from __future__ import annotations

import datetime
import functools
import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import chains, x509
from ansible_collections.mutual.tls.plugins.module_utils.crypto import (
    ExtendedKeyUsageOID,
    InvalidSignature,
    NameOID,
    UnsupportedAlgorithm,
    ec,
    ed25519,
    rsa,
    signature_padding,
)
from ansible_collections.mutual.tls.plugins.module_utils.crypto import x509 as crypto_x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import TrustError

#: What an extended key usage must hold, where there is one (RFC 5280 section 4.2.1.12). OpenSSL does not count "any".
_USAGES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
_LEAST_RSA_BITS = 2048  # OpenSSL's level 2; Java: 1024
_WEAK_DIGESTS = ("MD2", "MD4", "MD5", "SHA1")
_STRONG_DIGESTS = ("SHA256", "SHA384", "SHA512")  # Java knows no others for chains with TLS 1.3
#: The first Java with Ed25519 in TLS.
_ED25519_JAVA = 15
#: Critical extensions that Java and OpenSSL both know: key usage, alternative names, basic constraints, name constraints, policies,
#: their mappings and constraints, extended key usage, inhibited policies.
_KNOWN = frozenset(f"2.5.29.{number}" for number in (15, 17, 19, 30, 32, 33, 36, 37, 54))
#: And one that OpenSSL knows, and Java does not look at in a leaf that is trusted itself: where revocation lists are.
_KNOWN_IN_TRUSTED = _KNOWN | {"2.5.29.31"}
_LONGEST_PATH = 10
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_ANY_POLICY = "2.5.29.32.0"


@dataclass(frozen=True)
class Refusal:
    """Why a chain is refused."""

    #: A short name of the rule, always the same.
    rule: str
    #: What is wrong with the certificate, to follow its name.
    sentence: str
    #: What to do.
    remedy: str
    #: The certificate (DER) that breaks the rule.
    certificate: bytes
    #: Where that is: the ``leaf`` or another that is ``presented``, or one that is ``trusted``.
    place: str = "leaf"


class _Fault(Exception):  # noqa: N818  # it ends a judgement, and never leaves this file
    """A rule that a certificate breaks."""

    def __init__(self, rule: str, sentence: str, remedy: str) -> None:
        super().__init__(sentence)
        self.rule, self.sentence, self.remedy = rule, sentence, remedy


class _Certificate:
    """A certificate, with what is asked of it more than once. Raises TrustError when it cannot be read."""

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded
        self.described = x509.describe(encoded)
        self.parsed = x509.load_certificate(encoded)
        issuer, subject = chains.names(encoded) or (b"", b"")
        self.issuer, self.subject = chains.canonical(issuer), chains.canonical(subject)
        self.begins, self.ends = x509.not_before(self.parsed), x509.not_after(self.parsed)
        self.version_1 = self.parsed.version == crypto_x509.Version.v1
        self.key = self.parsed.public_key()
        self.critical = {extension.oid.dotted_string for extension in self.parsed.extensions if extension.critical}
        self.key_usage = self.extension(crypto_x509.KeyUsage)
        self.usages = self.extension(crypto_x509.ExtendedKeyUsage)
        self.constraints = self.extension(crypto_x509.BasicConstraints)
        self.names = list(self.extension(crypto_x509.SubjectAlternativeName) or ())

    def extension(self, kind: Any) -> Any:
        """The value of an extension; None without it."""
        try:
            return self.parsed.extensions.get_extension_for_class(kind).value
        except crypto_x509.ExtensionNotFound:
            return None

    @property
    def self_issued(self) -> bool:
        return self.issuer == self.subject

    @property
    def common_names(self) -> list[str]:
        """The common names of the subject, the most specific one last."""
        return [str(each.value) for each in self.parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]

    def is_valid(self, now: datetime.datetime) -> bool:
        return self.begins <= now < self.ends

    def may_be_by(self, issuer: _Certificate) -> bool:
        """Whether names, and key identifiers where both have one, say that *issuer* signed this."""
        if self.issuer != issuer.subject:
            return False
        wanted, found = self.extension(crypto_x509.AuthorityKeyIdentifier), issuer.extension(crypto_x509.SubjectKeyIdentifier)
        return wanted is None or found is None or wanted.key_identifier in (None, found.digest)

    def is_signed_by(self, key: Any) -> bool:
        parsed = self.parsed
        try:
            digest: Any = parsed.signature_hash_algorithm
            if isinstance(key, rsa.RSAPublicKey):
                # Before cryptography 41 there is no word of PSS.
                padding = getattr(parsed, "signature_algorithm_parameters", None) or signature_padding.PKCS1v15()
                key.verify(parsed.signature, parsed.tbs_certificate_bytes, padding, digest)
            elif isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(parsed.signature, parsed.tbs_certificate_bytes, ec.ECDSA(digest))
            elif isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(parsed.signature, parsed.tbs_certificate_bytes)
            else:
                return False
        except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
            return False
        return True


@functools.lru_cache(maxsize=1 << 16)
def _read(encoded: bytes) -> _Certificate:
    return _Certificate(encoded)


class Anchors:
    """What one keystore trusts, each certificate (DER) by itself. To be made once for all that it judges."""

    def __init__(self, certificates: Sequence[bytes]) -> None:
        self._certificates = tuple(dict.fromkeys(certificates))
        self._exact = frozenset(self._certificates)

    def __contains__(self, certificate: bytes) -> bool:
        return certificate in self._exact

    @functools.cached_property
    def _by_subject(self) -> dict[bytes, list[bytes]]:
        """Canonical subject -> certificates, in the keystore's order."""
        found: dict[bytes, list[bytes]] = {}
        for certificate in self._certificates:
            names = chains.names(certificate)
            if names is not None:
                found.setdefault(chains.canonical(names[1]), []).append(certificate)
        return found

    def of(self, subject: bytes) -> list[_Certificate]:
        """Those with this canonical subject that can be read."""
        return _readable(self._by_subject.get(subject, ()))

    def names(self, subject: bytes) -> bool:
        """Whether any has this canonical subject."""
        return subject in self._by_subject


def _readable(certificates: Sequence[bytes]) -> list[_Certificate]:
    found = []
    for certificate in certificates:
        try:
            found.append(_read(certificate))
        except TrustError:
            continue  # it certifies nobody
    return found


def refusal(
    chain: Sequence[bytes],
    anchors: Anchors,
    side: str,
    now: datetime.datetime,
    *,
    host: str | None = None,
    asks: bool = False,
    oldest_java: int = 11,
) -> Refusal | None:
    """Why a store that trusts *anchors* refuses *chain* (DER, the leaf first) of the ``server`` or ``client`` side; None if it does not.

    With a *host* the leaf must have that name. *asks*: the judging server demands a certificate, and says by which issuers.
    *oldest_java* is the oldest major version that must accept it.
    """
    try:
        leaf = _read(chain[0])
    except TrustError as error:
        return Refusal("unreadable", f"cannot be judged: {error}", "have another one made", chain[0])
    presented = _readable(chain[1:])
    at_fault, place = leaf, "leaf"
    try:
        path, exact = _path(leaf, presented, anchors, now)
        for depth, certificate in enumerate(path):
            last = depth == len(path) - 1
            at_fault, place = certificate, "leaf" if depth == 0 else "trusted" if last else "presented"
            _check_dates(certificate, now, place)
            _check_extended_usage(certificate, side, depth)
            _check_critical(certificate, exact)
            _check_key(certificate, oldest_java)
            if depth == 0:
                _check_usage(certificate, side, exact)
            else:
                _check_authority(certificate, last)
                _check_length(certificate, path[1:depth])
                _check_names(certificate, path[:depth], last)
                _check_policies(certificate, path[:depth], last)
            if not last:
                _check_signature(certificate, path[depth + 1])
        for certificate in (leaf, *presented):
            # OpenSSL presents nothing weak, needed or not.
            at_fault, place = certificate, "leaf" if certificate is leaf else "presented"
            _check_strength(certificate)
        at_fault, place = leaf, "leaf"
        if host is not None:
            _check_host(leaf, host)
        if asks:
            _check_asked_for([leaf, *presented], anchors)
    except _Fault as fault:
        return Refusal(fault.rule, fault.sentence, fault.remedy, at_fault.encoded, place)
    return None


def _path(
    leaf: _Certificate, presented: Sequence[_Certificate], anchors: Anchors, now: datetime.datetime
) -> tuple[list[_Certificate], bool]:
    """The certificates from the leaf to an anchor, and whether that is the leaf itself.

    As OpenSSL goes: to the first trusted issuer by name, one that is valid if there is one; else to a presented one. Java tries the
    others too, and none of them before what is presented.
    """
    path = [leaf]
    while len(path) < _LONGEST_PATH:
        last = path[-1]
        if not last.self_issued:
            trusted = [each for each in anchors.of(last.issuer) if last.may_be_by(each)]
            if trusted:
                return [*path, _preferred(trusted, now)], False
        if last.encoded in anchors:
            return path, len(path) == 1
        above = [each for each in presented if each not in path and last.may_be_by(each)]
        if last.self_issued or not above:
            break
        path.append(_preferred(above, now))
    raise _Fault(
        "untrusted",
        "is not trusted",
        "trust it there"
        if leaf.self_issued
        else f"trust there it, or a CA above it, and present all between; '{x509.format_name(path[-1].parsed.issuer)}' is missing",
    )


def _preferred(candidates: Sequence[_Certificate], now: datetime.datetime) -> _Certificate:
    return next((each for each in candidates if each.is_valid(now)), candidates[0])


def _check_dates(certificate: _Certificate, now: datetime.datetime, place: str) -> None:
    """Java does not look at the dates of an anchor; OpenSSL does."""
    if certificate.begins > now:
        raise _Fault("not_yet_valid", f"is not valid before {certificate.described['not_before']}", "wait, or set the clocks right")
    if certificate.ends <= now:
        remedy = {"leaf": "renew it", "presented": "present its successor", "trusted": "trust its successor instead"}[place]
        raise _Fault("expired", f"expired on {certificate.described['not_after']}", remedy)


def _check_extended_usage(certificate: _Certificate, side: str, depth: int) -> None:
    """Java asks this of a leaf below an anchor; OpenSSL of every certificate."""
    if certificate.usages is None or _USAGES[side] in certificate.usages:
        return
    found = ", ".join(certificate.described["extended_key_usage"] or ("empty",))
    remedy = f"have one made with {side}Auth, or without the extension"
    if side == "client" and not certificate.self_issued:
        remedy = (
            "public CAs leave clientAuth out since 2026; use the identity that mutual.tls.keystore makes, or one of a private CA "
            "that has clientAuth"
        )
    subject = f"is not for the {side} side of TLS" if depth == 0 else f"certifies nobody for the {side} side of TLS"
    raise _Fault("extended_key_usage", f"{subject}: its extended key usage is {found}, without {_USAGES[side].dotted_string}", remedy)


def _check_usage(leaf: _Certificate, side: str, exact: bool) -> None:
    """Java wants digitalSignature of a leaf below an anchor. Of any OpenSSL wants what the side's keys may be used for."""
    usage = leaf.key_usage
    if usage is None or usage.digital_signature:
        return
    if exact and side == "client" and usage.key_agreement and not isinstance(leaf.key, ed25519.Ed25519PublicKey):
        return
    if exact and side == "server" and isinstance(leaf.key, rsa.RSAPublicKey) and (usage.key_encipherment or usage.key_agreement):
        return
    raise _Fault(
        "key_usage", f"may not sign the handshakes of a TLS {side}: its key usage is without digitalSignature", "have one made with it"
    )


def _check_critical(certificate: _Certificate, exact: bool) -> None:
    unknown = sorted(certificate.critical - (_KNOWN_IN_TRUSTED if exact else _KNOWN))
    if unknown:
        raise _Fault(
            "critical_extension",
            f"has critical extensions that Java or OpenSSL does not know: {', '.join(unknown)}",
            "have one made without them, or with them not critical",
        )


def _check_key(certificate: _Certificate, oldest_java: int) -> None:
    """Whether the key is of a kind that all know; how strong it is, _check_strength says."""
    key = certificate.key
    if isinstance(key, ed25519.Ed25519PublicKey):
        if oldest_java < _ED25519_JAVA:
            raise _Fault("key_type", f"has an Ed25519 key, which Java knows from {_ED25519_JAVA} on only", "make an RSA or EC key")
        return
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in x509.CURVES:
        raise _Fault("key_type", f"has a key on the curve {key.curve.name}, which TLS 1.3 or Java does not take", "make one on secp256r1")
    if not isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)):
        kind = certificate.described["key_type"]
        raise _Fault("key_type", f"has a key of the type {kind}, which TLS 1.3 or Java does not take", "make an RSA or EC key")
    _check_size(certificate)


def _check_size(certificate: _Certificate) -> None:
    if isinstance(certificate.key, rsa.RSAPublicKey) and certificate.key.key_size < _LEAST_RSA_BITS:
        raise _Fault(
            "key_size",
            f"has an RSA key of {certificate.key.key_size} bits, where OpenSSL takes none of fewer than {_LEAST_RSA_BITS} "
            "(Java: 1024, jdk.certpath.disabledAlgorithms)",
            f"make one of {_LEAST_RSA_BITS} or more",
        )


def _check_strength(certificate: _Certificate) -> None:
    """Nobody looks at the signature of a certificate that signs itself."""
    _check_size(certificate)
    digest = certificate.described["signature_digest"]
    if digest in _WEAK_DIGESTS and not certificate.self_issued:
        raise _weak_digest(digest)


def _weak_digest(digest: str) -> _Fault:
    return _Fault(
        "digest",
        f"is signed with {digest}, which Java or OpenSSL does not take (jdk.certpath.disabledAlgorithms, security level 2)",
        "have it signed anew with SHA-256",
    )


def _check_signature(certificate: _Certificate, issuer: _Certificate) -> None:
    digest = certificate.described["signature_digest"]
    if digest is not None and digest not in _STRONG_DIGESTS:
        raise _weak_digest(digest)
    if not certificate.is_signed_by(issuer.key):
        name = f"'{x509.format_name(issuer.parsed.subject)}' (sha256 {x509.sha256(issuer.encoded)})"
        raise _Fault("signature", f"is not signed by the key of its issuer {name}", "trust the CA that signed it, or have it signed anew")


def _check_authority(certificate: _Certificate, anchor: bool) -> None:
    """Whether it may sign others. Of version 1, which cannot say so, an anchor that signs itself may."""
    if certificate.version_1 and anchor and certificate.self_issued:
        return
    if certificate.constraints is None or not certificate.constraints.ca:
        raise _Fault(
            "not_a_ca", "signed another certificate and is no CA: its basic constraints are without CA:TRUE", "have a CA sign that"
        )
    if certificate.key_usage is not None and not certificate.key_usage.key_cert_sign:
        raise _Fault("key_cert_sign", "may not sign certificates: its key usage is without keyCertSign", "have another CA sign them")


def _check_length(certificate: _Certificate, between: Sequence[_Certificate]) -> None:
    """Java does not look at an anchor's; OpenSSL does."""
    most = certificate.constraints.path_length if certificate.constraints is not None else None
    found = sum(not each.self_issued for each in between)
    if most is not None and found > most:
        raise _Fault(
            "path_length", f"allows {most} CAs below it (pathLen), and there are {found}", "have the leaf signed by a CA that may do so"
        )


def _check_policies(certificate: _Certificate, below: Sequence[_Certificate], anchor: bool) -> None:
    """Java demands policies where a presented CA says so (RFC 5280 section 4.2.1.11); mappings are not followed."""
    wanted = certificate.extension(crypto_x509.PolicyConstraints)
    if anchor or wanted is None or wanted.require_explicit_policy is None or wanted.require_explicit_policy > len(below):
        return
    common: set[str] | None = None
    for each in (certificate, *below):
        policies = each.extension(crypto_x509.CertificatePolicies) or ()
        named = {policy.policy_identifier.dotted_string for policy in policies}
        if _ANY_POLICY not in named:
            common = named if common is None else common & named
    if common is not None and not common:
        raise _Fault("policy", "demands a policy (requireExplicitPolicy) that those below it do not share", "have the leaf made with it")


def _check_asked_for(presented: Sequence[_Certificate], anchors: Anchors) -> None:
    """A Java client keeps to itself what no issuer that the server names signed; a Java server names the subjects of its anchors."""
    if not any(anchors.names(each.issuer) for each in presented):
        issuer = x509.format_name(presented[-1].parsed.issuer)
        raise _Fault(
            "not_asked_for",
            f"would not be sent by a Java client: a server asks for certificates by their issuers' names, and trusts none of '{issuer}'",
            "trust that CA there too, or give the client a self-signed identity",
        )


# --- names -----------------------------------------------------------------------------------------------------------


def _check_host(leaf: _Certificate, host: str) -> None:
    if not _has_name(leaf, host):
        found = ", ".join(leaf.described["subject_alt_name"]) or "no alternative names"
        raise _Fault("host_name", f"is not for the host '{host}': it has {found}", f"have one made with the alternative name of '{host}'")


def _has_name(leaf: _Certificate, host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return any(isinstance(name, crypto_x509.IPAddress) and name.value == address for name in leaf.names)
    if not _HOST.fullmatch(host):  # such as one with "_" or a dot at its end: not for all Javas
        return False
    patterns = [name.value for name in leaf.names if isinstance(name, crypto_x509.DNSName)] or leaf.common_names[-1:]
    return any(_fits(host.lower(), pattern.lower()) for pattern in patterns)


def _fits(host: str, pattern: str) -> bool:
    """OpenSSL takes * for a whole label only, with two more labels after it."""
    if pattern.startswith("*.") and pattern.count(".") > 1:
        return host.partition(".")[2] == pattern[2:]
    return host == pattern


def _check_names(issuer: _Certificate, below: Sequence[_Certificate], anchor: bool) -> None:
    """The names that *issuer* allows those below it (RFC 5280 section 4.2.1.10). Java does not look at an anchor's; OpenSSL does."""
    constraints = issuer.extension(crypto_x509.NameConstraints)
    if constraints is None:
        return
    for depth, certificate in enumerate(below):
        if certificate.self_issued and depth:
            continue
        for name in _constrained_names(certificate, depth == 0, anchor):
            permitted = [each for each in constraints.permitted_subtrees or () if isinstance(each, type(name))]
            excluded = [each for each in constraints.excluded_subtrees or () if isinstance(each, type(name))]
            if (permitted and not any(_within(name, each) for each in permitted)) or any(_within(name, each) for each in excluded):
                subject = x509.format_name(certificate.parsed.subject)
                raise _Fault(
                    "name_constraints",
                    f"may not certify the name '{_text(name)}' of '{subject}': its name constraints do not allow it",
                    "have one made with another name, or by another CA",
                )


def _constrained_names(certificate: _Certificate, is_leaf: bool, anchor: bool) -> Iterator[Any]:
    """Every name that is to be within constraints. Where no host is named, a common name counts as one: for Java in all certificates
    below a CA that is presented, for OpenSSL in a leaf if there is a dot in it."""
    yield from certificate.names
    if list(certificate.parsed.subject):
        yield crypto_x509.DirectoryName(certificate.parsed.subject)
    for mailbox in certificate.parsed.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
        yield crypto_x509.RFC822Name(str(mailbox.value))
    if not any(isinstance(name, crypto_x509.DNSName) for name in certificate.names):
        for name in certificate.common_names[-1:]:
            if _HOST.fullmatch(name) and (not anchor or (is_leaf and "." in name)):
                yield crypto_x509.DNSName(name)


def _text(name: Any) -> str:
    return x509.format_name(name.value) if isinstance(name, crypto_x509.DirectoryName) else str(name.value)


def _within(name: Any, constraint: Any) -> bool:
    """Whether a name is in the subtree of a constraint of its kind."""
    if isinstance(name, crypto_x509.DirectoryName):
        wanted, found = list(constraint.value.rdns), list(name.value.rdns)
        return [_canonical(each) for each in found[: len(wanted)]] == [_canonical(each) for each in wanted]
    if isinstance(name, crypto_x509.IPAddress):
        network = constraint.value
        return bool(network.version == name.value.version and name.value in network)
    text, limit = str(name.value).lower(), str(constraint.value).lower()
    if isinstance(name, crypto_x509.DNSName):
        return text == limit or not limit or (not limit.startswith(".") and text.endswith(f".{limit}"))  # Java before 21: no dot before
    if isinstance(name, crypto_x509.RFC822Name):
        domain = text.rpartition("@")[2]
        return text == limit if "@" in limit else domain.endswith(limit) if limit.startswith(".") else domain == limit
    if isinstance(name, crypto_x509.UniformResourceIdentifier):
        domain = re.split(r"[:/?#]", text.partition("://")[2].rpartition("@")[2])[0]
        return domain.endswith(limit) if limit.startswith(".") else domain == limit
    return bool(name == constraint)


def _canonical(part: Any) -> bytes:
    """A part of a name such that two are equal if Java and OpenSSL say so."""
    return chains.canonical(crypto_x509.Name([part]).public_bytes())
