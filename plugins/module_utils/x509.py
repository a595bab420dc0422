# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""X.509 as this collection makes and reads it: identities, names, and what a certificate says of itself.

Certificates are made by the ``cryptography`` package. An identity's certificate is an end-entity one: CA:FALSE, both
TLS usages, a critical key usage (RFC 5280 sections 4.2.1.3, 4.2.1.9 and 4.2.1.12).
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import functools
import hashlib
import ipaddress
import re
from collections.abc import Sequence
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils.crypto import (
    ExtendedKeyUsageOID,
    InvalidSignature,
    NameOID,
    UnsupportedAlgorithm,
    ec,
    ed25519,
    hashes,
    rsa,
    serialization,
    signature_padding,
    x509,
)
from ansible_collections.mutual.tls.plugins.module_utils.entries import SigningKey
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, TrustError

CURVES: dict[str, type[ec.EllipticCurve]] = {"secp256r1": ec.SECP256R1, "secp384r1": ec.SECP384R1, "secp521r1": ec.SECP521R1}

#: Clocks differ: a certificate is valid from a little before it was made.
BACKDATE = datetime.timedelta(minutes=5)

_NAME_ATTRIBUTES = {
    "CN": NameOID.COMMON_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "L": NameOID.LOCALITY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "C": NameOID.COUNTRY_NAME,
    "DC": NameOID.DOMAIN_COMPONENT,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
}
_ATTRIBUTE_NAMES = {oid: name for name, oid in _NAME_ATTRIBUTES.items()}
#: One attribute of a name: its kind, its value with escapes, and what separates it from the next.
_ATTRIBUTE = re.compile(r"[ \n]*([A-Za-z]+)[ \n]*=[ \n]*((?:[^\\,]|\\[0-9A-Fa-f]{2}|\\[^0-9A-Fa-f])+?)[ \n]*(,|\Z)", re.DOTALL)
_DURATION = re.compile(r"([0-9]+)([smhdw])")
_LONGEST = datetime.timedelta(days=36500)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
#: What the package raises for a certificate that it cannot read: not only kinds of ValueError, as damaged ones showed.
_UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,  # the package up to 43, for a name of an unknown kind of text
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_PROOF_CONTEXT = b"mutual.tls possession\0"


def parse_duration(text: str, option: str) -> datetime.timedelta:
    """A time such as ``30d``, ``12h`` or ``1w2d``; *option* names it in the error."""
    if not text or _DURATION.sub("", text):
        raise InputError(f"'{option}' is {text!r}; a time is written like 30d, 12h or 1w2d.")
    try:
        duration = sum(
            (datetime.timedelta(**{_UNITS[unit]: int(number)}) for number, unit in _DURATION.findall(text)), datetime.timedelta()
        )
    except (OverflowError, ValueError):  # more days, or more digits, than Python counts
        duration = datetime.timedelta.max
    if duration > _LONGEST:
        raise InputError(f"'{option}' is {text!r}; {_LONGEST.days}d is the longest time.")
    return duration


