#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mutual.tls.member_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: member_info
short_description: Collect everything that the plan needs of one member
version_added: 0.1.0
description:
  - In one execution returns the public facts of the member's keystore, the present values of the product's settings, what its own
    endpoints serve and since when, and what the endpoints that it connects to demand of a client.
  - It changes nothing. Passwords and stored secrets are compared here and never returned.
author:
  - mutual.tls contributors (@mutual-tls)
requirements:
  - cryptography >= 3.3 on the managed host
extends_documentation_fragment:
  - mutual.tls.attributes
  - mutual.tls.attributes.info
  - mutual.tls.identity
options:
  name:
    description: The member's name in the inventory. The proof of possession names it.
    type: str
    required: true
  keystore:
    description: The member's keystore.
    type: dict
    required: true
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
        description: What opens the store until a change of the password is carried out.
        type: str
      format:
        description: The format that the store is to have; without it, the one that it has.
        type: str
        choices: [pkcs12, jks]
      profile:
        description: The protection that a PKCS#12 store is to have, see M(mutual.tls.keystore).
        type: str
        choices: [default, java8, modern]
        default: default
  key_alias:
    description: The alias of the key that the member presents, whose possession it proves.
    type: str
    required: true
  settings:
    description: Where the product keeps its settings for this member, and which of them to read.
    type: dict
    suboptions:
      place:
        description: V(registry) is MediationZone's STR, read through C(mzsh topo); V(file) a key/value file.
        type: str
        choices: [registry, file]
        required: true
      mzsh:
        description: The program, for V(registry).
        type: path
      container:
        description: The container's name, for V(registry).
        type: str
      path:
        description: The file, for V(file).
        type: path
      format:
        description: The format of the file.
        type: str
        choices: [java_properties, colon, nginx]
        default: java_properties
      names:
        description: The settings that are not secret and whose values are returned.
        type: list
        elements: str
        default: []
      secrets:
        description: The plaintexts of the secret settings, by name. Only whether the stored values were made of them is returned.
        type: dict
        default: {}
      encrypted:
        description: The stored forms of secret settings, by name, for those that were encrypted by hand.
        type: dict
        default: {}
      seal_name:
        description: The setting that seals the secret ones, see M(mutual.tls.properties).
        type: str
        default: mutual.tls.seal
  endpoints:
    description: The member's own endpoints.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The endpoint's name.
        type: str
        required: true
      host:
        description: Where it listens.
        type: str
        required: true
      port:
        description: Its port. Without one nothing is looked at.
        type: int
  observe:
    description: Endpoints of other members, to see from here whether they let in a client without certificate.
    type: list
    elements: dict
    default: []
    suboptions:
      server:
        description: The other member's name.
        type: str
        required: true
      endpoint:
        description: The endpoint's name.
        type: str
        required: true
      host:
        description: Its address.
        type: str
        required: true
      port:
        description: Its port.
        type: int
        required: true
      source_address:
        description: The local address to connect from.
        type: str
      send:
        description: What to write to an endpoint that refuses only then, such as an HTTP request for nginx.
        type: str
  pem:
    description: The PEM files that the product reads, which M(mutual.tls.pem_files) writes from the keystore.
    type: dict
    suboptions:
      identity_path:
        description: The file with the private key and its chain.
        type: path
        required: true
      trust_path:
        description: The file with whom to trust.
        type: path
        required: true
  reloads:
    description:
      - Whether what listens at O(endpoints) starts new workers when it loads its files anew, as nginx does; then C(started) is theirs.
    type: bool
    default: false
  record:
    description: The file that says which run is changing the member; see M(mutual.tls.transaction).
    type: path
  timeout:
    description: Seconds that one connection may take.
    type: int
    default: 5
seealso:
  - module: mutual.tls.plan
"""

EXAMPLES = r"""
- name: Collect the facts of a member
  mutual.tls.member_info:
    name: "{{ inventory_hostname }}"
    key_alias: ec1
    keystore:
      path: /opt/mz/keys
      password: "{{ vault_keystore_password }}"
    identity:
      alias: ec1
    endpoints:
      - {name: ec1, host: ec1.example.test, port: 6791}
"""

RETURN = r"""
store:
  description:
    - The facts of the keystore, as M(mutual.tls.keystore_info) returns them, and C(protect_anew), why the file must be written anew.
  returned: success
  type: dict
proof:
  description: A signature over the member's name and certificate, which shows that this host holds the key.
  returned: when the store holds the identity
  type: str
identity_wish:
  description: The option O(identity) as it was given, which the plan compares with the facts.
  returned: success
  type: dict
settings:
  description:
    - C(values) of the settings that are not secret, C(secret_changes), what must be stored anew and why, and C(modified), when their
      file was last written.
  returned: when O(settings) is given
  type: dict
