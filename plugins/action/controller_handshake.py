# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mutual.tls.controller_handshake: handshakes from the controller, as people make them; the task's host has the authority.

What is presented as a person's certificate is made for the look: its key never leaves this process, it lasts for an hour, the
authority never counts it as issued, and revokes it once the handshakes are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError

from ansible_collections.mutual.tls.plugins.module_utils import crypto, x509
from ansible_collections.mutual.tls.plugins.module_utils.authority.ledger import PROBE
from ansible_collections.mutual.tls.plugins.module_utils.errors import MtlsError
from ansible_collections.mutual.tls.plugins.module_utils.tls.identity import Identity, stranger
from ansible_collections.mutual.tls.plugins.module_utils.tls.probes import Probe, probe_all, probe_options
from ansible_collections.mutual.tls.plugins.plugin_utils.authority_host import AUTHORITY, AsksAuthority, as_it_is, newest, signed_chain

_PROBE = probe_options(["nothing", "stranger", "person"], default="nothing")

ARGUMENT_SPEC: dict[str, Any] = {
    "probes": {"type": "list", "elements": "dict", "required": True, "options": _PROBE},
    "trust_content": {"type": "list", "elements": "str", "required": True},
    "authority": {"type": "dict", "options": AUTHORITY},
}

_SUBJECT = "CN=mutual.tls probe"
#: As long as clocks may be wrong: who judges it may be ahead of who signs.
_LASTS = "1h"


class ActionModule(AsksAuthority):
    """Makes handshakes in this process."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """How the handshakes ended, whatever was expected; fails where one could not be begun."""
        super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        self._variables = task_vars or {}
        if self._task.check_mode:
            return {"changed": False, "skipped": True}
        try:
            crypto.require()
            return self._look(arguments)
        except MtlsError as error:
            raise AnsibleActionFail(str(error)) from error

    def _look(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        wishes = arguments["probes"]
        trusted = [certificate for text in arguments["trust_content"] for certificate in x509.pem_to_der(text, "'trust_content'")]
        if not any(wish["present"] == "person" for wish in wishes):
            return _handshakes(wishes, trusted, None)
        if arguments["authority"] is None:
            raise AnsibleActionFail("'authority' is needed: a probe presents what it signs for people.")
        known = self.ask("authority_info", path=arguments["authority"]["path"])
        if newest(known, arguments["authority"]["name"]) is None:
            raise AnsibleActionFail(f"There is no CA '{arguments['authority']['name']}' yet to sign what a person would present.")
        authority = as_it_is(arguments["authority"], known)
        key = x509.generate_key("EC")
        signed = self.sign(authority, {PROBE: key}, {PROBE: {"subject": _SUBJECT, "subject_alt_name": [], "valid_for": _LASTS}})
        try:
            return _handshakes(wishes, trusted, Identity(key, signed_chain(signed, PROBE, key)))
        finally:
            self._revoke(authority)

    def _revoke(self, authority: Mapping[str, Any]) -> None:
        """Nobody has the key any more, whatever comes of this."""
        try:
            self.ask_authority(authority, revoked=[{"name": PROBE, "reason": "cessation_of_operation"}])
        except AnsibleError as error:
            self._display.warning(f"The certificate that was made for a look is not revoked, and ends by itself within {_LASTS}: {error}")


def _handshakes(wishes: Sequence[Mapping[str, Any]], trusted: Sequence[bytes], person: Identity | None) -> dict[str, Any]:
    identities = {"nothing": None, "stranger": stranger("somebody"), "person": person}
    outcomes = probe_all([Probe.from_options(wish, identities[wish["present"]], trusted) for wish in wishes])
    results = [outcome.to_result(wish) for wish, outcome in zip(wishes, outcomes)]
    return {"changed": False, "results": results, "unexpected": [each["name"] for each in results if not each["as_expected"]]}
