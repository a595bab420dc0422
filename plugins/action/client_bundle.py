# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mutual.tls.client_bundle: keys and certificates for people, in bundles on the controller; the authority's host signs.

Keys and one-time passwords are made in this process, and leave it in bundles, and on the operator's terminal. Where it dies before
the passwords were told, the authority knows the certificates as pending, and the next run makes others.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError

from ansible_collections.mutual.tls.plugins.module_utils import bundles, crypto, files, x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, MtlsError
from ansible_collections.mutual.tls.plugins.module_utils.options import person_options
from ansible_collections.mutual.tls.plugins.plugin_utils import one_time, pages
from ansible_collections.mutual.tls.plugins.plugin_utils.authority_host import AUTHORITY, AsksAuthority, as_it_is, newest, signed_chain

#: States of certificates that open nothing any more.
_OVER = ("revoked", "expired", "superseded")

_STRINGS = {"type": "list", "elements": "str", "default": []}

ARGUMENT_SPEC: dict[str, Any] = {
    "people": {"type": "list", "elements": "dict", "required": True, "options": person_options()},
    "again": _STRINGS,
    "path": {"type": "path", "required": True},
    "password_path": {"type": "path"},
    "vault_id": {"type": "str", "default": ""},
    "authority": {
        "type": "dict",
        "required": True,
        "options": {**AUTHORITY, "server_name": {"type": "str", "default": "system"}},
    },
    "revoke_former": {"type": "bool", "default": True},
    "new_generation": {"type": "bool", "default": True},
    "untold": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
    "judge_only": {"type": "bool", "default": False},
    "system": {"type": "str", "default": "mutual.tls"},
    "addresses": _STRINGS,
    "contact": {"type": "str", "default": ""},
    "templates": {"type": "path", "required": True},
}


