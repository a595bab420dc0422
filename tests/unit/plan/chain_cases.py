# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table of identities that are presented to a keystore, bad ones and good ones, each with the rule that it breaks.

`tests/unit/plan/test_verification.py` holds our verdicts against the table, and `tests/interop/test_proof_and_reality.py` holds them
against Java and OpenSSL. A bad case names its good twin, which differs from it in the one thing that the case is about.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import inspect
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.mutual.tls.plugins.module_utils import der, pkcs12
from ansible_collections.mutual.tls.plugins.module_utils import jks as jks_codec
from ansible_collections.mutual.tls.plugins.module_utils.entries import Contents, Entry, PrivateKeyEntry, Protection, TrustedCertEntry

from ..factory import PASSWORD, QUICK_ENCRYPTION, QUICK_MAC, Issued

#: Judges go by the clock of the machine.
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
VALID = (NOW - 10 * DAY, NOW + 100 * DAY)
EXPIRED = (NOW - 10 * DAY, NOW - DAY)
FUTURE = (NOW + DAY, NOW + 10 * DAY)

SERVER, CLIENT, ANY = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
CODE = ExtendedKeyUsageOID.CODE_SIGNING
BOTH = (SERVER, CLIENT)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")


# --- certificates ----------------------------------------------------------------------------------------------------


_CURVES = {
    curve.name: curve for curve in (ec.SECP192R1, ec.SECP224R1, ec.SECP256R1, ec.SECP384R1, ec.SECP521R1, ec.SECP256K1, ec.BrainpoolP256R1)
}


@functools.cache
def key(name: str, kind: str = "secp256r1") -> Any:
    """One key for each *name*; the *kind* is RSA with its size, DSA, Ed25519 or a curve."""
    if kind.startswith("RSA"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(kind[3:] or 2048))
    if kind == "DSA":
        return dsa.generate_private_key(2048)
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(_CURVES[kind]())


def usage(*names: str) -> x509.KeyUsage:
    """The usages of these names alone."""
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
    )
    return x509.KeyUsage(**{each: each in names for each in every}, encipher_only=False, decipher_only=False)


def dn(*common_names: str, organization: str | None = None) -> x509.Name:
    """A subject, the most specific part last."""
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization is not None else []
    return x509.Name([*parts, *(x509.NameAttribute(NameOID.COMMON_NAME, each) for each in common_names)])


def identified(key: Any) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def by_key(key: Any) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def make(
    common_name: str,
    by: Issued | None = None,
    *,
    kind: str = "secp256r1",
    own: Any = None,
    ca: bool | None = False,
    path_length: int | None = None,
    key_usage: x509.KeyUsage | None = None,
    usages: Sequence[x509.ObjectIdentifier] | None = BOTH,
    usages_critical: bool = False,
    valid: tuple[datetime.datetime, datetime.datetime] = VALID,
    names: Sequence[x509.GeneralName] = (),
    constraints: x509.NameConstraints | None = None,
    more: Sequence[x509.ExtensionType] = (),
    critical: Sequence[x509.ExtensionType] = (),
    digest: Any = None,
    weak_digest: str | None = None,
    issuer_name: x509.Name | None = None,
    subject: x509.Name | None = None,
    signer: Any = None,
    pss: bool = False,
) -> Issued:
    """A certificate, signed *by* another or by itself; what is None is left out."""
    own = own if own is not None else key("anybody" if kind.startswith(("RSA", "DSA")) else common_name, kind)  # slow to make
    signer = signer if signer is not None else by.key if by is not None else own
    subject = subject or dn(common_name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name or (by.certificate.subject if by is not None else subject))
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    if key_usage is not None:
        builder = builder.add_extension(key_usage, critical=True)
    if usages is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=usages_critical)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(names)), critical=False)
    if constraints is not None:
        builder = builder.add_extension(constraints, critical=True)
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    for extension in critical:
        builder = builder.add_extension(extension, critical=True)
    chosen = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256() if weak_digest else digest or hashes.SHA256()
    scheme = {"rsa_padding": padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)} if pss else {}
    made = builder.sign(signer, chosen, **scheme).public_bytes(serialization.Encoding.DER)
    return Issued(own, _rewritten(made, signer, weak_digest) if weak_digest else made, by.chain if by is not None else ())