def format_duration(duration: datetime.timedelta) -> str:
    """A time for people: whole days as such, another one as parse_duration() reads it."""
    if not duration.seconds:
        return f"{duration.days} days"
    parts = {"d": duration.days, "h": duration.seconds // 3600, "m": duration.seconds // 60 % 60, "s": duration.seconds % 60}
    return "".join(f"{number}{unit}" for unit, number in parts.items() if number)


def parse_name(text: str, option: str = "subject") -> x509.Name:
    """A distinguished name as RFC 4514 writes it, ``CN=ec1,O=Example``: the most specific part first.

    The encoded order is the reverse, root first, as the RFC (section 2.1) has it and as keytool does.
    """
    attributes = []
    position, separator = 0, ","
    while separator:
        match = _ATTRIBUTE.match(text, position)
        if match is None or match.group(1).upper() not in _NAME_ATTRIBUTES:
            raise InputError(f"'{option}' is {text!r}; a name is written like CN=ec1,OU=Unit,O=Company with {', '.join(_NAME_ATTRIBUTES)}.")
        try:
            attributes.append(x509.NameAttribute(_NAME_ATTRIBUTES[match.group(1).upper()], _unescaped(match.group(2))))
        except ValueError as error:
            raise InputError(f"'{option}' is {text!r}: {error}.") from error
        position, separator = match.end(), match.group(3)
    return x509.Name(reversed(attributes))


def format_name(name: x509.Name) -> str:
    """The name as RFC 4514 writes it, the most specific part first."""
    return ",".join(
        f"{_ATTRIBUTE_NAMES.get(attribute.oid, attribute.oid.dotted_string)}={escaped(str(attribute.value))}"
        for attribute in reversed(list(name))
    )


def escaped(value: str) -> str:
    """An attribute's value as it stands in a name (RFC 4514 section 2.4)."""
    return re.sub(r'[,+<>;="\\]|^[# ]| \Z|[\x00-\x1f\x7f]', _escape, value)


def _escape(match: re.Match[str]) -> str:
    character = match.group(0)
    return "\\" + (character if character.isprintable() else f"{ord(character):02X}")


def _unescaped(value: str) -> str:
    """The value that is written so; pairs of hexadecimal digits are the bytes of its UTF-8."""

    def plain(match: re.Match[str]) -> str:
        return match.group(2) or bytes.fromhex(match.group(1).replace("\\", "")).decode("utf-8")

    return re.sub(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)", plain, value, flags=re.DOTALL)


def parse_alternative_names(names: Sequence[str]) -> list[x509.GeneralName]:
    """Subject alternative names written as ``DNS:host``, ``IP:address`` or ``email:mailbox`` (RFC 5280 section 4.2.1.6)."""
    result: list[x509.GeneralName] = []
    for name in names:
        kind, _separator, value = name.partition(":")
        try:
            if kind.upper() == "DNS" and value:
                result.append(x509.DNSName(value))
            elif kind.upper() == "IP":
                result.append(x509.IPAddress(ipaddress.ip_address(value)))
            elif kind.lower() == "email" and value:
                result.append(x509.RFC822Name(value))
            else:
                raise ValueError("the kinds are DNS, IP and email")
        except ValueError as error:
            raise InputError(
                f"'subject_alt_name' has {name!r}: {error}. A name is written like DNS:ec1.example.test or IP:192.0.2.7."
            ) from error
    return result


def parse_subtrees(names: Sequence[str]) -> list[x509.GeneralName]:
    """What name constraints permit: ``DNS:domain``, ``IP:network`` or ``email:domain`` (RFC 5280 section 4.2.1.10)."""
    result: list[x509.GeneralName] = []
    for name in names:
        kind, _separator, value = name.partition(":")
        try:
            result.append(x509.IPAddress(ipaddress.ip_network(value)) if kind.upper() == "IP" else parse_alternative_names([name])[0])
        except ValueError as error:
            raise InputError(f"'permitted_names' has {name!r}: {error}. A network is written like IP:192.0.2.0/24.") from error
    return result


def format_alternative_name(name: x509.GeneralName) -> str:
    """One subject alternative name as parse_alternative_names reads it."""
    if isinstance(name, x509.DNSName):
        return f"DNS:{name.value}"
    if isinstance(name, x509.IPAddress):
        return f"IP:{name.value}"
    if isinstance(name, x509.RFC822Name):
        return f"email:{name.value}"
    return f"other:{type(name).__name__}"


#: The types of keys that are made, and what a new key is where nobody wished otherwise.
KEY_TYPES = ("RSA", "EC", "Ed25519")
KEY_TYPE, KEY_SIZE, CURVE = "RSA", 2048, "secp256r1"


def check_key(key_type: str, *, key_size: int, curve: str) -> None:
    """Refuse a kind of key that generate_key() does not make."""
    if key_type not in KEY_TYPES:
        raise InputError(f"'key_type' is {key_type!r}; RSA, EC and Ed25519 are made.")
    if key_type == "RSA" and not 2048 <= key_size <= 8192:
        raise InputError(f"'key_size' is {key_size}; RSA keys of 2048 to 8192 bits are made.")
    if key_type == "EC" and curve not in CURVES:
        raise InputError(f"'curve' is {curve!r}; {', '.join(CURVES)} are the curves that are made.")


def generate_key(key_type: str, *, key_size: int = KEY_SIZE, curve: str = CURVE) -> SigningKey:
    """A new private key; *key_size* (bits) counts for RSA, *curve* for EC."""
    check_key(key_type, key_size=key_size, curve=curve)
    if key_type == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=key_size)
    if key_type == "EC":
        return ec.generate_private_key(CURVES[curve]())
    return ed25519.Ed25519PrivateKey.generate()


