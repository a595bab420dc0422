# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be restarted, measured: a restart is pending while a running process has not loaded what is on disk.

Nothing is remembered between runs. A process that started before its keystore was written, that serves another
certificate, or that lets in whom it should refuse has not loaded it; so a run that died before a restart is finished by the next.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import EndpointFacts, Facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Endpoint, Member, System


@dataclass(frozen=True)
class Restart:
    """One process of one member that is to be restarted, or started."""

    member: str
    process: str
    tier: str
    reason: str


def activation(system: System, facts: Mapping[str, Facts], causes: Mapping[str, str]) -> list[Restart]:
    """The restarts that are due; *causes* (member -> reason) are the changes that this run makes.

    When a platform restarts, everything that runs for it does: its processes start before those that connect to it.
    """
    # Processes of a tier that the product does not start are somebody else's to restart.
    processes = [
        (member, endpoint)
        for member in system.members.values()
        if facts[member.name].reached and not member.revoked
        for endpoint in member.endpoints
        if endpoint.tier in system.adapter.start_order
    ]
    views = _views(system, facts)
    restarts = []
    for member, endpoint in processes:
        reason = _reason(system, member, endpoint, facts[member.name], views, causes.get(member.name))
        if reason is not None:
            restarts.append(Restart(member.name, endpoint.name, endpoint.tier, reason))
    platforms = [restart for restart in restarts if restart.tier == system.adapter.start_order[0]]
    if platforms and system.adapter.activation == "restart":
        due = {(restart.member, restart.process) for restart in restarts}
        restarts.extend(
            Restart(member.name, endpoint.name, endpoint.tier, f"'{platforms[0].member}' restarts, and this runs for it")
            for member, endpoint in processes
            if (member.name, endpoint.name) not in due
        )
    return restarts


def old_and_new_fit(
    system: System, facts: Mapping[str, Facts], restarts: Sequence[Restart], identities: Collection[str], accepted: Collection[str] = ()
) -> bool:
    """Whether what is restarted works together with what is not yet, so that one process may follow the other.

    It does not when a process gets another certificate than the one that it serves, which the others have not loaded; *identities*
    are the members whose own certificate this run changes. In phases they have, where what it serves now is among *accepted*
    (fingerprints): what may take its place was decided before anything was changed.
    """
    for restart in restarts:
        member, measured = system.members[restart.member], facts[restart.member]
        serving = measured.endpoints.get(restart.process)
        if system.phased and serving is not None and serving.served_sha256 in accepted:
            continue
        if restart.member in identities or (system.holds_copy(member) and system.shared_source().name in identities):
            return False
        if measured.store is not None and measured.store.new_identity:
            return False
        found = measured.endpoints.get(restart.process)
        identity = measured.store.identity(system.key_alias(member)) if measured.store is not None else None
        if found is not None and found.listening and (identity is None or found.served_sha256 != identity.sha256):
            return False
    return True


def is_loaded(system: System, member: Member, measured: Facts) -> bool:
    """Whether each process of the member that can be seen has loaded what lies on disk, and this run has not changed that since.

    What does not listen reads its files, as far as anybody knows, when it connects.
    """
    if measured.store is not None and (measured.store.changed or measured.store.new_identity):
        return False
    # What listens in tiers that the product does not start is somebody else's, and nothing of ours.
    own = (endpoint for endpoint in member.endpoints if endpoint.port is not None and endpoint.tier in system.adapter.start_order)
    found = (measured.endpoints.get(endpoint.name) for endpoint in own)
    return all(each is None or _unloaded(system, member, measured, each) is None for each in found)


def _views(system: System, facts: Mapping[str, Facts]) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """(server, endpoint) -> observer -> what it saw there: of the observers that the server treats as clients from outside."""
    views: dict[tuple[str, str], dict[str, str]] = {}
    for observer in system.members.values():
        for (server, endpoint), seen in facts[observer.name].observed.items():
            if server in system.members and system.is_outside(observer, system.members[server]):
                views.setdefault((server, endpoint), {})[observer.name] = seen
    return views


def _reason(
    system: System,
    member: Member,
    endpoint: Endpoint,
    measured: Facts,
    views: Mapping[tuple[str, str], Mapping[str, str]],
    cause: str | None,
) -> str | None:
    """Why the process must be restarted; the first reason that holds."""
    if cause is not None:
        return cause
    if measured.store is not None and measured.store.changed:
        return "its keystore changed in this run"
    if measured.settings is not None and measured.settings.changed:
        return "its settings changed in this run"
    if measured.gateway is not None and measured.gateway.changed:
        return "its gateway's configuration changes in this run"
    found = measured.endpoints.get(endpoint.name)
    if endpoint.port is None or found is None:
        return None
    return _unloaded(system, member, measured, found) or _lax(system, views.get((member.name, endpoint.name), {}))


def _unloaded(system: System, member: Member, measured: Facts, found: EndpointFacts) -> str | None:
    """Why the listening process has not loaded the member's keystore."""
    if not found.listening:
        return "it is not running"
    store = measured.store
    if store is None or not store.present:
        return None
    if not found.tls:
        return "it does not speak TLS yet"
    read = ("its keystore was", store.modified) if measured.pem is None else ("its PEM files were", measured.pem.modified)
    written = measured.settings.modified if measured.settings is not None else None
    gateway = measured.gateway.modified if measured.gateway is not None else None
    for what, when in (read, ("its settings were", written), ("its gateway's configuration was", gateway)):
        if found.started is not None and when is not None and found.started < when:
            return f"it was started before {what} last written"
    identity = store.identity(system.key_alias(member))
    if identity is not None and found.served_sha256 is not None and found.served_sha256 != identity.sha256:
        return "it serves another certificate than the one in its keystore"
    return None


def _lax(system: System, views: Mapping[str, str]) -> str | None:
    """Whether all others saw the process let in, or refuse, clients without certificate against the wish.

    All of them: or one host that lies could have the system restarted at every run. Where they differ the matrix judges.
    """
    wished = "required" if system.client_auth == "required" else "not_required"
    if not views or wished in views.values():
        return None
    verb = "lets in" if wished == "required" else "refuses"
    return f"it {verb} clients without a certificate, as '{next(iter(views))}' saw"
