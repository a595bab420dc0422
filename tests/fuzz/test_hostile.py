# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that somebody made to cost time or memory: each in a process of its own, whose time and memory are measured.

What is refused is refused within two seconds. What is within all bounds takes what it takes, and no more than is said here.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import chains, der, derivation, pbe
from ansible_collections.mutual.tls.plugins.module_utils.entries import MAX_CERTIFICATE_BYTES
from ansible_collections.mutual.tls.plugins.module_utils.keystore import MAX_BYTES
from ansible_collections.mutual.tls.plugins.module_utils.pkcs12 import bags, reader

from ..unit.factory import CRL_BAG, DATA, SECRET_BAG, SHROUDED_KEY_BAG, bag, cert_bag, content, encrypted_safe, key_bag, pfx
from ..unit.jks_by_hand import key as jks_key
from ..unit.jks_by_hand import made as jks
from ..unit.jks_by_hand import trusted as jks_trusted
from .cases import LEAF, MEGABYTES, OTHER, SECONDS, measured

MIB = 1024 * 1024
LARGE = 60 * MIB


def unsealed(safes: bytes) -> bytes:
    return der.sequence(der.integer(3), content(DATA, der.octet_string(safes)))


def pbes(scheme: str, count: int) -> bytes:
    return der.sequence(der.oid(scheme), der.sequence(der.octet_string(bytes(8)), der.integer(count)))


RC2_40, DESEDE = "1.2.840.113549.1.12.1.6", "1.2.840.113549.1.12.1.3"


def mac_data(count: int) -> bytes:
    scheme = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"), der.null())
    return der.sequence(der.sequence(scheme, der.octet_string(bytes(32))), der.octet_string(bytes(20)), der.integer(count))


def pbmac1(length: bytes) -> bytes:
    hmac = der.sequence(der.oid("1.2.840.113549.2.9"), der.null())
    derived = der.sequence(der.octet_string(bytes(8)), der.integer(1), length, hmac)
    function = der.sequence(der.oid("1.2.840.113549.1.5.12"), derived)
    scheme = der.sequence(der.oid("1.2.840.113549.1.5.14"), der.sequence(function, hmac))
    return der.sequence(der.sequence(scheme, der.octet_string(bytes(32))), der.octet_string(b""), der.integer(1))


def shrouded(scheme: bytes, ciphertext: bytes = bytes(8), alias: str | None = None) -> bytes:
    return bag(SHROUDED_KEY_BAG, der.sequence(scheme, der.octet_string(ciphertext)), alias, b"1")


def secret(scheme: bytes, ciphertext: bytes = bytes(8)) -> bytes:
    wrapped = der.octet_string(der.sequence(scheme, der.octet_string(ciphertext)))
    return bag(SECRET_BAG, der.sequence(der.oid("1.2.3"), der.explicit(0, wrapped)))


def named(*texts: bytes) -> bytes:
    return der.sequence(*(der.set_of(der.sequence(der.oid("2.5.4.3"), der.encode(0x0C, text))) for text in texts))


def rsa(modulus: int, exponent: int = 65537) -> bytes:
    algorithm = der.sequence(der.oid("1.2.840.113549.1.1.1"), der.null())
    return der.sequence(algorithm, der.encode(0x03, b"\0" + der.sequence(der.integer(modulus), der.integer(exponent))))


DATES = der.sequence(der.encode(0x17, b"250101000000Z"), der.encode(0x17, b"350101000000Z"))
SIGNED = der.sequence(der.oid("1.2.840.113549.1.1.11"), der.null())


def certificate(
    subject: bytes, issuer: bytes, *, serial: bytes = der.integer(1), key: bytes | None = None, extensions: bytes = b""
) -> bytes:
    fields = [der.explicit(0, der.integer(2)), serial, SIGNED, issuer, DATES, subject, rsa((1 << 2048) - 1) if key is None else key]
    if extensions:
        fields.append(der.explicit(3, extensions))
    return der.sequence(der.sequence(*fields), SIGNED, der.encode(0x03, bytes(9)))


def trusted(data: bytes, alias: str = "it") -> bytes:
    return cert_bag(data, alias, trusted=True)


