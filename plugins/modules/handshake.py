#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mutual.tls.handshake."""

from __future__ import annotations

DOCUMENTATION = r"""
module: handshake
short_description: Make TLS handshakes and tell who is accepted, who is refused and why
version_added: 0.1.0
description:
  - Makes a list of handshakes from this host, all in one execution, and fails when one of them does not end as expected.
  - It reads on after the handshake, because with TLS 1.3 a refused client sees its own handshake succeed before the refusal comes.
  - A private key is never on disk unencrypted, not for a moment. The ciphers, versions and security level are those of the host's OpenSSL.
author:
  - mutual.tls contributors (@mutual-tls)
requirements:
  - cryptography >= 3.3 on the managed host
extends_documentation_fragment:
  - mutual.tls.attributes
  - mutual.tls.attributes.info
options:
  keystore:
    description:
      - The store of the member that makes the handshakes. From it come the identity and the trust of all probes.
      - It can be left out when O(trust_content) is given and no probe presents it.
    type: dict
    suboptions:
      path:
        description: The keystore's file.
        type: path
        required: true
      password:
        description: Opens the store.
        type: str
        required: true
      old_password:
        description: What opens the store until a change of its password is carried out.
        type: str
      alias:
        description: The private key to present. It can be left out when the store has only one.
        type: str
  trust_content:
    description:
      - PEM certificates to trust instead of the store's. Each is an anchor by itself, whether it is a CA's or a server's own.
      - Without it the store's trusted entries are trusted, and the leaf certificates of its private keys, as Java does it.
    type: list
    elements: str
  probes:
    description: The handshakes to make.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the handshake is called in results and errors. Each name is given once.
        type: str
        required: true
      host:
        description: The server's name or address.
        type: str
        required: true
      port:
        description: The server's port.
        type: int
        required: true
      server_name:
        description: The name or address that the server's certificate must have. Without it names are not checked.
        type: str
      source_address:
        description: The address of this host to connect from.
        type: str
      present:
        description:
          - V(keystore) presents the store's identity, V(nothing) no certificate.
          - V(stranger) presents a certificate made for the occasion that nobody can trust; its common name is that of the store's
            identity, so that it takes the member's name.
        type: str
        choices: [keystore, nothing, stranger]
        default: keystore
      expect:
        description:
          - How the handshake must end.
          - Only a server that saw what was presented can refuse it. A server that is down, that we do not trust, or that
            shares no protocol with us satisfies neither value.
        type: str
        choices: [accepted, refused]
        default: accepted
      send:
        description:
          - What to write to a server that accepted, such as C("GET / HTTP/1.0\r\n\r\n").
          - nginx completes the handshake of any client and refuses in its HTTP answer. It is recognized, if a request is sent.
        type: str
      timeout:
        description: Seconds for the connection, and as many for the handshake.
        type: int
        default: 10
  report_only:
    description: Return what was found instead of failing when a handshake does not end as expected.
    type: bool
    default: false
  settle:
    description:
      - Seconds to wait after a TLS 1.3 handshake for a server that says nothing; it has accepted when it then still stays.
      - Servers that say something (a ticket, as most do, an alert or data) are not waited for. Give a server more that may need longer
        to look at a certificate, because it asks somebody else about it or has just started.
    type: float
    default: 1.0
  workers:
    description: How many handshakes are made at a time.
    type: int
    default: 16
"""

EXAMPLES = r"""
- name: The platform accepts this container, and nobody else
  mutual.tls.handshake:
    keystore:
      path: /opt/mz/keys
      password: "{{ vault_keystore_password }}"
    probes:
      - name: ec1-to-platform
        host: platform.example.test
        port: 6790
      - name: nobody-to-platform
        host: platform.example.test
        port: 6790
        present: nothing
        expect: refused
      - name: stranger-to-platform
        host: platform.example.test
        port: 6790
        present: stranger
        expect: refused

- name: A web server that refuses in HTTP
  mutual.tls.handshake:
    trust_content:
      - "{{ lookup('ansible.builtin.file', 'ca.pem') }}"
    probes:
      - name: nobody-to-console
        host: console.example.test
        port: 443
        server_name: console.example.test
        present: nothing
        expect: refused
        send: "GET / HTTP/1.0\r\n\r\n"
"""

RETURN = r"""
results:
  description: How each handshake ended, in the order of O(probes).
  returned: always, once the handshakes were made
  type: list
  elements: dict
  contains:
    name:
      description: The probe's name.
      type: str
      sample: ec1-to-platform
    host:
      description: The server's name or address.
      type: str
    port:
      description: The server's port.
      type: int
    present:
      description: What was presented.
      type: str
    expect:
      description: What was expected.
      type: str
    outcome:
      description:
        - V(accepted) or V(refused); V(not_tls) when the host answered, or hung up, without TLS; V(unreachable) when there was no
          connection, or no answer in time.
      type: str
    refused_by:
      description: V(server), or V(client) when the server was not accepted by us.
      type: str
    as_expected:
      description: Whether it ended as expected.
      type: bool
    reason:
      description: The alert's own name (RFC 8446, section 6), the verifier's own words, or how the connection ended.
      type: str
      sample: certificate_required
    protocol:
      description: The protocol's version.
      type: str
      sample: TLSv1.3
    cipher:
      description: The cipher suite.
      type: str
      sample: TLS_AES_256_GCM_SHA384
    peer_sha256:
      description: The fingerprint of the server's certificate, where it was seen.
      type: str
    peer_certificate:
      description: The server's certificate as PEM, where it was seen.
      type: str
unexpected:
  description: The names of the handshakes that did not end as expected.
  returned: always, once the handshakes were made
  type: list
  elements: str
"""

