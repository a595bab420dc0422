# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts that a PKCS#12 store is made of (RFC 7292 section 4): bags with attributes, and what they are wrapped in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from ansible_collections.mutual.tls.plugins.module_utils import der, derivation
from ansible_collections.mutual.tls.plugins.module_utils.entries import MAX_CERTIFICATE_BYTES
from ansible_collections.mutual.tls.plugins.module_utils.errors import UnsupportedStoreError

DATA = "1.2.840.113549.1.7.1"
ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
KEY_BAG = "1.2.840.113549.1.12.10.1.1"
SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2"
CERT_BAG = "1.2.840.113549.1.12.10.1.3"
SECRET_BAG = "1.2.840.113549.1.12.10.1.5"  # noqa: S105  (no password, a type of bag)
_X509_CERTIFICATE = "1.2.840.113549.1.9.22.1"
FRIENDLY_NAME = "1.2.840.113549.1.9.20"
LOCAL_KEY_ID = "1.2.840.113549.1.9.21"
#: Oracle's trusted-key-usage (sun.security.pkcs12.PKCS12KeyStore): a SET OF extended key usages.
TRUSTED_KEY_USAGE = "2.16.840.1.113894.746875.1.1"
_ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0"
#: Java and Windows write up to five for a bag, none of them long.
MAX_ATTRIBUTES_OF_BAG = 100
MAX_NAME_BYTES = 0xFFFF


@dataclass
class Bag:
    """One SafeBag: what it holds, and its attributes sorted into those that mean something and the rest."""

    kind: str
    value: der.Element
    whole: der.Element
    friendly_name: str | None = None
    local_key_id: bytes | None = None
    alias: str = ""
    trusted: bool = False
    attributes: list[bytes] = field(default_factory=list)
    #: How many attributes it has, with a meaning or without.
    width: int = 0


def parse(element: der.Element) -> Bag:
    """A SafeBag (RFC 7292 section 4.2) with its attributes."""
    kind, value, *attributes = der.parts(element, "a bag", 2, 3)
    bag = Bag(der.oid_value(kind, "a bag's type"), unwrap(value, "a bag"), element)
    listed = attributes[0].expect(der.SET, "a bag's attributes").values("a bag's attributes") if attributes else iter(())
    for attribute in islice(listed, MAX_ATTRIBUTES_OF_BAG):
        bag.width += 1
        name, values = der.parts(attribute, "an attribute", 2, 2)
        meaning = der.oid_value(name, "an attribute")
        first = next(values.expect(der.SET, "an attribute").values("an attribute"), None)
        if meaning == FRIENDLY_NAME and first is not None:
            bag.friendly_name = der.bmp_value(first, "a friendlyName")
            if 2 * len(bag.friendly_name) > MAX_NAME_BYTES:
                raise UnsupportedStoreError(f"a friendlyName has {2 * len(bag.friendly_name)} bytes; up to {MAX_NAME_BYTES} are accepted")
        elif meaning == LOCAL_KEY_ID and first is not None:
            bag.local_key_id = first.expect(der.OCTET_STRING, "a localKeyId").content
        else:
            if meaning == TRUSTED_KEY_USAGE and bag.kind == CERT_BAG:
                bag.trusted = True
                if attribute.raw == TRUSTED_FOR_ALL:  # which every trusted certificate gets when it is written
                    continue
            bag.attributes.append(attribute.raw)
    if next(listed, None) is not None:
        raise UnsupportedStoreError(f"a bag has more than {MAX_ATTRIBUTES_OF_BAG} attributes")
    return bag


def x509_certificate(bag: Bag) -> bytes | None:
    """The DER of a CertBag's X.509 certificate; None for a certificate of another kind (SDSI)."""
    kind, wrapper = der.parts(bag.value, "a certificate bag", 2, 2)
    if der.oid_value(kind, "a certificate bag") != _X509_CERTIFICATE:
        return None
    certificate = unwrap(wrapper, "a certificate bag").expect(der.OCTET_STRING, "a certificate").content
    if len(certificate) > MAX_CERTIFICATE_BYTES:
        raise UnsupportedStoreError(f"a certificate has {len(certificate)} bytes; up to {MAX_CERTIFICATE_BYTES} are accepted")
    return certificate


def secret_key(bag: Bag) -> der.Element | None:
    """The EncryptedPrivateKeyInfo in a SecretBag, where Java puts symmetric keys; None for secrets of another kind."""
    try:
        _kind, wrapper = der.parts(bag.value, "a secret bag", 2, 2)
        secret = der.only(unwrap(wrapper, "a secret").expect(der.OCTET_STRING, "a secret").values("a secret"), "a secret")
        algorithm, ciphertext = der.parts(secret, "a secret key", 2, 2)
        derivation.algorithm_identifier(algorithm, "a secret key")
        ciphertext.expect(der.OCTET_STRING, "a secret key")
    except der.DerError:
        return None
    return secret


def named(bag: Bag, value: bytes | None = None) -> bytes:
    """The bag as it was read, with another value if there is one, and with its alias: a number changes with what is before it."""
    if value is None and bag.friendly_name is not None:
        return bag.whole.raw
    kind, wrapper, *rest = der.parts(bag.whole, "a bag", 2, 3)
    attributes = [each.raw for whole in rest for each in whole.values("a bag's attributes")]
    if bag.friendly_name is None:
        attributes.append(encode_attribute(FRIENDLY_NAME, der.bmp_string(bag.alias)))
    return der.sequence(kind.raw, wrapper.raw if value is None else der.explicit(0, value), der.set_of(*attributes))


def encode_certificate(certificate: bytes, attributes: Sequence[bytes]) -> bytes:
    """A CertBag with an X.509 certificate (RFC 7292 section 4.2.3)."""
    value = der.sequence(der.oid(_X509_CERTIFICATE), der.explicit(0, der.octet_string(certificate)))
    return encode(CERT_BAG, value, attributes)


def encode(kind: str, value: bytes, attributes: Sequence[bytes]) -> bytes:
    """A SafeBag (RFC 7292 section 4.2)."""
    parts = [der.oid(kind), der.explicit(0, value)]
    if attributes:
        parts.append(der.set_of(*attributes))
    return der.sequence(*parts)


def encode_attribute(kind: str, value: bytes) -> bytes:
    """A PKCS12Attribute with one value."""
    return der.sequence(der.oid(kind), der.set_of(value))


def has_kind(attribute: bytes, kind: str) -> bool:
    """Whether an attribute is of the kind with this object identifier."""
    return der.parts(attribute, "an attribute", 2, 2)[0].raw == der.oid(kind)


def encode_content_info(kind: str, content: bytes) -> bytes:
    """A ContentInfo (RFC 7292 section 4, from RFC 5652 section 3)."""
    return der.sequence(der.oid(kind), der.explicit(0, content))


def parse_content_info(element: der.Element, what: str) -> tuple[str, der.Element]:
    """The content type of a ContentInfo, and its content."""
    kind, wrapper = der.parts(element, what, 2, 2)
    return der.oid_value(kind, what), unwrap(wrapper, what)


def unwrap(wrapper: der.Element, what: str) -> der.Element:
    """The value inside [0] EXPLICIT."""
    return der.only(wrapper.expect(der.CONTEXT_0, what).values(what), what)


#: What makes a certificate a trusted entry.
TRUSTED_FOR_ALL = encode_attribute(TRUSTED_KEY_USAGE, der.oid(_ANY_EXTENDED_KEY_USAGE))