class ActionModule(AsksAuthority):
    """Makes bundles on the controller; the task's host has the authority."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """What was made, and nothing secret."""
        super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        self._variables = task_vars or {}
        try:
            crypto.require()
            return self._manage(arguments)
        except MtlsError as error:
            raise AnsibleActionFail(str(error)) from error
        except OSError as error:
            raise AnsibleActionFail(
                f"{error.filename or 'The terminal'}: {error.strerror}. No bundle of this run counts: give none of them out, and run it "
                "again."
            ) from error

    def _manage(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        people = [bundles.Person.from_options(each) for each in arguments["people"] if each["state"] == "present"]
        revoked = [each["name"] for each in arguments["people"] if each["state"] == "revoked"]
        _check_names(people, arguments["again"])
        if arguments["judge_only"]:
            return self._judge(people, revoked, arguments)
        if self._task.check_mode:
            return self._issue(people, revoked, arguments)
        try:
            files.make_private_directory(arguments["path"], "bundles")
        except InputError as error:
            if arguments["untold"] == "fail":
                raise
            # What else the run does is not held back, unless somebody would lose something.
            self._display.warning(f"No bundle was made or removed. {error}")
            return self._judge(people, revoked, arguments)
        # The lock is on the directory that the file is in.
        with files.alone_at(os.path.join(arguments["path"], "bundles")):
            return self._issue(people, revoked, arguments)

    def _judge(self, people: Sequence[bundles.Person], revoked: Sequence[str], arguments: Mapping[str, Any]) -> dict[str, Any]:
        """See that everybody who is due can get a bundle, as far as that is asked for; nothing is changed, and nothing said."""
        result = self._issue(people, revoked, {**arguments, "judge_only": True})
        return {"changed": False, "bundles": {}, "replaced": [], "notes": result["notes"]}

    def _issue(self, people: Sequence[bundles.Person], revoked: Sequence[str], arguments: Mapping[str, Any]) -> dict[str, Any]:
        authority, again = arguments["authority"], arguments["again"]
        known = self.ask("authority_info", path=authority["path"], names=[person.name for person in people])
        if not arguments["new_generation"]:
            authority = as_it_is(authority, known)
        generation = _generation(known, authority)
        # What the same name had from another CA, as a host has, opens no door to people.
        had = {name: [each for each in found if each["authority"] == authority["name"]] for name, found in known["certificates"].items()}
        reasons = {person.name: bundles.reason_to_issue(had[person.name], generation, again=person.name in again) for person in people}
        due = [person for person in people if reasons[person.name] is not None and (not again or person.name in again)]
        told = [note for person in people if person not in due for note in bundles.notes(person, had[person.name], x509.now())]
        terminal = None
        if due:
            try:
                terminal = self._way_to_tell(arguments)
            except InputError as error:
                # Who has one of a CA that goes in this run would be locked out.
                if arguments["untold"] == "fail" or any(_loses(had[person.name], generation) for person in due):
                    raise
                told.append(f"{', '.join(person.name for person in due)}: no bundle was made. {str(error).rstrip('.')}")
                due = []
        over = [path for name in revoked for path in _files_of(name, arguments) if os.path.exists(path)]
        server_ca = _ServerCa(arguments, known)
        if server_ca.is_another:
            told.append(f"{server_ca.path} is another CA from now on: whoever has imported the one before needs it")
        for note in told if not arguments["judge_only"] else ():
            self._display.warning(f"{note}.")
        result = {
            "changed": bool(due or over or server_ca.is_another),
            "bundles": {},
            "replaced": [person.name for person in due if any(each["state"] not in _OVER for each in had[person.name])],
            "notes": told,
            "diff": {
                "before": "".join(f"{path}\n" for path in over),
                "after": "".join(f"{person.name}: issue ({reasons[person.name]})\n" for person in due),
            },
        }
        if self._task.check_mode or arguments["judge_only"]:
            return result
        for each in over:
            files.remove_if_present(each)
        if due:
            result.update(self._make(due, {**arguments, "authority": authority}, terminal))
        elif server_ca.is_another:
            server_ca.write()
        return result

    def _make(self, people: Sequence[bundles.Person], arguments: Mapping[str, Any], terminal: str | None) -> dict[str, Any]:
        """Have the keys of *people* signed, write the bundles, tell the passwords, and have the authority count them as issued."""
        keys = {person.name: x509.generate_key(person.key_type) for person in people}
        wishes = {
            person.name: {
                "subject": person.subject,
                "subject_alt_name": list(person.subject_alt_name),
                "valid_for": f"{int(person.valid_for.total_seconds())}s",
            }
            for person in people
        }
        signed = self.sign(arguments["authority"], keys, wishes)
        chains = {name: signed_chain(signed, name, key) for name, key in keys.items()}
        server_ca = _ServerCa(arguments, signed)
        passwords = {person.name: one_time.new_password() for person in people}
        made = {}
        server_ca.write()
        for person in people:
            alias = f"{person.name} {arguments['system']}"
            for store_format, name in zip(person.formats, person.file_names()):
                content = bundles.bundle(
                    person, keys[person.name], chains[person.name], passwords[person.name], alias=alias, store_format=store_format
                )
                files.write_atomically(os.path.join(arguments["path"], name), content)
            made[person.name] = x509.describe(chains[person.name][0])
            for name, content in pages.pages(person, made[person.name], server_ca.pem, arguments):
                files.write_atomically(os.path.join(arguments["path"], name), content)
        where = dict.fromkeys(passwords, "the terminal")
        if terminal is not None:
            one_time.show(terminal, passwords)
        else:
            where = one_time.keep(arguments["password_path"], passwords, self._vault(), arguments["vault_id"])
        confirmed = self._confirm(made, arguments)
        issued = {
            person.name: {
                "files": [os.path.join(arguments["path"], name) for name in person.file_names()],
                "page": os.path.join(arguments["path"], f"{person.name}.html"),
                "password": where[person.name],
                "profile": person.profile,
                **{name: made[person.name][name] for name in ("sha256", "subject", "not_before", "not_after")},
            }
            for person in people
        }
        known = ("authorities", "revoked", "revoked_keys", "certificates")
        return {"bundles": issued, "authority": {name: confirmed[name] for name in known}}

    def _way_to_tell(self, arguments: Mapping[str, Any]) -> str | None:
        """The terminal; None where passwords go into files. Raises InputError where they could go nowhere, before anything is signed."""
        files.check_private_directory(arguments["path"], "bundles")
        if arguments["password_path"]:
            if arguments["vault_id"]:
                one_time.check_vault(self._vault(), arguments["vault_id"])
            one_time.check_apart(arguments["password_path"], arguments["path"])
            files.check_private_directory(arguments["password_path"], "one-time passwords")
            if not self._task.check_mode and not arguments["judge_only"]:
                files.make_private_directory(arguments["password_path"], "one-time passwords")
            return None
        terminal = one_time.terminal()
        if terminal is None:
            raise InputError(
                "One-time passwords are shown on the operator's terminal, and this run has none. Name a directory for them in "
                "mtls_bundle_password_path, which is not that of the bundles. No bundle was made."
            )
        return terminal

    def _confirm(self, made: Mapping[str, Mapping[str, Any]], arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What the authority is once it counts these as issued."""
        confirmed = [
            {"name": name, "sha256": described["sha256"], "revoke_former": arguments["revoke_former"]} for name, described in made.items()
        ]
        everybody = [each["name"] for each in arguments["people"]]
        try:
            return self.ask_authority(arguments["authority"], confirmed=confirmed, names=everybody)
        except AnsibleError as error:
            raise AnsibleActionFail(
                f"The passwords of {', '.join(made)} were told, and nobody knows whether the authority noted that: give nothing out, and "
                f"run mutual.tls.issue_client for them again. {error}"
            ) from error

    def _vault(self) -> Any:
        """The vault secrets that this run was given."""
        return self._loader._vault


