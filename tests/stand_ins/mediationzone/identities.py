# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a pico's properties to the keystores that RCP and HTTP use. Apart from settings.py, because mzsh needs no cryptography."""

from __future__ import annotations

from mediationzone.keystores import Store, read_store
from mediationzone.passwords import decrypt
from mediationzone.settings import Settings, SettingsError
from mediationzone.tls import Material


class Stores:
    """Opens keystores; RCP and HTTP often name the same one, and each keytool call costs a JVM."""

    def __init__(self) -> None:
        self._opened: dict[tuple[str, str], Store] = {}

    def _open(self, path: str, password: str) -> Store:
        if (path, password) not in self._opened:
            self._opened[path, password] = read_store(path, password)
        return self._opened[path, password]

    def rcp(self, settings: Settings) -> Material | None:
        """None: no keystore is set, RCP is plain TCP."""
        prefix = "pico.rcp.tls"
        path = settings.text(f"{prefix}.keystore")
        if not path:
            return None
        password = self._password(settings, f"{prefix}.keystore.password")
        key_password = self._password(settings, f"{prefix}.key.password")
        return self._material(path, password, key_password, settings.text(f"{prefix}.keystore.alias"))

    def http(self, settings: Settings) -> Material | None:
        """None: mz.httpd.security is not true, the web port is plain HTTP."""
        prefix = "mz.httpd.security"
        if not settings.flag(prefix):
            return None
        path = settings.text(f"{prefix}.keystore")
        if not path:
            raise SettingsError(f"{prefix} is true and {prefix}.keystore is not set")
        password = self._password(settings, f"{prefix}.keystore.password")
        # The product's page: empty by default, and keytool makes the key password equal to the store password.
        empty = not settings.text(f"{prefix}.key.password")
        key_password = password if empty else self._password(settings, f"{prefix}.key.password")
        return self._material(path, password, key_password, settings.text(f"{prefix}.key.alias"))

    def _material(self, path: str, password: str, key_password: str, alias: str) -> Material:
        store = self._open(path, password)
        return Material(store, store.choose(alias), key_password)

    @staticmethod
    def _password(settings: Settings, name: str) -> str:
        value = settings.text(name)
        if not value:
            raise SettingsError(f"{name} is not set")
        return decrypt(value, name)