def signature_digest(key: SigningKey) -> hashes.SHA256 | hashes.SHA384 | None:
    """What a certificate or request is signed with: SHA-384 for the larger curves, none beside Ed25519's own."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size > 256:
        return hashes.SHA384()
    return hashes.SHA256()


def key_usage(*usages: str) -> x509.KeyUsage:
    """A key usage (RFC 5280 section 4.2.1.3) of the ones that are named."""
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{usage: usage in usages for usage in every})


def self_signed(
    key: SigningKey, subject: x509.Name, names: Sequence[x509.GeneralName], *, now: datetime.datetime, valid_for: datetime.timedelta
) -> bytes:
    """A certificate (DER) for *key* that is signed by itself, for both sides of a TLS connection."""
    encipherment = ["key_encipherment"] if isinstance(key, rsa.RSAPrivateKey) else []
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + valid_for)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage("digital_signature", *encipherment), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return to_der(builder.sign(key, signature_digest(key)))


def signing_request(key: SigningKey, subject: x509.Name, names: Sequence[x509.GeneralName]) -> str:
    """A certificate signing request (PEM, RFC 2986) for *key*."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, signature_digest(key)).public_bytes(serialization.Encoding.PEM).decode("ascii")


def to_pkcs8(key: SigningKey) -> bytes:
    """PrivateKeyInfo, DER, not encrypted: for a store in memory, never for a file."""
    return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def load_certificate(der: bytes) -> x509.Certificate:
    """The certificate in *der*. Raises TrustError when it is none."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        _names = certificate.subject, certificate.issuer  # the package reads them when they are asked for: now, not somewhere else
    except _UNREADABLE as error:
        raise TrustError(f"a certificate cannot be read: {error}") from error
    return certificate


def pem_to_der(text: str, what: str) -> list[bytes]:
    """The certificates (DER) in a PEM text (RFC 7468); *what* names the text in the error."""
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", text, re.DOTALL)
    try:
        certificates = [base64.b64decode("".join(block.split()), validate=True) for block in blocks]
    except ValueError as error:
        raise InputError(f"{what} is not a PEM certificate: {error}.") from error
    if not certificates:
        raise InputError(f"{what} holds no PEM certificate (-----BEGIN CERTIFICATE-----).")
    return certificates


def pem_blocks(text: str, label: str) -> list[bytes]:
    """The DER of each block of a PEM text (RFC 7468) with that label; what is no Base64 is left out."""
    found = []
    for block in re.findall(rf"-----BEGIN {label}-----(.*?)-----END {label}-----", text, re.DOTALL):
        with contextlib.suppress(ValueError):
            found.append(base64.b64decode("".join(block.split()), validate=True))
    return found


def readable_certificates(text: str, what: str) -> list[bytes]:
    """The certificates (DER) in a PEM text, of which each can be described; *what* names the text in the error."""
    certificates = pem_to_der(text, what)
    for certificate in certificates:
        try:
            describe(certificate)
        except TrustError as error:
            raise InputError(f"{what} holds what is no certificate: {error}.") from error
    return certificates


def der_to_pem(certificate: bytes) -> str:
    """The PEM text of a certificate (DER)."""
    return to_pem(certificate, "CERTIFICATE")


def to_pem(data: bytes, label: str) -> str:
    """The PEM text (RFC 7468) of *data*, DER, under *label*."""
    body = base64.b64encode(data).decode("ascii")
    lines = "\n".join(body[start : start + 64] for start in range(0, len(body), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"


def to_der(certificate: x509.Certificate) -> bytes:
    """A certificate's bytes."""
    return certificate.public_bytes(serialization.Encoding.DER)