def authority(common_name: str, by: Issued | None = None, **options: Any) -> Issued:
    """A CA's certificate."""
    given = {"ca": True, "usages": None, "key_usage": usage("key_cert_sign", "crl_sign"), **options}
    return make(common_name, by, **given)


#: Weak digest -> the OID of its signature with RSA, and what stands before it in one (RFC 8017 section 9.2). The cryptography package
#: makes no such certificates any more.
_WEAK = {
    "md5": ("1.2.840.113549.1.1.4", "3020300c06082a864886f70d020505000410"),
    "sha1": ("1.2.840.113549.1.1.5", "3021300906052b0e03021a05000414"),
}


def _rewritten(certificate: bytes, signer: Any, weak_digest: str | None = None, *, version: int = 3) -> bytes:
    """The certificate signed anew with a *weak_digest* (by an RSA key), or as one of *version* 1, which knows no extensions."""
    to_be_signed, algorithm, _signature = (part.raw for part in der.parts(certificate, "a certificate", 3, 3))
    fields = [field.raw for field in der.parts(der.single(to_be_signed, der.SEQUENCE, "it"), "a certificate", 6, 10)]
    if weak_digest is not None:
        old, algorithm = algorithm, der.sequence(der.oid(_WEAK[weak_digest][0]), der.encode(0x05, b""))
        fields = [algorithm if field == old else field for field in fields]
    if version == 1:
        fields = [field for field in fields if field[0] not in (0xA0, 0xA3)]
    body = der.sequence(*fields)
    if weak_digest is not None:
        size, numbers = signer.key_size // 8, signer.private_numbers()
        digest = bytes.fromhex(_WEAK[weak_digest][1]) + hashlib.new(weak_digest, body).digest()
        padded = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
        signature = pow(int.from_bytes(padded, "big"), numbers.d, numbers.public_numbers.n).to_bytes(size, "big")
    else:
        signature = signer.sign(body, ec.ECDSA(hashes.SHA256()))
    return der.sequence(body, algorithm, der.encode(0x03, b"\0" + signature))


def version_1(issued: Issued, by: Issued | None = None) -> Issued:
    """As certificates were before 1996: without extensions; signed by an EC key."""
    return issued._replace(der=_rewritten(issued.der, (by or issued).key, version=1))


def with_chain(leaf: Issued, *above: Issued) -> Issued:
    """The leaf with these certificates after it."""
    return leaf._replace(above=tuple(each.der for each in above))


# --- the table -------------------------------------------------------------------------------------------------------

SAME = "the server's"


@dataclass(frozen=True)
class Case:
    """One identity, and what the store that it is shown to trusts."""

    presented: Issued
    #: Certificates, DER.
    anchors: tuple[bytes, ...]
    #: The rule by which it is refused as a server, and as a client; empty where it is accepted.
    server: str
    client: str
    #: The name of the good case beside it.
    twin: str | None
    #: Only a JKS file keeps a chain as it was given.
    format: str
    #: The name by which a client reaches the server, where it checks that.
    host: str | None
    oldest_java: int

    def rule(self, side: str) -> str:
        return self.server if side == "server" else self.client

    @property
    def sides(self) -> tuple[str, ...]:
        """Which sides may present it: clients have no host names to check."""
        return ("server", "client") if self.host is None else ("server",)


def store_of(alias: str, own: Issued, trusted: Sequence[bytes], store_format: str = "pkcs12") -> bytes:
    """A keystore with one key, under PASSWORD, protected so that it opens quickly."""
    quick = Protection(QUICK_MAC, QUICK_ENCRYPTION, QUICK_ENCRYPTION)
    entries: list[Entry] = [PrivateKeyEntry(alias, own.pkcs8, own.chain)]
    entries.extend(TrustedCertEntry(f"trusted {number}", each) for number, each in enumerate(trusted))
    contents = Contents(entries=tuple(entries), protection=quick, format=store_format)
    if store_format == "jks":
        return jks_codec.write(contents, PASSWORD, now=0)
    return pkcs12.write(contents, PASSWORD, quick, now=0)