X = named(b"x")


BER = b"\x30\x80\x02\x01\x03"
ATTRIBUTE = der.sequence(der.oid("1.2.3"), der.encode(der.SET))
CRL = bag(CRL_BAG, der.sequence())
SHORT = "cut short"

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "one-iteration-too-many-in-the-mac": (lambda: pfx(mac=mac_data(5_000_001)), "the MAC asks for 5000001 iterations"),
    "one-iteration-too-many-in-a-key": (lambda: pfx(shrouded(pbes(DESEDE, 5_000_001))), "asks for 5000001 iterations"),
    "one-iteration-too-many-in-a-safe": (lambda: unsealed(der.sequence(encrypted_safe(pbes(DESEDE, 5_000_001)))), "asks for 5000001"),
    "iterations-of-thousands-of-bits": (lambda: pfx(mac=mac_data(1 << 100_000)), "too large"),
    "pbmac1-key-of-0": (lambda: pfx(mac=pbmac1(der.integer(0))), "a key of 0 bytes"),
    "pbmac1-key-of-1": (lambda: pfx(mac=pbmac1(der.integer(1))), "a key of 1 bytes"),
    "pbmac1-key-of-19": (lambda: pfx(mac=pbmac1(der.integer(19))), "a key of 19 bytes"),
    "pbmac1-key-of-65": (lambda: pfx(mac=pbmac1(der.integer(65))), "a key of 65 bytes"),
    "pbmac1-key-of-no-length": (lambda: pfx(mac=pbmac1(b"")), "whose length is not said"),
    "pbmac1-key-huge": (lambda: pfx(mac=pbmac1(der.integer(1 << 500))), "a key of "),
    "a-byte-more-than-a-store-has": (lambda: b"\x30\x84\x04\0\0\0\x02\x01\x03" + bytes(MAX_BYTES - 8), "more than 64 MiB"),
    "zeros": (lambda: bytes(LARGE), "no keystore of a known kind"),
    "zeros-in-a-store": (lambda: der.sequence(der.integer(3), bytes(LARGE)), "2 to 3 parts"),
    "one-string": (lambda: unsealed(der.octet_string(bytes(LARGE))), "should be a SEQUENCE"),
    "one-string-sealed": (lambda: pfx(safes=[der.octet_string(bytes(LARGE))]), "should be a SEQUENCE"),
    "nested-without-end": (lambda: BER + b"\x30\x80" * (LARGE // 2), "32 values inside one another"),
    "nested-with-lengths": (lambda: unsealed(b"\x30\x84\xff\xff\xff\xff" * (LARGE // 6)), SHORT),
    "four-gibibytes-announced": (lambda: b"\x30\x84\xff\xff\xff\xff\x02\x01\x03", SHORT),
    "four-gibibytes-announced-inside": (lambda: unsealed(b"\x30\x84\xff\xff\xff\xff"), SHORT),
    "millions-of-tiny-values": (lambda: unsealed(der.null() * (LARGE // 2)), "one value"),
    "millions-of-tiny-bags": (lambda: pfx(*[der.sequence(der.null())] * 1_000_000, password=None), "a bag should have"),
    "millions-of-attributes-of-a-bag": (
        lambda: pfx(der.sequence(der.oid(CRL_BAG), der.explicit(0, b"\x30\0"), der.encode(der.SET, ATTRIBUTE * 3_000_000)), password=None),
        f"a bag has more than {bags.MAX_ATTRIBUTES_OF_BAG} attributes",
    ),
    "rc2-of-many-megabytes": (lambda: unsealed(der.sequence(encrypted_safe(pbes(RC2_40, 1), bytes(LARGE)))), "encrypted with RC2"),
    "many-times-as-much-rc2-as-is-allowed": (
        lambda: pfx(*[shrouded(pbes(RC2_40, 1), bytes(pbe.MAX_RC2_LENGTH))] * 15),
        f"more than {pbe.MAX_RC2_LENGTH} bytes encrypted with RC2 in all",
    ),
    "a-name-of-megabytes": (lambda: pfx(trusted(OTHER.der, "A" * 15 * MIB)), "a friendlyName has"),
    "a-certificate-of-zeros": (lambda: pfx(trusted(bytes(LARGE))), f"up to {MAX_CERTIFICATE_BYTES} are accepted"),
    "a-serial-number-of-megabytes": (
        lambda: pfx(trusted(certificate(X, X, serial=der.encode(der.INTEGER, b"\1" * 30 * MIB)))),
        f"up to {MAX_CERTIFICATE_BYTES} are accepted",
    ),
    "a-long-chain": (
        lambda: pfx(
            key_bag(LEAF.pkcs8, "k", b"1"),
            *(
                cert_bag(certificate(named(b"%d" % each), named(b"%d" % (each + 1))), None, b"1" if not each else None)
                for each in range(5_000)
            ),
        ),
        f"more than {chains.MAX_LENGTH} certificates",
    ),
    "keys-that-share-a-chain-of-megabytes": (
        lambda: pfx(
            *(key_bag(LEAF.pkcs8, f"k{each}", b"1") for each in range(500)),
            cert_bag(certificate(named(b"0"), named(b"1")), "c", b"1"),
            *(
                cert_bag(certificate(named(b"%d" % each), named(b"%d" % (each + 1)), serial=der.encode(der.INTEGER, b"\1" * 300_000)))
                for each in range(1, 90)
            ),
        ),
        f"chains of all keys have more than {reader.MAX_CHAIN_BYTES} bytes",
    ),
    "jks-of-two-thousand-million-entries": (lambda: jks(count=1 << 31), SHORT),
    "jks-key-of-megabytes": (lambda: jks(jks_key("a", bytes(LARGE))), "no private key is so large"),
    "jks-certificate-of-megabytes": (
        lambda: jks(jks_trusted(b"a", b"\x30" * LARGE)),
        f"up to {MAX_CERTIFICATE_BYTES} are accepted",
    ),
    "jks-alias-of-64-kilobytes": (lambda: jks(jks_trusted(b"a" * 65_535, b"no certificate")), "is none: it is no DER"),
    "jks-alias-of-several-lines": (
        lambda: jks(jks_trusted(b"a\n\x1b[31mb", b"no certificate")),
        r"'a\u000a\u001b[31mb'",
    ),
    "jks-alias-of-other-lines": (lambda: pfx(shrouded(der.sequence(der.oid("1.2.3")), alias="a\nb")), r"'a\u000ab'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_out_of_bounds_is_refused_soon_and_in_little_memory(name: str) -> None:
    make, said = REFUSED[name]
    found = measured(make())
    assert found.error is not None
    assert said in found.error[1]
    assert found.error[0].endswith("Error") and found.error[0] not in ("MemoryError", "RecursionError")
    assert found.seconds < SECONDS
    assert found.megabytes < MEGABYTES


#: How many entries are read, or what is said; and the seconds that it may take, several times what it took.
WITHIN: dict[str, tuple[Callable[[], bytes], int | str, float]] = {
    "as-many-iterations-as-are-allowed": (lambda: pfx(mac=mac_data(5_000_000)), "its MAC does not hold", 20),
    "as-many-as-are-allowed-in-all": (
        lambda: pfx(*(shrouded(pbes(DESEDE, 2_000_000), alias=str(each)) for each in range(20))),
        f"up to {derivation.MAX_TOTAL_ITERATIONS} are accepted",
        30,
    ),
    "more-keys-than-are-derived-for": (
        lambda: pfx(*[shrouded(pbes(DESEDE, 1), alias="k")] * 50_000),
        f"more than {derivation.MAX_DERIVATIONS} derivations",
        15,
    ),
    "as-many-values-as-ber-may-have": (lambda: BER + b"\x30\x80" + b"\4\0" * 2_000_000, "more than 1000000 values", 10),
    "as-much-rc2-as-is-allowed": (
        lambda: unsealed(der.sequence(encrypted_safe(pbes(RC2_40, 1), bytes(pbe.MAX_RC2_LENGTH)))),
        "does not decrypt the encrypted safe",
        5,
    ),
    "3des-of-many-megabytes": (
        lambda: unsealed(der.sequence(encrypted_safe(pbes(DESEDE, 1), bytes(LARGE)))),
        "does not decrypt the encrypted safe",
        15,
    ),
    "as-many-bags-as-are-allowed": (lambda: pfx(*[CRL] * reader.MAX_BAGS), 0, 10),
    "more-bags-than-are-allowed": (lambda: pfx(*[CRL] * (reader.MAX_BAGS + 1)), f"more than {reader.MAX_BAGS} bags", 10),
    "many-certificates-of-one-name": (
        lambda: pfx(
            key_bag(LEAF.pkcs8, "k", b"1"),
            cert_bag(LEAF.der, "k", b"1"),
            *(cert_bag(certificate(X, X, serial=der.integer(each), key=b"\x30\0")) for each in range(50_000)),
        ),
        1,
        15,
    ),
    "keys-and-certificates-of-one-id": (
        lambda: pfx(
            *(key_bag(LEAF.pkcs8, f"k{each}", b"1") for each in range(5_000)),
            *(cert_bag(certificate(X, named(b"y"), serial=der.integer(each)), f"c{each}", b"1") for each in range(5_000)),
        ),
        5_000,
        30,
    ),
    "a-circle": (
        lambda: pfx(
            key_bag(LEAF.pkcs8, "0", b"1"),
            *(cert_bag(certificate(named(b"%d" % each), named(b"%d" % ((each + 1) % 50))), str(each)) for each in range(50)),
        ),
        1,
        2,
    ),
    "something-to-remark-of-every-entry": (lambda: pfx(*(trusted(OTHER.der, f"A{each % 15_000}") for each in range(30_000))), 15_000, 20),
    "aliases-of-64-kilobytes": (
        lambda: jks(*(jks_trusted(b"%05d" % each + b"A" * 65_530, b"0") for each in range(500))),
        500,
        5,
    ),
    "a-serial-number-of-a-megabyte": (
        lambda: pfx(trusted(certificate(X, X, serial=der.encode(der.INTEGER, b"\1" * (MAX_CERTIFICATE_BYTES - 1000))))),
        1,
        2,
    ),
    "an-rsa-key-of-a-megabyte": (lambda: pfx(trusted(certificate(X, X, key=rsa((1 << 8_000_000) - 1)))), 1, 2),
    "an-rsa-exponent-as-large-as-its-modulus": (
        lambda: pfx(trusted(certificate(X, X, key=rsa((1 << 4_000_000) - 1, (1 << 4_000_000) - 3)))),
        1,
        2,
    ),
    "large-rsa-keys": (
        lambda: pfx(*(trusted(certificate(X, X, key=rsa((1 << 16_384) - 1)), str(each)) for each in range(1_000))),
        1_000,
        5,
    ),
    "a-name-of-thousands-of-parts": (lambda: pfx(trusted(certificate(named(*(b"%d" % each for each in range(50_000))), X))), 1, 5),
    "thousands-of-extensions": (
        lambda: pfx(
            trusted(
                certificate(
                    X,
                    X,
                    extensions=der.sequence(*(der.sequence(der.oid(f"1.2.3.{each}"), der.octet_string(b"")) for each in range(60_000))),
                )
            )
        ),
        1,
        5,
    ),
}


@pytest.mark.parametrize("name", WITHIN)
def test_what_is_within_all_bounds_ends_and_stays_small(name: str) -> None:
    make, expected, seconds = WITHIN[name]
    found = measured(make())
    if isinstance(expected, str):
        assert found.error is not None
        assert expected in found.error[1]
    else:
        assert (found.error, found.entries) == (None, expected)
        assert found.remarks < 40, "nobody reads so many"
    assert found.seconds < seconds
    assert found.megabytes < MEGABYTES


def test_a_process_that_takes_too_much_is_noticed() -> None:
    """The twin: the measure itself."""
    found = measured(pfx(*(trusted(OTHER.der, f"a{each}") for each in range(20_000))))
    assert found.entries == 20_000
    assert found.seconds > 0.2
    assert found.megabytes > 10
