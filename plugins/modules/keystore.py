#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mutual.tls.keystore."""

from __future__ import annotations

DOCUMENTATION = r"""
module: keystore
short_description: Manage a Java keystore as a declared set of entries
version_added: 0.1.0
description:
  - Makes a keystore hold an identity and a set of trusted certificates. What it does not manage in the store is kept.
  - It needs no JVM and no openssl. It reads every PKCS#12 store and every JKS store that Java reads, and writes what the readers of
    the O(profile) open.
  - A store that the password does not open, that is damaged or of an unknown kind is an error and stays byte for byte as it was.
author:
  - mutual.tls contributors (@mutual-tls)
requirements:
  - cryptography >= 3.3 on the managed host
extends_documentation_fragment:
  - ansible.builtin.files
  - mutual.tls.attributes
  - mutual.tls.identity
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Lists entries with their fingerprints, never contents.
  idempotent:
    support: full
    details: Except with O(identity.regenerate=always), which makes a new key at each run.
options:
  path:
    description: The keystore's file. Its directory must exist.
    type: path
    required: true
  password:
    description: Opens the store, and every key in it. At least 6 characters, for PKCS#12 of printable ASCII.
    type: str
    required: true
  old_password:
    description:
      - What opens the store until now. When O(password) does not open it and this does, everything is protected anew under O(password).
      - V('') says that the store has no password until now, as the one that comes with Java. Without that a store that has no MAC is
        refused, because anybody could have put certificates into it.
    type: str
  key_password:
    description:
      - What protects the key of the O(identity) in a JKS store, if that is not O(password). A PKCS#12 store has one password for all.
      - Keys that have a password of their own and are not the O(identity) are kept as they are.
    type: str
  old_key_password:
    description: What opens that key until now, if neither O(password) nor O(key_password) does.
    type: str
  format:
    description:
      - The format of the file. A file of the other format is converted, all its entries included.
      - Without it an existing file keeps its format, which is found from its bytes and never from its name, and a new one is PKCS#12.
    type: str
    choices: [pkcs12, jks]
  profile:
    description:
      - How a PKCS#12 file is protected, chosen by who must open it. A file that has another protection, or fewer iterations, is
        protected anew.
      - V(default) is PBES2 with AES-256 and a MAC with HMAC-SHA256, for Java 8u301, 11.0.12 and everything newer.
      - V(java8) is 3DES and a MAC with SHA-1, for older releases of Java 8 to 11. Its ciphers are weak.
      - V(modern) is V(default) with PBMAC1 (RFC 9879) for a MAC, for Java 26 and newer. Older Javas do not open it.
      - A JKS file has no profiles.
    type: str
    choices: [default, java8, modern]
    default: default
  state:
    description:
      - Whether the store is to be there. A store is made with its first entry; without any there is no file.
      - V(absent) removes the file, after O(password) has opened it.
    type: str
    choices: [present, absent]
    default: present
  trusted:
    description: Certificates that the store is, or is not, to trust.
    type: list
    elements: dict
    default: []
    suboptions:
      alias:
        description: Where the certificate is in the store. It is stored in lower case.
        type: str
        required: true
      cert_content:
        description: The certificate, PEM. Just one. Needed unless O(trusted[].state=absent).
        type: str
      state:
        description: Whether the store trusts it.
        type: str
        choices: [present, absent]
        default: present
  purge_trusted:
    description: Remove the trusted certificates that O(trusted) does not name.
    type: bool
    default: false
  absent_keys:
    description:
      - Aliases of private keys that the store is not to hold, such as one that was copied from another host. A certificate in O(trusted)
        may take the place of one.
      - What is under such an alias and is no private key is left alone.
    type: list
    elements: str
    default: []
  copy_content:
    description:
      - A whole keystore in base64, as M(mutual.tls.keystore_info) returns it, to be put at O(path) byte for byte. O(password) must open it,
        and O(profile) has no effect on it.
      - This copies private keys. It is made for the trust model in which every member shares the platform's keystore.
    type: str
  member:
    description: The name under which the identity's owner proves that it holds the key, see RV(proof).
    type: str
  backup:
    description: Keep a copy of the file as it was before a change, readable by its owner only.
    type: bool
    default: false
seealso:
  - module: mutual.tls.keystore_info
notes:
  - A new file has the mode 0600. An existing one keeps its owner, group and mode unless they are given.
"""

