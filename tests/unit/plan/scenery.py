# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems to plan for: certificates, what member_info would return of each host, and a system that has nothing left to do.

A test takes that system, changes what its case is about, and looks at the plan.
"""

from __future__ import annotations

import copy
import datetime
import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509 as crypto_x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.facts import entry_facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.build import build
from ansible_collections.mutual.tls.plugins.module_utils.plan.changes import Plan
from ansible_collections.mutual.tls.plugins.module_utils.plan.matrix import Matrix, matrix
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts, read_facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Adapter, System, read_system

#: Noon of today: the actions, and OpenSSL, go by the clock.
NOW = datetime.datetime.now(datetime.timezone.utc).replace(hour=12, minute=0, second=0, microsecond=0)
DAY = datetime.timedelta(days=1)
#: When the stores of a settled system were written, and when its processes started; seconds since the epoch.
WRITTEN, STARTED = 1000.0, 2000.0
PATH = "/opt/mz/keys"

BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


# --- certificates ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Identity:
    """A key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    #: DER
    certificate: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.certificate).hexdigest()

    def prove(self, name: str) -> str:
        return x509.prove_possession(self.key, name, self.certificate)

    @property
    def pem(self) -> bytes:
        """Key and certificate, as OpenSSL loads them."""
        private = self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return private + x509.der_to_pem(self.certificate).encode()