pem:
  description: The PEM files, as M(mutual.tls.pem_files) returns them.
  returned: when O(pem) is given
  type: dict
endpoints:
  description:
    - For each endpoint C(listening), C(tls), C(served_sha256), C(served_pem), C(started), when its process started (seconds since the
      epoch), and C(clients), the addresses from which others are connected to it.
  returned: success
  type: list
  elements: dict
observed:
  description:
    - For each endpoint in O(observe) C(asks), which is C(required) or C(not_required), and C(source), the local address that a
      connection to it comes from.
  returned: success
  type: list
  elements: dict
transaction:
  description: Which run is changing the member, or died while it did; null when none is.
  returned: success
  type: dict
  contains:
    run:
      description: The run's name.
      type: str
    holder:
      description: Who runs it.
      type: dict
    since:
      description: When it began.
      type: str
clock:
  description: The host's time, seconds since the epoch.
  returned: success
  type: float
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual.tls.plugins.module_utils import (
    connections,
    files,
    keystore,
    listeners,
    options,
    pem_files,
    programs,
    properties_file,
    seals,
    settings,
    transactions,
    x509,
)
from ansible_collections.mutual.tls.plugins.module_utils.edge import run
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry
from ansible_collections.mutual.tls.plugins.module_utils.errors import PeerError, StoreError
from ansible_collections.mutual.tls.plugins.module_utils.facts import store_facts
from ansible_collections.mutual.tls.plugins.module_utils.mediationzone.mzsh import Mzsh
from ansible_collections.mutual.tls.plugins.module_utils.mediationzone.registry import Registry
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import IdentityWish
from ansible_collections.mutual.tls.plugins.module_utils.profiles import PROFILES
from ansible_collections.mutual.tls.plugins.module_utils.store_changes import reasons_to_protect_anew
from ansible_collections.mutual.tls.plugins.module_utils.tls import observation


def argument_spec() -> dict[str, Any]:
    """What the module takes."""
    observed = {
        "server": {"type": "str", "required": True},
        "endpoint": {"type": "str", "required": True},
        "host": {"type": "str", "required": True},
        "port": {"type": "int", "required": True},
        "source_address": {"type": "str"},
        "send": {"type": "str"},
    }
    endpoint = {"name": {"type": "str", "required": True}, "host": {"type": "str", "required": True}, "port": {"type": "int"}}
    return {
        "name": {"type": "str", "required": True},
        "keystore": {
            "type": "dict",
            "required": True,
            "no_log": False,
            "options": {
                "path": {"type": "path", "required": True},
                "password": {"type": "str", "required": True, "no_log": True},
                "old_password": {"type": "str", "no_log": True},
                "format": {"type": "str", "choices": list(keystore.FORMATS)},
                "profile": {"type": "str", "choices": list(PROFILES), "default": "default"},
            },
        },
        "key_alias": {"type": "str", "required": True, "no_log": False},
        "identity": options.identity_option(),
        "settings": {
            "type": "dict",
            "options": {
                "place": {"type": "str", "choices": ["registry", "file"], "required": True},
                "mzsh": {"type": "path"},
                "container": {"type": "str"},
                "path": {"type": "path"},
                "format": {"type": "str", "choices": list(properties_file.FORMATS), "default": "java_properties"},
                "names": {"type": "list", "elements": "str", "default": []},
                "secrets": {"type": "dict", "default": {}, "no_log": True},
                "encrypted": {"type": "dict", "default": {}, "no_log": True},
                "seal_name": {"type": "str", "default": seals.DEFAULT_SEAL_NAME},
            },
            "required_if": [("place", "registry", ["mzsh", "container"]), ("place", "file", ["path"])],
        },
        "endpoints": {"type": "list", "elements": "dict", "default": [], "options": endpoint},
        "observe": {"type": "list", "elements": "dict", "default": [], "options": observed},
        "record": {"type": "path"},
        "pem": {
            "type": "dict",
            "options": {
                "identity_path": {"type": "path", "required": True},
                "trust_path": {"type": "path", "required": True},
            },
        },
        "reloads": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 5},
    }