class _Table:
    def __init__(self) -> None:
        self.cases: dict[str, Case] = {}

    def add(
        self,
        name: str,
        presented: Issued,
        *anchors: Issued,
        server: str = "",
        client: str = SAME,
        twin: str | None = None,
        store_format: str = "pkcs12",
        host: str | None = None,
        oldest_java: int = 11,
    ) -> None:
        """A case; the client's side is as the server's unless it is said."""
        assert name not in self.cases
        client = server if client is SAME else client
        ders = tuple(each.der for each in anchors)
        self.cases[name] = Case(presented, ders, server, client, twin, store_format, host, oldest_java)

    def itself(self, name: str, *, anchors: Sequence[Issued] | None = None, signs: Issued | None = None, **options: Any) -> None:
        """A leaf that is trusted itself; options are those of a case, and of the certificate."""
        mine = {each: options.pop(each) for each in ("server", "client", "twin", "host", "oldest_java") if each in options}
        leaf = make(options.pop("name", "member"), signs, **options)
        self.add(name, leaf, leaf, *(anchors or ()), **mine)

    def below(self, name: str, issuer: Issued, anchor: Issued | None = None, **options: Any) -> None:
        """A leaf below an anchor, which is its issuer unless another is named."""
        mine = {each: options.pop(each) for each in ("server", "client", "twin", "host", "oldest_java") if each in options}
        self.add(name, make(options.pop("name", "member"), issuer, **options), anchor or issuer, **mine)


def _trusted_itself(table: _Table) -> None:
    """Java takes these as they are; OpenSSL judges dates and usages."""
    add, good = table.itself, "a leaf that is trusted itself"
    add(good)
    table.add("nobody trusts the leaf", make("member"), server="untrusted", twin=good)
    table.add("another key of the same name is trusted", make("member"), make("member", own=key("another")), server="untrusted", twin=good)
    table.add("another certificate for the same key is trusted", make("member"), make("member"), server="untrusted", twin=good)
    leaf = make("member")
    table.add("the leaf is trusted beside another key of its name", leaf, make("member", own=key("another")), leaf)
    add("an expired leaf", valid=EXPIRED, server="expired", twin=good)
    add("a leaf of the future", valid=FUTURE, server="not_yet_valid", twin=good)
    add("a leaf for servers", usages=(SERVER,), client="extended_key_usage", twin=good)
    add("a leaf for clients", usages=(CLIENT,), server="extended_key_usage", client="", twin=good)
    add("a leaf for code", usages=(CODE,), server="extended_key_usage", twin=good)
    add("a leaf for anything", usages=(ANY,), server="extended_key_usage", twin=good)
    add("a leaf for what nobody said", usages=None)
    add("a leaf that may sign", key_usage=usage("digital_signature"))
    for kind, algorithm in (("secp256r1", "EC"), ("RSA", "RSA")):
        server = "key_usage" if algorithm == "EC" else ""
        add(f"a leaf with {algorithm} that may encipher", kind=kind, key_usage=usage("key_encipherment"), server=server, client="key_usage",
            twin="a leaf that may sign")  # fmt: skip
        add(f"a leaf with {algorithm} that may agree", kind=kind, key_usage=usage("key_agreement"), server=server, client="",
            twin="a leaf that may sign")  # fmt: skip
    add("a leaf that may sign certificates only", key_usage=usage("key_cert_sign"), server="key_usage", twin="a leaf that may sign")
    add("a leaf that is a CA", ca=True)
    add("a leaf without basic constraints", ca=None)
    add("a leaf with RSA 2048", kind="RSA2048")
    add("a leaf with RSA 1024", kind="RSA1024", server="key_size", twin="a leaf with RSA 2048")
    for curve in ("secp384r1", "secp521r1"):
        add(f"a leaf on {curve}", kind=curve)
    for curve in ("secp192r1", "secp224r1", "secp256k1", "brainpoolP256r1"):
        add(f"a leaf on {curve}", kind=curve, server="key_type", twin=good)
    add("a leaf with DSA", kind="DSA", server="key_type", twin=good)
    add("a leaf with Ed25519", kind="Ed25519", server="key_type", twin=good)
    add("a leaf with Ed25519, for newer Javas", kind="Ed25519", oldest_java=15)
    for digest in ("md5", "sha1"):
        add(f"a leaf that signs itself with {digest}", kind="RSA2048", weak_digest=digest)
    add("a leaf with a critical extension", critical=[UNKNOWN], server="critical_extension", twin=good)
    add("a leaf with an extension", more=[UNKNOWN])
    old = version_1(make("member"))
    table.add("a leaf of version 1", old, old)