EXAMPLES = r"""
- name: Make the key and certificate of this host, and trust the platform
  mutual.tls.keystore:
    path: /opt/mz/keys
    password: "{{ vault_keystore_password }}"
    identity:
      alias: ec1
      subject: CN=ec1,O=Example
      subject_alt_name: [DNS:ec1.example.test]
    trusted:
      - alias: platform
        cert_content: "{{ platform_certificate }}"

- name: Trust somebody no more
  mutual.tls.keystore:
    path: /opt/mz/keys
    password: "{{ vault_keystore_password }}"
    trusted:
      - alias: desktop7
        state: absent

- name: Change the password
  mutual.tls.keystore:
    path: /opt/mz/keys
    password: "{{ vault_keystore_password }}"
    old_password: "{{ vault_keystore_previous_password }}"

# A key with a password of its own needs a task of its own before: with it as the identity, and its password as old_key_password.
- name: Bring an old JKS store into PKCS#12
  mutual.tls.keystore:
    path: /opt/app/identity.jks
    password: "{{ vault_keystore_password }}"
    format: pkcs12
"""

RETURN = r"""
identity:
  description: The public parts of the identity.
  returned: when O(identity) is given and the store holds it
  type: dict
  contains:
    alias:
      description: Its alias.
      type: str
    sha256:
      description: The fingerprint of its certificate.
      type: str
    subject:
      description: The subject of its certificate.
      type: str
    not_after:
      description: When its certificate ends.
      type: str
    chain_pem:
      description: Its certificate chain, PEM, leaf first.
      type: str
    csr:
      description: A signing request for the key, PEM.
      returned: when O(identity.csr) is true
      type: str
trusted:
  description: The trusted certificates by alias, each with its sha256, subject and not_after.
  returned: success
  type: dict
changes:
  description:
    - What changed, or would change in check mode, each with C(entry), C(action), C(reason), and fingerprints C(before) and C(after).
  returned: success
  type: list
  elements: dict
reasons:
  description: The reasons of all changes, a sentence each.
  returned: success
  type: list
  elements: str
store:
  description: The facts of the store as it is now, as M(mutual.tls.keystore_info) returns them.
  returned: success
  type: dict
proof:
  description: A signature by the identity's key over O(member) and the certificate, which shows that this host holds the key.
  returned: when O(member) is given and the store holds the identity
  type: str
backup_file:
  description: The copy that was kept.
  returned: when O(backup) is true and something changed
  type: str
"""

import base64
import contextlib
import datetime
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual.tls.plugins.module_utils import files, keystore, options, pending, store_changes, x509
from ansible_collections.mutual.tls.plugins.module_utils.edge import run
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, StoreError
from ansible_collections.mutual.tls.plugins.module_utils.facts import entry_facts, store_facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import IdentityWish, StoreChange, StoreWish, TrustWish, check_alias
from ansible_collections.mutual.tls.plugins.module_utils.profiles import PROFILES