def sha256(certificate: bytes) -> str:
    """The fingerprint of a certificate (DER): lower-case hex."""
    return hashlib.sha256(certificate).hexdigest()


def not_before(certificate: x509.Certificate) -> datetime.datetime:
    """The start of validity in UTC; ``cryptography`` before 42 has it without a time zone only."""
    if hasattr(certificate, "not_valid_before_utc"):
        return certificate.not_valid_before_utc
    return certificate.not_valid_before.replace(tzinfo=datetime.timezone.utc)


def not_after(certificate: x509.Certificate) -> datetime.datetime:
    """The end of validity in UTC."""
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_after_utc
    return certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc)


def next_update(crl: x509.CertificateRevocationList) -> datetime.datetime:
    """When a revocation list ends, in UTC. Raises ValueError for one that does not say so."""
    end = crl.next_update_utc if hasattr(crl, "next_update_utc") else crl.next_update
    if end is None:
        raise ValueError("it does not say when it ends")
    return end.replace(tzinfo=datetime.timezone.utc)


def now() -> datetime.datetime:
    """This moment, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)


def timestamp(moment: datetime.datetime) -> str:
    """A moment as ISO 8601 in UTC, to the second."""
    return moment.astimezone(datetime.timezone.utc).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def parse_timestamp(text: str) -> datetime.datetime:
    """A moment as ``timestamp`` writes it."""
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)


def describe(der: bytes) -> dict[str, Any]:
    """What a certificate says: names, dates, fingerprint, key, usages, and its PEM text. Raises TrustError when it cannot be read."""
    certificate = load_certificate(der)
    try:
        return _describe(der, certificate)
    except _UNREADABLE as error:
        raise TrustError(f"a certificate cannot be read: {error}") from error


def _describe(der: bytes, certificate: x509.Certificate) -> dict[str, Any]:
    constraints = _extension(certificate, x509.BasicConstraints)
    names = _extension(certificate, x509.SubjectAlternativeName)
    extended = _extension(certificate, x509.ExtendedKeyUsage)
    return {
        "sha256": sha256(der),
        "subject": format_name(certificate.subject),
        "issuer": format_name(certificate.issuer),
        "serial_number": f"{certificate.serial_number:x}",
        "not_before": timestamp(not_before(certificate)),
        "not_after": timestamp(not_after(certificate)),
        "subject_alt_name": sorted(format_alternative_name(name) for name in names) if names else [],
        "is_ca": bool(constraints and constraints.ca),
        "signature_digest": _signature_digest(certificate),
        "extended_key_usage": sorted(usage.dotted_string for usage in extended) if extended else None,
        **describe_key(_public_key(certificate)),
        "pem": der_to_pem(der),
    }


def _signature_digest(certificate: x509.Certificate) -> str | None:
    """The digest that the certificate is signed with; None where the signature has its own, or one that is not known."""
    try:
        digest = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    return digest.name.upper() if digest is not None else None


def _extension(certificate: x509.Certificate, kind: Any) -> Any:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def alternative_names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    """The subject alternative names of a certificate that can be described."""
    return list(_extension(certificate, x509.SubjectAlternativeName) or ())


def describe_key(key: Any) -> dict[str, Any]:
    """Type and size of a public key; the size of an EC key is its curve's."""
    if isinstance(key, rsa.RSAPublicKey):
        return {"key_type": "RSA", "key_size": key.key_size, "curve": None}
    if isinstance(key, ec.EllipticCurvePublicKey):
        return {"key_type": "EC", "key_size": key.curve.key_size, "curve": key.curve.name}
    if isinstance(key, ed25519.Ed25519PublicKey):
        return {"key_type": "Ed25519", "key_size": 256, "curve": None}
    return {"key_type": type(key).__name__, "key_size": getattr(key, "key_size", None), "curve": None}