def _trusted_and_issued(table: _Table) -> None:
    """A Java server names the subjects of its anchors, and a Java client presents only what those issued."""
    root = authority("root")
    good = "an issued leaf that is trusted beside its issuer"
    table.itself(good, signs=root, anchors=[root])
    table.itself("an issued leaf that is trusted itself", signs=root, client="not_asked_for", twin=good)
    table.itself("an issued leaf beside its expired issuer", signs=root, anchors=[authority("root", valid=EXPIRED)], server="expired",
                 twin=good)  # fmt: skip
    table.itself("an issued leaf beside another of its issuer's name", signs=root, anchors=[authority("root", own=key("another"))],
                 server="signature", twin=good)  # fmt: skip
    rsa_root = authority("root with RSA", kind="RSA2048")
    table.itself("an issued leaf signed with sha1", signs=rsa_root, weak_digest="sha1", server="digest", twin=good)


def _chains(table: _Table) -> None:
    """What lies between a leaf and an anchor."""
    root = authority("root")
    between = authority("between", root)
    good, longer = "a leaf below a root", "a leaf below two CAs"
    leaf = make("member", between)
    table.below(good, root)
    table.add("a leaf below a root that is not sent", with_chain(make("member", root)), root)
    table.add(longer, leaf, root)
    table.add("the CA between is missing", with_chain(leaf), root, server="untrusted", twin=longer)
    table.add("the CA between is trusted and not sent", with_chain(leaf), root, between)
    table.add("only the CA between is trusted", leaf, between)
    table.add("a chain in the wrong order", with_chain(leaf, root, between), root, store_format="jks")
    table.add("a chain with a stranger in it", with_chain(leaf, authority("stranger"), between), root, store_format="jks")
    weak = authority("weak stranger", kind="RSA1024")
    table.add("a chain with a weak stranger in it", with_chain(leaf, weak, between), root, store_format="jks", server="key_size",
              twin="a chain with a stranger in it")  # fmt: skip
    table.below("a forged leaf", root, signer=key("forger"), server="signature", twin=good)
    table.below("a leaf of another root of the same name", root, authority("root", own=key("another")), server="signature", twin=good)
    table.below("an issuer's name in capitals", root, issuer_name=dn("ROOT"))
    renewed = authority("root", valid=EXPIRED)
    table.below("a root that was renewed", renewed, root)
    table.below("a CA between that was renewed", authority("between", root, valid=EXPIRED), root, server="expired", twin=longer)
    named = authority("root with key id", own=key("root with key id"), more=[identified(key("root with key id"))])
    table.below("the issuer's key id", named, more=[by_key(named.key)])
    table.below("another key id", named, more=[by_key(root.key)], server="untrusted", twin="the issuer's key id")