from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual.tls.plugins.module_utils import keystore, x509
from ansible_collections.mutual.tls.plugins.module_utils.edge import run
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PeerError, StoreError
from ansible_collections.mutual.tls.plugins.module_utils.tls.identity import Identity, common_name_of, stranger
from ansible_collections.mutual.tls.plugins.module_utils.tls.probes import Outcome, Probe, probe_all, probe_options


@dataclass(frozen=True)
class Party:
    """Who makes the handshakes."""

    identity: Identity | None
    trusted: list[bytes]


def argument_spec() -> dict[str, Any]:
    """What the module takes."""
    return {
        "keystore": {
            "type": "dict",
            "no_log": False,  # its password is masked, its path is wanted in messages
            "options": {
                "path": {"type": "path", "required": True},
                "password": {"type": "str", "required": True, "no_log": True},
                "old_password": {"type": "str", "no_log": True},
                "alias": {"type": "str"},
            },
        },
        "trust_content": {"type": "list", "elements": "str"},
        "probes": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": probe_options(["keystore", "nothing", "stranger"], default="keystore"),
        },
        "report_only": {"type": "bool", "default": False},
        "settle": {"type": "float", "default": 1.0},
        "workers": {"type": "int", "default": 16},
    }


def check(params: dict[str, Any]) -> None:
    """Refuse what an argument specification cannot say."""
    names = [wish["name"] for wish in params["probes"]]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"'probes' has more than one probe with the name {', '.join(repeated)}; each name is given once.")
    if params["workers"] < 1:
        raise InputError(f"'workers' is {params['workers']}; at least 1 is needed.")
    for wish in params["probes"]:
        if not 0 < wish["port"] < 65536:
            raise InputError(f"The probe '{wish['name']}' has the port {wish['port']}; ports are 1 to 65535.")
        if wish["timeout"] < 1:
            raise InputError(f"The probe '{wish['name']}' has a timeout of {wish['timeout']} s; at least 1 is needed.")
    presenting = [wish["name"] for wish in params["probes"] if wish["present"] == "keystore"]
    if params["keystore"] is None and presenting:
        raise InputError(f"'keystore' is needed: the probe '{presenting[0]}' presents its identity. 'present: nothing' needs none.")
    if params["keystore"] is None and params["trust_content"] is None:
        raise InputError("'keystore' or 'trust_content' is needed: they say which servers are trusted.")


def party(params: dict[str, Any]) -> Party:
    """The identity and trust that the options give."""
    wanted = params["keystore"]
    store = keystore.open_store(wanted["path"], wanted["password"], wanted["old_password"]) if wanted else None
    identity = None
    if store is not None:
        needed = wanted["alias"] is not None or any(wish["present"] == "keystore" for wish in params["probes"])
        identity = identity_in(store, wanted["path"], wanted["alias"], needed)
    if params["trust_content"] is not None:
        return Party(identity, trusted_in(params["trust_content"]))
    return Party(identity, store.anchors() if store else [])


def identity_in(store: keystore.Store, path: str, alias: str | None, needed: bool) -> Identity | None:
    """The identity under *alias*, or the only one; None where there is none to choose and none is *needed*."""
    try:
        entry = store.key_entry(alias)
    except StoreError as error:
        if not needed:
            return None  # The store only lends its trust.
        raise StoreError(f"The identity to present cannot be taken from {path}: {error}.", path=path) from error
    return Identity(entry.private_key(), entry.chain)


def trusted_in(texts: list[str]) -> list[bytes]:
    """The certificates (DER) in C(trust_content)."""
    return [
        certificate
        for number, text in enumerate(texts, start=1)
        for certificate in x509.pem_to_der(text, f"item {number} of 'trust_content'")
    ]


def presented(who: Party) -> dict[str, Identity | None]:
    """What each value of C(present) stands for."""
    name = common_name_of(who.identity.chain[0]) if who.identity and who.identity.chain else None
    return {"keystore": who.identity, "nothing": None, "stranger": stranger(name or "stranger")}


def probes(params: dict[str, Any], who: Party) -> list[Probe]:
    """The handshakes to make."""
    identities = presented(who)
    return [Probe.from_options(wish, identities[wish["present"]], who.trusted) for wish in params["probes"]]


def complaint(wishes: list[dict[str, Any]], outcomes: list[Outcome]) -> str:
    """What differs from what was expected, a line for each handshake."""
    lines = []
    for wish, outcome in zip(wishes, outcomes):
        if not outcome.as_expected(wish["expect"]):
            host = f"[{wish['host']}]" if ":" in wish["host"] else wish["host"]
            told = f"- {wish['name']} ({host}:{wish['port']}, presenting {wish['present']})"
            lines.append(f"{told} was expected to be {wish['expect']}, but it {outcome.describe()}")
    return "\n".join([f"{len(lines)} of {len(wishes)} handshakes did not end as expected:", *lines])


def handshake(params: dict[str, Any]) -> dict[str, Any]:
    """Make the handshakes and compare them with what was expected."""
    check(params)
    outcomes = probe_all(probes(params, party(params)), workers=params["workers"], settle=params["settle"])
    results = [outcome.to_result(wish) for wish, outcome in zip(params["probes"], outcomes)]
    unexpected = [each["name"] for each in results if not each["as_expected"]]
    if unexpected and not params["report_only"]:
        raise PeerError(complaint(params["probes"], outcomes), results=results, unexpected=unexpected)
    return {"changed": False, "results": results, "unexpected": unexpected}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, lambda: handshake(module.params))


if __name__ == "__main__":
    main()