def collect(params: dict[str, Any]) -> dict[str, Any]:
    """All facts of the member."""
    for option in ("password", "old_password"):
        subject = params["identity"]["subject"] if params["identity"] else None
        keystore.check_unmasked(
            params["keystore"][option], option, params["keystore"]["path"], params["name"], params["key_alias"], subject
        )
    if params["identity"]:
        IdentityWish.from_options(params["identity"])  # a wish that cannot be carried out is refused before anything is touched
    wanted = params["keystore"]
    store, old = keystore.open_under_either(wanted["path"], wanted["password"], wanted["old_password"])
    protect_anew = []
    if store is not None:
        keystore.check_sealed(wanted["path"], store, wanted["old_password"])
        protect_anew = reasons_to_protect_anew(store, wanted["format"], wanted["profile"], under_old_password=old)
    keystore.check_password(wanted["password"], wanted["format"] or (store.format if store is not None else "pkcs12"), "keystore.password")
    with ThreadPoolExecutor(max_workers=16) as pool:
        seen = pool.map(lambda item: observe(item, params["timeout"]), params["observe"])
        own = pool.map(lambda item: look_at(item, params["timeout"]), params["endpoints"])
        result = {
            "changed": False,
            "store": {**store_facts(wanted["path"], store), "protect_anew": protect_anew},
            "proof": prove(params, store),
            "identity_wish": params["identity"],
            "settings": read_settings(params["settings"]) if params["settings"] else None,
            "pem": pem_files.pem_facts(**params["pem"], store=store, alias=params["key_alias"]) if params["pem"] else None,
            "clock": time.time(),
            "transaction": transactions.find(params["record"]) if params["record"] else None,
        }
        result["observed"] = list(seen)
        result["endpoints"] = with_start_times(list(own), params["reloads"])
    return result


def prove(params: dict[str, Any], store: keystore.Store | None) -> str | None:
    """The proof that this host holds the key that the member presents."""
    entry = store.get(params["key_alias"]) if store is not None else None
    if not isinstance(entry, PrivateKeyEntry) or not entry.chain:
        return None
    try:
        key = entry.private_key()
    except StoreError as error:
        path = params["keystore"]["path"]
        raise type(error)(f"The keystore {path} cannot prove whose it is: {error}.", path=path) from error
    return x509.prove_possession(key, params["name"], entry.chain[0])


def read_settings(option: dict[str, Any]) -> dict[str, Any]:
    """The settings: values of what may be seen, and for the rest only what must change."""
    actual = read_registry(option) if option["place"] == "registry" else read_file(option)
    desired = settings.Desired(secrets=option["secrets"], encrypted=option["encrypted"], seal_name=option["seal_name"])
    return {
        "values": {name: actual[name] for name in option["names"] if name in actual},
        "secret_changes": [change.as_result() for change in settings.plan(desired, actual)],
        "modified": modified(option["path"]) if option["place"] == "file" else None,
    }


def modified(path: str) -> float | None:
    """When a file was last written, seconds since the epoch; None when it is not there."""
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return None


def read_registry(option: dict[str, Any]) -> dict[str, str]:
    """The container's values; from its cached copy when the Platform is away."""
    registry = Registry(Mzsh(option["mzsh"], programs.run_program))
    try:
        return registry.read_common(option["container"])
    except PeerError:
        try:
            return registry.read_common(option["container"], allow_disconnected=True)
        except PeerError:
            pass  # the first error is the one that tells the cause
        raise


def read_file(option: dict[str, Any]) -> dict[str, str]:
    """The values of a file; one that is not there has none."""
    return properties_file.read(files.read_if_present(option["path"]) or b"", option["format"]).values


def look_at(endpoint: dict[str, Any], timeout: int) -> dict[str, Any]:
    """What the member's own endpoint serves."""
    facts = {**endpoint, "listening": False, "tls": False, "served_sha256": None, "served_pem": None, "started": None, "clients": []}
    if endpoint["port"] is None:
        return facts
    seen = observation.observe(endpoint["host"], endpoint["port"], timeout)
    seen_facts = {"listening": seen.listening, "tls": seen.tls, "served_sha256": seen.served_sha256, "served_pem": seen.served_pem}
    return {**facts, **seen_facts, "clients": connections.clients(endpoint["host"], endpoint["port"])}


def with_start_times(endpoints: list[dict[str, Any]], reloads: bool) -> list[dict[str, Any]]:
    """*endpoints* with the times when their processes, or the workers of a server that reloads, started."""
    listening = [(endpoint["host"], endpoint["port"]) for endpoint in endpoints if endpoint["listening"]]
    found = listeners.listeners(listening)
    for endpoint in endpoints:
        process = found.get((endpoint["host"], endpoint["port"]))
        endpoint["started"] = None if process is None else process.workers_started if reloads else process.started
    return endpoints


def observe(item: dict[str, Any], timeout: int) -> dict[str, Any]:
    """What another member's endpoint demands."""
    send = item["send"].encode("utf-8") if item["send"] else None
    seen = observation.observe(item["host"], item["port"], timeout, source_address=item["source_address"], send=send)
    source = connections.source_address(item["host"], item["port"], item["source_address"])
    told = {"listening": seen.listening, "asks": seen.asks, "reason": seen.reason, "source": source}
    return {"server": item["server"], "endpoint": item["endpoint"], **told}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, lambda: collect(module.params))


if __name__ == "__main__":
    main()