@functools.cache
def key(owner: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@functools.cache
def identity(
    owner: str,
    *,
    version: int = 1,
    key_version: int = 1,
    start: datetime.datetime = NOW - DAY,
    end: datetime.datetime = NOW + 800 * DAY,
    ca: bool | None = False,
    usages: Sequence[crypto_x509.ObjectIdentifier] | None = BOTH,
) -> Identity:
    """A self-signed identity, made by the cryptography package alone; *version* tells those apart that are else alike."""
    own = key(f"{owner} {key_version}")
    name = crypto_x509.Name([crypto_x509.NameAttribute(NameOID.COMMON_NAME, owner)])
    builder = (
        crypto_x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(own.public_key())
        .serial_number(version)
        .not_valid_before(start)
        .not_valid_after(end)
    )
    if ca is not None:
        builder = builder.add_extension(crypto_x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if usages is not None:
        builder = builder.add_extension(crypto_x509.ExtendedKeyUsage(usages), critical=False)
    return Identity(own, builder.sign(own, hashes.SHA256()).public_bytes(serialization.Encoding.DER))


# --- what a host says of itself --------------------------------------------------------------------------------------


def key_entry(alias: str, owner: Identity) -> dict[str, Any]:
    return entry_facts(PrivateKeyEntry(alias, x509.to_pkcs8(owner.key), (owner.certificate,)))


def trusted_entry(alias: str, owner: Identity) -> dict[str, Any]:
    return entry_facts(TrustedCertEntry(alias, owner.certificate))


def store(*entries: dict[str, Any], modified: float = WRITTEN) -> dict[str, Any]:
    """A keystore's facts; two with the same entries are the same file."""
    content = repr([(entry["alias"], entry["type"], entry["sha256"]) for entry in entries])
    return {
        "path": PATH,
        "present": True,
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
        "modified": modified,
        "entries": list(entries),
    }


def no_store() -> dict[str, Any]:
    return {"path": PATH, "present": False, "sha256": None, "modified": None, "entries": []}


def identity_wish(alias: str, **more: Any) -> dict[str, Any]:
    """The option identity of member_info, with its defaults, for the kind of key that is quick to make."""
    return {
        "alias": alias,
        "subject": None,
        "subject_alt_name": None,
        "key_type": "EC",
        "key_size": 2048,
        "curve": "secp256r1",
        "valid_for": "825d",
        "renew_before": "30d",
        "generation": 1,
        "certificate_content": None,
        "regenerate": "partial_idempotence",
        "csr": False,
        **more,
    }


# --- systems ---------------------------------------------------------------------------------------------------------


@functools.cache
def adapter_data() -> dict[str, Any]:
    """What the file of MediationZone's adapter says."""
    data: dict[str, Any] = yaml.safe_load((Path(__file__).parents[3] / "roles/product/vars/main/mediationzone.yml").read_text())
    data["product_mediationzone"]["client_auth_words"]["requested"] = "false"  # for the products that tests make of it
    plain = {"settings": data["product_mediationzone_settings"], "secrets": data["product_mediationzone_secrets"]}
    return {**data["product_mediationzone"], **plain}


def adapter(**more: Any) -> Adapter:
    """MediationZone's, from its own file; *more* makes another product of it."""
    return Adapter.from_dict({**copy.deepcopy(adapter_data()), **more})


def host(kind: str, address: str, *endpoints: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One host's variables in the inventory."""
    return {"mtls_kind": kind, "mtls_address": address, "mtls_endpoints": list(endpoints), **more}


def platform(address: str = "192.0.2.1", **more: Any) -> dict[str, Any]:
    return host("platform", address, {"name": "platform", "port": 6790}, **more)


def execution(address: str, name: str = "ec", **more: Any) -> dict[str, Any]:
    return host("execution", address, {"name": name, "port": 6791}, **more)


def client(address: str, **more: Any) -> dict[str, Any]:
    return host("client", address, **more)


def small() -> dict[str, dict[str, Any]]:
    """The inventory of most cases."""
    return {
        "platform1": platform(),
        "ec1": execution("192.0.2.2"),
        "ec2": execution("192.0.2.3"),
        "desktop1": client("192.0.2.5"),
    }


def read(inventory: Mapping[str, Mapping[str, Any]], **wishes: Any) -> System:
    """The system of an inventory; the wishes that count everywhere have their defaults."""
    product = wishes.pop("product", None) or adapter()
    return read_system(inventory, product, **{"trust_model": "pairwise", "client_auth": "required", "revoked": (), **wishes})


class Scene:
    """A system with what was measured of each member, which a test may change before it asks for the plan."""

    def __init__(self, inventory: Mapping[str, Mapping[str, Any]] | None = None, **wishes: Any) -> None:
        self.system = read(small() if inventory is None else inventory, **wishes)
        #: Name -> what member_info returned; None where the host was not reached.
        self.measured: dict[str, dict[str, Any] | None] = {}
        #: Name -> why the host was not reached, where that was tried.
        self.failures: dict[str, str] = {}
        self._settle()

    def __getitem__(self, name: str) -> dict[str, Any]:
        """What was measured of a member, to be changed."""
        found = self.measured[name]
        assert found is not None, f"{name} was not reached"
        return found

    @property
    def facts(self) -> dict[str, Facts]:
        return {name: read_facts(data, failure=self.failures.get(name)) for name, data in self.measured.items()}

    def plan(self, facts: Mapping[str, Facts] | None = None, **more: Any) -> Plan:
        return build(self.system, self.facts if facts is None else facts, NOW, **more)

    def matrix(self, facts: Mapping[str, Facts] | None = None) -> Matrix:
        return matrix(self.system, self.facts if facts is None else facts)

    def present(self, name: str, presented: Identity, proof: str | None = None) -> None:
        """Give a member another identity, and the proof of possession that it can make unless the case says otherwise."""
        member = self.system.members[name]
        others = [entry for entry in self[name]["store"]["entries"] if entry["type"] == "trusted_cert"]
        self[name]["store"] = store(key_entry(member.alias, presented), *others)
        self[name]["proof"] = presented.prove(name) if proof is None else proof

    def trust(self, name: str, alias: str, trusted: Identity) -> None:
        """Put a certificate into a member's store."""
        entries = [entry for entry in self[name]["store"]["entries"] if entry["alias"] != alias]
        self[name]["store"] = store(*entries, trusted_entry(alias, trusted))

    def forget(self, name: str, alias: str) -> None:
        """Take an entry out of a member's store."""
        self[name]["store"] = store(*(entry for entry in self[name]["store"]["entries"] if entry["alias"] != alias))

    def lose(self, *names: str, failure: str | None = None) -> None:
        """Members that were not reached: outside of --limit, or down if there is a *failure*."""
        for name in names:
            self.measured[name] = None
            if failure is not None:
                self.failures[name] = failure

    def _settle(self) -> None:
        """Everything as it is after a run: who trusts whom is written out here, and not asked of what is tested."""
        system, shared = self.system, self.system.trust_model == "shared"
        members = [member for member in system.members.values() if not member.revoked]
        platforms = [member for member in members if member.kind == "platform"]
        source = platforms[0]

        def presents(name: str) -> str:
            """Whose identity a member presents."""
            return name if not shared or system.members[name].kind == "client" else source.name

        stores = {}
        for member in system.members.values():
            if presents(member.name) != member.name:
                continue
            whom = [other for other in (members if member.kind == "platform" else platforms) if other.name != member.name]
            trusted = [trusted_entry(other.alias, identity(other.name)) for other in whom if presents(other.name) == other.name]
            stores[member.name] = store(key_entry(member.alias, identity(member.name)), *trusted)
        for member in system.members.values():
            owner = presents(member.name)
            asks = "required" if system.client_auth == "required" else "not_required"
            servers = members if member.kind == "platform" else platforms
            has_settings = member.kind in ("platform", "execution", "service")
            self.measured[member.name] = {
                "store": copy.deepcopy(stores[owner]),
                "proof": identity(owner).prove(member.name),
                "identity_wish": identity_wish(member.alias),
                "settings": self.settings(system.members[owner].alias) if has_settings else None,
                "endpoints": [
                    {
                        "name": endpoint.name,
                        "listening": endpoint.port is not None,
                        "tls": endpoint.port is not None,
                        "served_sha256": identity(owner).sha256 if endpoint.port is not None else None,
                        "served_pem": x509.der_to_pem(identity(owner).certificate) if endpoint.port is not None else None,
                        "started": STARTED if endpoint.port is not None else None,
                    }
                    for endpoint in member.endpoints
                ],
                "observed": [
                    {"server": server.name, "endpoint": endpoint.name, "asks": asks}
                    for server in ([] if member.revoked else servers)
                    for endpoint in server.endpoints
                    if server.name != member.name and endpoint.port is not None
                ],
            }

    def settings(self, key_alias: str) -> dict[str, Any]:
        values = {
            "pico.rcp.tls.keystore": PATH,
            "pico.rcp.tls.keystore.alias": key_alias,
            "pico.rcp.tls.require_clientauth": "true" if self.system.client_auth == "required" else "false",
        }
        return {"values": values, "secret_changes": []}


def changes(plan: Plan) -> set[tuple[str, str, str, str]]:
    """The changes of a plan without their reasons."""
    return {(change.member, change.what, change.subject, change.action) for change in plan.changes}


def reasons(plan: Plan, member: str, what: str) -> list[str]:
    """Why a member's entries, settings or processes change."""
    return [change.reason for change in plan.changes if (change.member, change.what) == (member, what)]