def _leaves(table: _Table) -> None:
    """What a leaf below an anchor says of itself."""
    root, good = authority("root"), "a leaf below a root"
    rsa_root = authority("root with RSA", kind="RSA2048")

    def add(name: str, issuer: Issued = root, twin: str | None = good, **options: Any) -> None:
        table.below(f"below a root: {name}", issuer, twin=twin if options.get("server") or options.get("client") else None, **options)

    add("expired", valid=EXPIRED, server="expired")
    add("of the future", valid=FUTURE, server="not_yet_valid")
    add("for servers", usages=(SERVER,), client="extended_key_usage")
    add("for clients", usages=(CLIENT,), server="extended_key_usage", client="")
    add("for anything", usages=(ANY,), server="extended_key_usage")
    add("for what nobody said", usages=None)
    add("may sign", key_usage=usage("digital_signature"))
    add("may encipher", kind="RSA2048", key_usage=usage("key_encipherment"), server="key_usage", twin="below a root: may sign")
    add("may agree", key_usage=usage("key_agreement"), server="key_usage", twin="below a root: may sign")
    add("critical extension", critical=[UNKNOWN], server="critical_extension")
    add("critical alternative name", critical=[x509.SubjectAlternativeName([x509.DNSName("member.test")])])
    add("RSA 1024", kind="RSA1024", server="key_size")
    add("Ed25519", kind="Ed25519", server="key_type")
    add("a CA", ca=True)
    add("sha256", rsa_root)
    add("sha512", rsa_root, digest=hashes.SHA512())
    if "rsa_padding" in inspect.signature(x509.CertificateBuilder.sign).parameters:  # from cryptography 41 on
        add("PSS", rsa_root, pss=True)
    for digest in ("md5", "sha1"):
        add(digest, rsa_root, weak_digest=digest, server="digest", twin="below a root: sha256")
    add("sha224", rsa_root, digest=hashes.SHA224(), server="digest", twin="below a root: sha256")


def _authorities(table: _Table) -> None:
    """What the CAs above a leaf say of themselves: the one between, and the anchor."""
    root, rsa_root = authority("root"), authority("root with RSA", kind="RSA2048")

    def between(name: str, issuer: Issued = root, **options: Any) -> None:
        made = {each: options.pop(each) for each in ("server", "client") if each in options}
        table.below(
            f"between: {name}", authority("between", issuer, **options), issuer, twin="a leaf below two CAs" if made else None, **made
        )

    def anchor(name: str, change: Callable[[Issued], Issued] = lambda made: made, **options: Any) -> None:
        made = {each: options.pop(each) for each in ("server", "client") if each in options}
        table.below(f"anchor: {name}", change(authority("anchor", **options)), twin="a leaf below a root" if made else None, **made)

    for place in (between, anchor):
        place("expired", valid=EXPIRED, server="expired")
        place("CA:FALSE", ca=False, server="not_a_ca")
        place("no basic constraints", ca=None, server="not_a_ca")
        place("may not sign certificates", key_usage=usage("digital_signature"), server="key_cert_sign")
        place("no key usage", key_usage=None)
        place("critical extension", critical=[UNKNOWN], server="critical_extension")
        place("for servers", usages=(SERVER,), client="extended_key_usage")
        place("for clients", usages=(CLIENT,), server="extended_key_usage", client="")
        place("RSA 1024", kind="RSA1024", server="key_size")
        place("on secp224r1", kind="secp224r1", server="key_type")
        place("Ed25519", kind="Ed25519", server="key_type")
    between("sha1", rsa_root, weak_digest="sha1", server="digest")
    anchor("signs itself with sha1", kind="RSA2048", weak_digest="sha1")
    anchor("version 1", change=version_1)
    short = authority("short", root, path_length=0)
    table.below("between: no CA may follow", short, root)
    table.below("between: a CA follows that may not", authority("between", short), root, server="path_length",
                twin="between: no CA may follow")  # fmt: skip
    top = authority("top", path_length=0)
    table.below("anchor: no CA may follow", top)
    table.below("anchor: a CA follows that may not", authority("between", top), top, server="path_length", twin="anchor: no CA may follow")
    demand = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None)
    policy = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.4"), None)])
    strict = authority("strict", root, critical=[demand], more=[policy])
    table.below("between: a policy that the leaf has", strict, root, more=[policy])
    table.below("between: a policy that the leaf has not", strict, root, server="policy", twin="between: a policy that the leaf has")


