# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must change so that a product's settings are as desired, and why: named values, some of them secrets.

The same decision serves every place where a product keeps its settings (a registry, a file): the caller reads all of them,
asks ``plan`` for the changes, and writes what ``settle`` returns, in its order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

from ansible_collections.mutual.tls.plugins.module_utils import seals
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError

HIDDEN = "(hidden)"
HIDDEN_NEW = "(hidden, to be stored anew)"
SET = "set"
REMOVE = "remove"

# Values under such names are not shown, even where they were not given as secrets: what is to be removed or replaced may be one.
_SECRET_NAME = re.compile(r"pass(word|wd|phrase)|pwd|secret|token|credential", re.IGNORECASE)


@dataclass(frozen=True)
class Desired:
    """What the settings are to be. No name may be in two of the three mappings."""

    values: Mapping[str, str | None] = field(default_factory=dict)  # plain; None = absent
    secrets: Mapping[str, str] = field(default_factory=dict)  # plaintexts of what is stored encrypted, under one seal
    encrypted: Mapping[str, str] = field(default_factory=dict)  # stored exactly as given, compared exactly, never shown
    seal_name: str = seals.DEFAULT_SEAL_NAME

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for option, mapping in (("values", self.values), ("secrets", self.secrets), ("encrypted", self.encrypted)):
            for name, value in mapping.items():
                if not name:
                    raise InputError(f"A setting in '{option}' has an empty name.")
                if name in seen:
                    raise InputError(f"The setting '{name}' is in '{seen[name]}' and in '{option}'; name it once.", name=name)
                if option != "values" and not value:
                    raise InputError(f"The setting '{name}' in '{option}' is empty; to remove it, set it to null in 'values'.", name=name)
                seen[name] = option
        if self.secrets and self.seal_name in seen:
            raise InputError(f"'{self.seal_name}' names the seal of the secrets, so it cannot be in '{seen[self.seal_name]}' too.")
        if self.secrets and not self.seal_name:
            raise InputError("The name of the seal is empty; without a seal nobody can tell whether the secrets are already stored.")

    @property
    def names(self) -> list[str]:
        """Every name that is managed, the seal's last."""
        seal = [self.seal_name] if self.secrets else []
        return sorted([*self.values, *self.secrets, *self.encrypted]) + seal

    def hides(self, name: str) -> bool:
        """Whether the value of *name* is never shown."""
        return name in self.secrets or name in self.encrypted or name == self.seal_name or _SECRET_NAME.search(name) is not None


@dataclass(frozen=True)
class SettingChange:
    """One setting that is to be changed; *before* and *after* are masked where the setting is secret."""

    name: str
    action: str  # SET or REMOVE
    reason: str
    before: str | None
    after: str | None

    def as_result(self) -> dict[str, str]:
        """The public part: what a module returns."""
        return {"name": self.name, "action": self.action, "reason": self.reason}


def plan(desired: Desired, actual: Mapping[str, str], staged: Iterable[str] = ()) -> list[SettingChange]:
    """What must change so that *actual* (name -> value, all settings of the place) becomes *desired*: in the order of writing.

    *staged* are names of which an earlier, unfinished run left changes that are not active: they are written again.
    """
    pending = set(staged)
    changes: list[SettingChange] = []
    for name in sorted([*desired.values, *desired.encrypted]):
        wanted = desired.values[name] if name in desired.values else desired.encrypted[name]
        reason = _why(wanted, actual.get(name), name in pending)
        if reason:
            changes.append(_change(desired, name, reason, actual.get(name), wanted))
    changes.extend(_secret_changes(desired, actual, pending))
    return changes


def settle(
    desired: Desired, actual: Mapping[str, str], changes: Iterable[SettingChange], encrypt: Callable[[str], str], salt: bytes | None = None
) -> dict[str, str | None]:
    """What to write for *changes*: name -> value, or None to remove it; in the order of writing, the seal last.

    *encrypt* is called for each secret that is to be stored anew; whether that is so was decided by ``plan``.
    """
    kept = _holds(desired, actual)  # then a secret among the changes was only staged over: it is written as it is stored
    writes: dict[str, str | None] = {}
    fresh: dict[str, str] = {}
    for change in changes:
        if change.name in desired.values:
            writes[change.name] = desired.values[change.name]
        elif change.name in desired.encrypted:
            writes[change.name] = desired.encrypted[change.name]
        elif change.name in desired.secrets:
            fresh[change.name] = actual[change.name] if kept else encrypt(desired.secrets[change.name])
            writes[change.name] = fresh[change.name]
        elif change.name == desired.seal_name:
            writes[change.name] = actual[desired.seal_name] if kept else seals.make(desired.secrets, {**actual, **fresh}, salt=salt)
    return writes