class _ServerCa:
    """The CA that signs for servers, in a file beside the bundles: people import it whose programs do not know it."""

    def __init__(self, arguments: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        found = newest(known, arguments["authority"]["server_name"])
        self.path = os.path.join(arguments["path"], pages.SERVER_CA)
        #: PEM; None where there is none yet.
        self.pem: str | None = found["pem"] if found is not None else None
        former = files.read_if_present(self.path)
        #: Whether people may have imported another one, and have to be told.
        self.is_another = self.pem is not None and former not in (None, self.pem.encode("ascii"))

    def write(self) -> None:
        """Have the file hold it."""
        if self.pem is not None:
            files.write_atomically(self.path, self.pem.encode("ascii"))


def _check_names(people: Sequence[bundles.Person], again: Sequence[str]) -> None:
    """Refuse people who would take each other's place, also on disks that do not tell upper from lower case, and names nobody has."""
    found: dict[str, str] = {}
    for person in people:
        other = found.setdefault(person.name.lower(), person.name)
        if other != person.name or sum(each.name == person.name for each in people) > 1:
            raise InputError(f"mtls_clients has '{other}' and '{person.name}': give each a name of its own.")
    unknown = [name for name in again if name.lower() not in found or found[name.lower()] != name]
    if unknown:
        raise InputError(
            f"A bundle is asked for '{unknown[0]}', and mtls_clients has nobody of that name who may have one"
            + (f"; it has: {', '.join(found.values())}." if found else ".")
        )


def _loses(certificates: Sequence[Mapping[str, Any]], generation: int) -> bool:
    """Whether somebody has a valid certificate, and only of CAs that go."""
    return any(each["state"] == "issued" for each in certificates) and not bundles.holds(certificates, generation)


def _generation(known: Mapping[str, Any], authority: Mapping[str, Any]) -> int:
    """The generation of the CA that will sign: the newest that is there, or the one that is wished."""
    name = authority["name"]
    wished = [int(each.get("generation", 1)) for each in authority["authorities"] if each.get("name") == name]
    found = newest(known, name)
    return max([*wished, int(found["generation"]) if found is not None else 1])


def _files_of(name: str, arguments: Mapping[str, Any]) -> list[str]:
    """Where the bundle of somebody, its page and its password would lie; nowhere for a name that no bundle has."""
    if not bundles.is_name(name):
        return []
    found = [os.path.join(arguments["path"], f"{name}.{suffix}") for suffix in (*bundles.SUFFIXES.values(), *pages.SUFFIXES)]
    if arguments["password_path"]:
        found += [os.path.join(arguments["password_path"], f"{name}.{suffix}") for suffix in ("txt", "vault")]
    return found