def _constraints(table: _Table) -> None:
    """Names that a CA allows, of each kind; then the same for one that is the anchor."""
    root = authority("root")
    dns, organization = x509.DNSName("a.test"), x509.DirectoryName(dn(organization="A"))
    network, address = x509.IPAddress(ipaddress.ip_network("192.0.2.0/24")), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))
    limits = {
        "host": x509.NameConstraints([dns], None),
        "not host": x509.NameConstraints(None, [dns]),
        "subject": x509.NameConstraints([organization], None),
        "address": x509.NameConstraints([network], None),
        "mailbox": x509.NameConstraints([x509.RFC822Name("a.test")], None),
    }

    def add(kind: str, name: str, rule: str, twin: str | None = None, anchor: bool = False, **options: Any) -> None:
        ca = authority(f"limited {kind}", None if anchor else root, constraints=limits[kind])
        where = "anchor" if anchor else "between"
        table.below(f"constraints, {where}: {kind} {name}", ca, ca if anchor else root, server=rule,
                    twin=f"constraints, {where}: {kind} {twin}" if twin else None, **options)  # fmt: skip

    wrong = "name_constraints"
    for anchor in (False, True):
        add("host", "inside", "", anchor=anchor, names=[x509.DNSName("x.a.test")])
        add("host", "outside", wrong, "inside", anchor, names=[x509.DNSName("x.b.test")])
    add("host", "in no name but the common one", wrong, "inside")
    add("host", "in no name but the common one", "", anchor=True)
    add("host", "outside, as the common name", wrong, "inside", anchor=True, subject=dn("x.b.test"))
    add("not host", "outside", "", names=[x509.DNSName("x.b.test")])
    add("not host", "inside", wrong, "outside", names=[x509.DNSName("x.a.test")])
    add("subject", "inside", "", subject=dn("member", organization="a"))
    add("subject", "outside", wrong, "inside", subject=dn("member", organization="B"))
    add("address", "inside", "", names=[address], subject=dn(organization="A"))
    add("address", "outside", wrong, "inside", names=[x509.IPAddress(ipaddress.ip_address("192.0.3.1"))], subject=dn(organization="A"))
    add("mailbox", "inside", "", names=[x509.RFC822Name("u@a.test")])
    add("mailbox", "outside", wrong, "inside", names=[x509.RFC822Name("u@b.test")])


def _hosts(table: _Table) -> None:
    """The server's name, where the product checks it."""

    def add(name: str, host: str, rule: str = "", twin: str | None = None, **options: Any) -> None:
        table.itself(f"host: {name}", host=host, server=rule, twin=f"host: {twin}" if twin else None, **options)

    named = {"names": [x509.DNSName("h.a.test")]}
    add("the name", "h.a.test", **named)
    add("the name in capitals", "H.A.TEST", **named)
    add("another name", "g.a.test", "host_name", "the name", **named)
    add("the name with a dot at its end", "h.a.test.", "host_name", "the name", **named)
    add("a wildcard", "h.a.test", names=[x509.DNSName("*.a.test")])
    add("a wildcard of one label", "h.test", "host_name", "a wildcard", names=[x509.DNSName("*.test")])
    add("a wildcard in a label", "h.a.test", "host_name", "a wildcard", names=[x509.DNSName("h*.a.test")])
    add("a wildcard for two labels", "g.h.a.test", "host_name", "a wildcard", names=[x509.DNSName("*.a.test")])
    add("the common name", "h.a.test", subject=dn("h.a.test"))
    add(
        "the common name beside a name",
        "h.a.test",
        "host_name",
        "the common name",
        subject=dn("h.a.test"),
        names=[x509.DNSName("g.a.test")],
    )
    add("the less specific common name", "h.a.test", "host_name", "the common name", subject=dn("h.a.test", "g.a.test"))
    add("the address", "192.0.2.1", names=[x509.IPAddress(ipaddress.ip_address("192.0.2.1"))])
    add("the address as a name", "192.0.2.1", "host_name", "the address", names=[x509.DNSName("192.0.2.1")])


@functools.cache
def table() -> dict[str, Case]:
    """All cases by name."""
    made = _Table()
    for part in (_trusted_itself, _trusted_and_issued, _chains, _leaves, _authorities, _constraints, _hosts):
        part(made)
    return made.cases