def key_sha256(public_key: Any) -> str:
    """What names a public key: the digest of its SubjectPublicKeyInfo, lower-case hex."""
    return hashlib.sha256(_public_bytes(public_key)).hexdigest()


def public_key_of(certificate: bytes) -> bytes:
    """SubjectPublicKeyInfo (DER) of a certificate."""
    return _public_bytes(_public_key(load_certificate(certificate)))


def _public_key(certificate: x509.Certificate) -> Any:
    try:
        return certificate.public_key()
    except _UNREADABLE as error:
        raise TrustError(f"the key of a certificate cannot be read: {error}") from error


def subject_of(certificate: bytes) -> bytes:
    """The name (DER) that a certificate certifies."""
    return load_certificate(certificate).subject.public_bytes()


@functools.lru_cache(maxsize=1 << 14)  # a plan asks again for each member and each CA
def is_signed_by(certificate: bytes, issuer: bytes) -> bool:
    """Whether the key of *issuer* signed *certificate* (both DER), and under its name."""
    parsed, above = load_certificate(certificate), load_certificate(issuer)
    if parsed.issuer != above.subject:
        return False
    public, digest = _public_key(above), _signature_digest(parsed)
    try:
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(parsed.signature, parsed.tbs_certificate_bytes, signature_padding.PKCS1v15(), getattr(hashes, digest or "")())
        elif isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(parsed.signature, parsed.tbs_certificate_bytes, ec.ECDSA(getattr(hashes, digest or "")()))
        elif isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(parsed.signature, parsed.tbs_certificate_bytes)
        else:
            return False
    except (InvalidSignature, *_UNREADABLE):
        return False
    return True


def what_makes_a_ca(certificate: bytes) -> str | None:
    """What makes verifiers take the certificate for a CA's; None when nothing does.

    CA:TRUE is not all: for want of basic constraints OpenSSL (X509_check_ca) goes by keyCertSign, and takes each self-signed
    certificate of version 1.
    """
    parsed = load_certificate(certificate)
    if parsed.version == x509.Version.v1:
        return "version 1, without basic constraints"
    with contextlib.suppress(x509.ExtensionNotFound):
        return "CA:TRUE" if parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca else None
    with contextlib.suppress(x509.ExtensionNotFound):
        usage = parsed.extensions.get_extension_for_class(x509.KeyUsage).value
        return "keyCertSign, without basic constraints" if usage.key_cert_sign else None
    return None


def certifies(certificate: bytes, key: SigningKey) -> bool:
    """Whether *certificate* (DER) is for *key*."""
    return public_key_of(certificate) == _public_bytes(key.public_key())


def _public_bytes(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _statement(name: str, certificate: bytes) -> bytes:
    """What a proof of possession signs. The member's name is in it, so that nobody else's proof can be handed on."""
    return _PROOF_CONTEXT + name.encode("utf-8") + b"\0" + hashlib.sha256(certificate).digest()


def prove_possession(key: SigningKey, name: str, certificate: bytes) -> str:
    """A signature (base64) that shows that the member *name* holds the key of *certificate* (DER)."""
    statement = _statement(name, certificate)
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(statement, signature_padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(statement, ec.ECDSA(hashes.SHA256()))
    else:
        signature = key.sign(statement)
    return base64.b64encode(signature).decode("ascii")


def check_possession(proof: str, name: str, certificate: bytes) -> None:
    """Raise TrustError unless *proof* was made by the member *name* with the key of *certificate* (DER)."""
    statement = _statement(name, certificate)
    public = _public_key(load_certificate(certificate))
    try:
        signature = base64.b64decode(proof, validate=True)
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, statement, signature_padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, statement, ec.ECDSA(hashes.SHA256()))
        elif isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, statement)
        else:
            raise ValueError(f"keys of the type {type(public).__name__} are not supported")
    except (InvalidSignature, ValueError) as error:
        raise TrustError(f"the member '{name}' does not hold the key of the certificate that it presents") from error