def diff(desired: Desired, actual: Mapping[str, str], changes: Iterable[SettingChange], header: str) -> dict[str, str]:
    """The managed settings before and after, one a line, in Ansible's form; secrets masked, and nothing but the managed names."""
    changed = {change.name: change for change in changes}
    before: list[str] = []
    after: list[str] = []
    for name in desired.names:
        was = (HIDDEN if desired.hides(name) else actual[name]) if name in actual else None
        if was is not None:
            before.append(f"{name}: {was}\n")
        change = changed.get(name)
        if change is None and was is not None:
            after.append(f"{name}: {was}\n")
        elif change is not None and change.action == SET:
            after.append(f"{name}: {HIDDEN_NEW if desired.hides(name) else change.after}\n")
    return {"before_header": header, "after_header": header, "before": "".join(before), "after": "".join(after)}


def plain_values(values: Mapping[Any, Any], option: str = "values") -> dict[str, str | None]:
    """The option *values* as text: null means absent, booleans become ``true``/``false``, numbers their digits."""
    plain: dict[str, str | None] = {}
    for name, value in values.items():
        if value is None or isinstance(value, str):
            plain[str(name)] = value
        elif isinstance(value, bool):
            plain[str(name)] = "true" if value else "false"
        elif isinstance(value, (int, float)):
            plain[str(name)] = str(value)
        else:
            raise InputError(f"The setting '{name}' in '{option}' is a {type(value).__name__}; it may be a text, number, boolean or null.")
    return plain


def secret_values(secrets: Mapping[Any, Any], option: str) -> dict[str, str]:
    """The option *secrets*: texts only, because YAML reads an unquoted 0123 or yes as something else than was written."""
    for name, value in secrets.items():
        if not isinstance(value, str):
            raise InputError(f"The setting '{name}' in '{option}' is not a text; put it in quotes, so that YAML leaves it as it is.")
    return {str(name): value for name, value in secrets.items()}


def _why(wanted: str | None, found: str | None, pending: bool) -> str | None:
    if pending:
        return "a change of it was staged and never activated"
    if wanted == found:
        return None
    if wanted is None:
        return "it is to be absent"
    return "it is not there" if found is None else "its value differs"


def _change(desired: Desired, name: str, reason: str, before: str | None, after: str | None) -> SettingChange:
    hidden = desired.hides(name)
    return SettingChange(
        name,
        REMOVE if after is None else SET,
        reason,
        HIDDEN if hidden and before is not None else before,
        HIDDEN if hidden and after is not None else after,
    )


def _holds(desired: Desired, actual: Mapping[str, str]) -> bool:
    return seals.holds(actual.get(desired.seal_name), desired.secrets, actual)


def _secret_changes(desired: Desired, actual: Mapping[str, str], pending: set[str]) -> list[SettingChange]:
    """One seal serves all secrets, so either all of them are right or all are stored anew."""
    names = [*sorted(desired.secrets), desired.seal_name] if desired.secrets else []
    if _holds(desired, actual):
        # What is active is right; what was staged over it has to be put back to it.
        reasons = {name: "a change of it was staged and never activated" for name in names if name in pending}
    else:
        stored = [name for name in desired.secrets if name in actual]
        if not stored:
            reasons = dict.fromkeys(names, "it is not there")
        elif desired.seal_name not in actual:
            reasons = dict.fromkeys(names, "nothing says of which secret the stored text was made")
        else:
            reasons = dict.fromkeys(names, "the seal does not say that the stored texts were made of the given secrets")
        for name in names:
            if name not in actual:
                reasons[name] = "it is not there"
        if desired.seal_name in actual or stored:
            reasons[desired.seal_name] = "the secrets that it seals are stored anew"
    return [_change(desired, name, reasons[name], actual.get(name), HIDDEN) for name in names if name in reasons]
