# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Execution Container's copy of the active registry, fetched from the Platform's web port; no disk is shared between containers."""

from __future__ import annotations

from pathlib import Path

from mediationzone.layout import Layout
from mediationzone.registry import ACTIVE, Files, Registry, containers
from mediationzone.settings import Settings, effective


def is_platform(files: Files, container: str) -> bool:
    return bool(files.get(f"containers/{container}/container.conf", {}).get("kind") == "platform")


def platform_web(files: Files, home: Path, container: str) -> tuple[str, int, bool]:
    """Host and web port of the Platform, and whether our copy of the topology says that it speaks HTTPS."""
    own = effective(files, home, container, "", {})
    secure = False
    for name in containers(files):
        if is_platform(files, name):
            theirs: Settings = effective(files, home, name, "", {})
            secure = secure or theirs.text("mz.httpd.security") == "true"
    return own.text("pico.rcp.platform.host", "127.0.0.1"), own.port("mz.webserver.port", 9000), secure


def refresh(home: Path, container: str) -> bool:
    """Bring the copy up to date. False when the Platform is away: the old copy is used, as the product does."""
    # Imported here because http.client and ssl cost every mzsh call time that most of them need not spend.
    from mediationzone.web import PlatformAwayError, ask

    registry = Registry(Layout(home).cell)
    with registry.locked():
        files = registry.load(ACTIVE)
    host, port, secure = platform_web(files, home, container)
    try:
        fresh = ask((host, port), secure, "GET", "/registry/active")
    except PlatformAwayError:
        return False
    if fresh != files:
        with registry.locked():
            registry.store(ACTIVE, fresh)
    return True
