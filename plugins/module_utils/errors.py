# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of the core, one class for each cause that a caller can act upon.

The message is a sentence for the person who reads it at night: what is wrong, in which file or
option, what was expected, what to do. ``details`` carries the same as data.
"""

from __future__ import annotations

from typing import Any


class MtlsError(Exception):
    """Whatever the core refuses; the edge turns it into a failed task."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


class InputError(MtlsError):
    """A wish that cannot be carried out as it was written; nothing was touched."""


class DependencyError(MtlsError):
    """A library or program that the host lacks."""


class StoreError(MtlsError):
    """A keystore that cannot be read or written; never to be taken for an absent one."""


class PasswordError(StoreError):
    """The password does not open the store, or the store does not have the contents it was sealed with."""


class UnsupportedStoreError(StoreError):
    """The store is of a kind, or uses an algorithm, that is not supported."""


class TrustError(MtlsError):
    """A certificate that must not be trusted."""


class PeerError(MtlsError):
    """A product or a peer that did not do what it was asked for."""
