# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an action on the controller asks of the host that has the authority. Keys that are made here never get there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError
from ansible_collections.mutual.tls.plugins.plugin_utils.on_host import answer

#: The option that says where an authority is, and what it is.
AUTHORITY: dict[str, Any] = {
    # Of the authority's host: the module expands it there.
    "path": {"type": "str", "required": True},
    "passphrase": {"type": "str", "required": True},
    "authorities": {"type": "list", "elements": "dict", "required": True},
    "name": {"type": "str", "default": "clients"},
}


class AsksAuthority(ActionBase):  # type: ignore[misc]  # Ansible has no types
    """An action whose task's host has the authority."""

    #: The variables of the task.
    _variables: Mapping[str, Any] = {}

    def ask_authority(self, authority: Mapping[str, Any], **asked: Any) -> dict[str, Any]:
        """What the module authority answers; *authority* is the option of that name."""
        return self.ask("authority", **{name: authority[name] for name in ("path", "passphrase", "authorities")}, **asked)

    def ask(self, module: str, **arguments: Any) -> dict[str, Any]:
        """What a module of this collection answers there."""
        try:
            result = self._execute_module(module_name=f"mutual.tls.{module}", module_args=arguments, task_vars=self._variables)
        except AnsibleConnectionFailure as error:
            raise AnsibleActionFail(f"The authority's host was not reached: {error}") from error
        if result.get("failed") or result.get("unreachable"):
            raise AnsibleActionFail(str(result.get("msg", "the authority's host did not answer")))
        return answer(result)

    def sign(self, authority: Mapping[str, Any], keys: Mapping[str, Any], wishes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """The authority's answer once it signed for these *keys*, by name; each is pending until it is confirmed.

        *wishes*: name -> C(subject), C(subject_alt_name) and C(valid_for), as the module takes them.
        """
        requests = [
            {
                "name": name,
                "authority": authority["name"],
                "csr_content": x509.signing_request(
                    keys[name], x509.parse_name(wish["subject"]), x509.parse_alternative_names(wish["subject_alt_name"])
                ),
                "usages": ["client"],
                "pending": True,
                **wish,
            }
            for name, wish in wishes.items()
        ]
        return self.ask_authority(authority, requests=requests)


def signed_chain(answered: Mapping[str, Any], name: str, key: Any) -> tuple[bytes, ...]:
    """The chain (DER, leaf first) that was signed for *key*. What comes from the authority's host is judged before it is used."""
    chain = tuple(x509.pem_to_der(answered["issued"][name]["chain_pem"], name))
    if not x509.certifies(chain[0], key):
        raise InputError(f"The authority's host answered with a certificate of another key for '{name}'.")
    return chain


def as_it_is(authority: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The option without other generations of the CAs than those that are there, as the module authority_info knows them."""
    return {**authority, "authorities": [_present(wish, newest(known, wish["name"])) for wish in authority["authorities"]]}


def newest(known: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """The CA of that name of the latest generation, as the module authority_info describes it."""
    found = [each for each in known["authorities"] if each["name"] == name]
    return max(found, key=lambda each: int(each["generation"]), default=None)


def _present(wish: Mapping[str, Any], found: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**wish, "generation": int(found["generation"])} if found is not None else dict(wish)