def argument_spec() -> dict[str, Any]:
    """What the module takes."""
    return {
        "path": {"type": "path", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "old_password": {"type": "str", "no_log": True},
        "key_password": {"type": "str", "no_log": True},
        "old_key_password": {"type": "str", "no_log": True},
        "format": {"type": "str", "choices": list(keystore.FORMATS)},
        "profile": {"type": "str", "choices": list(PROFILES), "default": "default"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "identity": options.identity_option(),
        "trusted": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "alias": {"type": "str", "required": True},
                "cert_content": {"type": "str"},
                "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            },
            "required_if": [("state", "present", ["cert_content"])],
        },
        "purge_trusted": {"type": "bool", "default": False},
        "absent_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "copy_content": {"type": "str", "no_log": True},
        "member": {"type": "str"},
        "backup": {"type": "bool", "default": False},
    }


def wish(params: dict[str, Any]) -> StoreWish:
    """What the options ask of the store."""
    trusted = []
    for item in params["trusted"]:
        certificate: bytes | None = None
        if item["state"] == "present":
            certificates = x509.readable_certificates(item["cert_content"], f"'cert_content' of the alias '{item['alias']}'")
            if len(certificates) != 1:
                raise InputError(
                    f"'cert_content' of the alias '{item['alias']}' holds {len(certificates)} certificates, and one is trusted under one "
                    "alias: give each an alias of its own in 'trusted'."
                )
            certificate = certificates[0]
        trusted.append(TrustWish(item["alias"].lower(), certificate))
    for alias, times in Counter(item.alias for item in trusted).items():
        check_alias(alias, "trusted.alias")
        if times > 1:
            raise InputError(f"'trusted' names the alias '{alias}' {times} times; Java does not tell upper from lower case.")
    identity = IdentityWish.from_options(params["identity"]) if params["identity"] else None
    absent = {alias.lower(): "it is to be absent" for alias in params["absent_keys"]}
    if identity is not None and identity.alias in absent:
        raise InputError(f"The alias '{identity.alias}' is wished for the identity, and in 'absent_keys'.")
    return StoreWish(identity, tuple(trusted), params["purge_trusted"], absent)


def manage(module: AnsibleModule) -> dict[str, Any]:
    """Bring the store to what the options ask for."""
    params = module.params
    aliases = [wish["alias"] for wish in [params["identity"], *params["trusted"]] if wish]
    for option in ("password", "old_password", "key_password", "old_key_password"):
        keystore.check_unmasked(params[option], option, params["path"], params["member"], *aliases)
    wished = wish(params)
    if module.check_mode:
        return converge(module, wished)
    with files.alone_at(params["path"]):
        return converge(module, wished)


def converge(module: AnsibleModule, wished: StoreWish) -> dict[str, Any]:
    """The same, while nobody else changes the store."""
    params, path = module.params, module.params["path"]
    existing, under_old_password = open_existing(params)
    if params["state"] == "absent":
        return remove(module, existing)
    waiting: list[StoreChange] = []
    if params["copy_content"] is not None:
        store, changes, data = copy(params, existing)
    else:
        store, changes, data, waiting = change(module, wished, existing, under_old_password)
    result: dict[str, Any] = {}
    if changes or waiting:
        check_place(module, path)
        for remark in (*store.contents.remarks, *store.contents.repairs):  # what is strange in the file, and may be lost now
            module.warn(f"{path}: {remark}.")
    is_new = existing is None
    if changes and not module.check_mode:
        if params["backup"] and existing is not None:
            result["backup_file"] = files.keep_copy(path)
        with refusals_named(path):
            existing = keystore.write_store(path, store, data, params["password"])
        pending.forget_if_taken(path, params["password"], wished.identity, existing, params["old_password"])
    if existing is not None:
        attributes = set_attributes(module)
        changes = changes if is_new else changes + attributes
    entry = (
        pending.find(path, params["password"], wished.identity, params["old_password"]) if waiting and wished.identity is not None else None
    )
    if wished.identity is not None and entry is None and not module.check_mode:
        for each in waiting:
            entry = pending.make(path, params["password"], wished.identity, each, datetime.datetime.now(datetime.timezone.utc))
    else:
        waiting = waiting if entry is None else []
    result.update(report(params, wished, existing, [*changes, *waiting]))
    if wished.identity is not None and entry is not None:
        result["identity"] = {**result["identity"], "csr": signing_request(wished.identity, entry)}
    return {**result, "changed": bool(changes or waiting), "diff": diff(path, [*changes, *waiting])}


def set_attributes(module: AnsibleModule) -> list[StoreChange]:
    """Give the file the owner, group and mode that are wished, and say what they were."""
    found: dict[str, Any] = {}
    if not module.set_fs_attributes_if_different(module.load_file_common_arguments(module.params), False, found):
        return []
    after = {name: value for name, value in found.get("after", {}).items() if name != "path"}
    words = [f"its {name} is {found['before'].get(name)} where {value} is wished" for name, value in after.items()]
    return [StoreChange("*", "attributes", "; ".join(words) or "its attributes differ from those wished")]


def open_existing(params: dict[str, Any]) -> tuple[keystore.Store | None, bool]:
    """The store as it is, and whether it is still under the password before the present one."""
    alias = params["identity"]["alias"] if params["identity"] else None
    for key_password in dict.fromkeys((params["key_password"], params["old_key_password"], None)):  # None: the store's, or its old one
        key_passwords = {alias: key_password} if alias is not None and key_password is not None else {}
        store, old = keystore.open_under_either(params["path"], params["password"], params["old_password"], key_passwords)
        entry = store.get(alias) if store is not None and alias is not None else None
        if not isinstance(entry, PrivateKeyEntry) or entry.pkcs8 is not None:
            break
    if store is not None and params["state"] == "present":
        keystore.check_sealed(params["path"], store, params["old_password"])
    return store, old


def change(
    module: AnsibleModule, wished: StoreWish, existing: keystore.Store | None, under_old_password: bool
) -> tuple[keystore.Store, list[StoreChange], bytes, list[StoreChange]]:
    """The store as the options ask for it, what changes for that, the file's new bytes, and the change that waits for an authority.

    They are made in check mode too, so that it refuses what the run would refuse; what it promises has no fingerprints of them.
    """
    params, now = module.params, datetime.datetime.now(datetime.timezone.utc)
    store = existing if existing is not None else keystore.Store.empty()
    store = pending.with_pending(params["path"], params["password"], wished.identity, store, params["old_password"])
    store_format = params["format"] or store.format
    key_password = check_protection(params, store_format)
    planned = store_changes.plan_changes(wished, store, now)
    waiting = [each for each in planned if pending.has_to_wait(wished.identity, each, store)]
    changes = [each for each in planned if each not in waiting]
    changes += store_changes.key_password_changes(wished, store, changes, key_password) if store_format == "jks" else []
    if existing is not None:
        reasons = store_changes.reasons_to_protect_anew(store, params["format"], params["profile"], under_old_password=under_old_password)
        if reasons:
            action = "protect_anew" if store_format == store.format else "convert"
            changes = [StoreChange("*", action, "; ".join(reasons)), *changes]
    if not changes:
        check_dates(module, wished, store, now)
        return store, [], b"", waiting
    after, done = store_changes.carry_out(wished, changes, store, now, key_password)
    with refusals_named(params["path"]):
        data = keystore.serialize_store(after, params["password"], store_format=params["format"], profile=params["profile"])
        if module.check_mode:  # else write_store() does it
            keystore.verified(after, data, params["password"])
    check_dates(module, wished, after, now)
    return after, changes if module.check_mode else done, data, waiting


@contextlib.contextmanager
def refusals_named(path: str) -> Iterator[None]:
    """Say of which file it is that something cannot be written."""
    try:
        yield
    except StoreError as error:
        raise type(error)(f"The keystore {path} cannot be written: {error}. It was left as it is.", path=path) from error


def check_dates(module: AnsibleModule, wished: StoreWish, store: keystore.Store, now: datetime.datetime) -> None:
    """A chain that was signed elsewhere does not renew itself: say it before it ends, and refuse it afterwards."""
    entry = store.get(wished.identity.alias) if wished.identity is not None and wished.identity.chain else None
    if wished.identity is None or not isinstance(entry, PrivateKeyEntry):
        return
    end = x509.not_after(x509.load_certificate(entry.chain[0]))
    if end <= now:
        raise InputError(
            f"The certificate in certificate_content for the alias '{entry.alias}' expired on {x509.timestamp(end)}: have a new one signed "
            "(csr: true returns a request)."
        )
    if end - now < wished.identity.renew_before:
        module.warn(
            f"{module.params['path']}: the certificate under the alias '{entry.alias}' ends on {x509.timestamp(end)}, sooner than "
            f"renew_before ({x509.format_duration(wished.identity.renew_before)}), and was signed elsewhere: have a new one signed "
            "(csr: true)."
        )


def check_protection(params: dict[str, Any], store_format: str) -> str | None:
    """Refuse what the format does not know; returns the password of the identity's key where it is not the store's."""
    keystore.check_password(params["password"], store_format)
    if store_format == "jks" and params["profile"] != "default":
        raise InputError(f"'profile' is {params['profile']!r}, and a JKS store has no profiles: leave it out, or set format to 'pkcs12'.")
    if params["key_password"] in (None, params["password"]):
        return None
    if store_format != "jks":
        raise InputError(
            "'key_password' differs from 'password': a PKCS#12 store has one password for all. If it is the key's until now, give it as "
            "'old_key_password'."
        )
    keystore.check_password(params["key_password"], store_format, "key_password")
    return str(params["key_password"])


def copy(params: dict[str, Any], existing: keystore.Store | None) -> tuple[keystore.Store, list[StoreChange], bytes]:
    """The store that was handed in, and the change when the file has other bytes."""
    try:
        data = base64.b64decode(params["copy_content"], validate=True)
    except ValueError as error:
        raise InputError(f"'copy_content' is not base64: {error}.") from error
    try:
        store = keystore.parse_store(data, params["password"])
    except StoreError as error:
        raise type(error)(f"'copy_content' cannot be read: {error}.") from error
    if store.contents.protection.mac is None:
        raise StoreError("'copy_content' has no MAC, so anybody could have changed it: have mutual.tls.keystore give it one first.")
    if existing is not None and files.read_if_present(params["path"]) == data:
        return store, [], data
    return store, [StoreChange("*", "copy", "the file differs from the keystore handed in")], data


def remove(module: AnsibleModule, existing: keystore.Store | None) -> dict[str, Any]:
    """Remove the file; its password was shown to be right before."""
    path = module.params["path"]
    changes = [StoreChange("*", "remove", "state is absent")] if existing is not None else []
    result: dict[str, Any] = {"changed": bool(changes)}
    if changes and not module.check_mode:
        if module.params["backup"]:
            result["backup_file"] = files.keep_copy(path)
        os.unlink(path)
        pending.forget(path)
    lost = diff(path, changes)
    if existing is not None:
        lost["before"] = "".join(f"{each['alias']}: {each['sha256'] or each['type']}\n" for each in map(entry_facts, existing.entries))
    return {**result, **report(module.params, StoreWish(), None, changes), "diff": lost}


def check_place(module: AnsibleModule, path: str) -> None:
    """Say it in a sentence when the file cannot be written where it is to be."""
    directory = os.path.dirname(os.path.realpath(path))
    if os.path.isdir(directory):
        files.check_replaceable(path)
        return
    message = f"The directory {directory} of the keystore does not exist; make it first, owned by the product's user."
    if not module.check_mode:
        raise InputError(message, path=path)
    module.warn(message)  # another task of the play may make it: not in check mode


def report(params: dict[str, Any], wished: StoreWish, store: keystore.Store | None, changes: list[StoreChange]) -> dict[str, Any]:
    """What the module returns of the store."""
    facts = store_facts(params["path"], store)
    result: dict[str, Any] = {
        "changes": [change.to_dict() for change in changes],
        "reasons": [f"{change.alias}: {change.reason}" for change in changes],
        "store": facts,
        "trusted": {
            entry["alias"]: {name: entry.get(name) for name in ("sha256", "subject", "not_after")}
            for entry in facts["entries"]
            if entry["type"] == "trusted_cert"
        },
    }
    identity = wished.identity
    entry = store.get(identity.alias) if store is not None and identity is not None else None
    if identity is not None and isinstance(entry, PrivateKeyEntry) and entry.chain:
        public = next(item for item in facts["entries"] if item["alias"] == entry.alias)
        result["identity"] = {name: public.get(name) for name in ("alias", "sha256", "subject", "not_after", "chain_pem")}
        if entry.pkcs8 is None:
            return result  # a locked key, which the run would replace, in check mode
        if params["identity"]["csr"]:
            result["identity"]["csr"] = signing_request(identity, entry)
        if params["member"]:
            result["proof"] = x509.prove_possession(entry.private_key(), params["member"], entry.chain[0])
    return result


def signing_request(wished: IdentityWish, entry: PrivateKeyEntry) -> str:
    """A request for what is wished; what nobody wished is as the certificate has it, unless an authority signs, which goes by the plan."""
    leaf, planned = x509.load_certificate(entry.chain[0]), wished.signer == "authority"
    subject = leaf.subject if wished.subject is None and not planned else x509.parse_name(wished.distinguished_name)
    given = wished.subject_alt_name if wished.subject_alt_name is not None or not planned else ()
    names = x509.alternative_names(leaf) if given is None else x509.parse_alternative_names(given)
    return x509.signing_request(entry.private_key(), subject, names)


def without_fingerprint(change: StoreChange) -> str:
    """What a change leads to that has no fingerprint: such as a certificate that is still to be made."""
    if change.action == "attributes":
        return "the file"
    return "the whole store" if change.alias == "*" else "a new certificate"


def diff(path: str, changes: list[StoreChange]) -> dict[str, str]:
    """The entries that change, before and after: fingerprints and reasons, never contents."""
    before = "".join(f"{change.alias}: {change.before}\n" for change in changes if change.before)
    after = "".join(
        f"{change.alias}: {change.after or without_fingerprint(change)} ({change.action}: {change.reason})\n"
        for change in changes
        if change.action not in ("distrust", "remove", "remove_key")
    )
    return {"before": before, "after": after, "before_header": path, "after_header": path} if changes else {}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(),
        add_file_common_args=True,
        supports_check_mode=True,
        mutually_exclusive=[("copy_content", other) for other in ("identity", "trusted", "purge_trusted", "absent_keys", "format")],
        required_by={"key_password": ["identity"], "old_key_password": ["identity"]},
    )
    run(module, lambda: manage(module))


if __name__ == "__main__":
    main()
