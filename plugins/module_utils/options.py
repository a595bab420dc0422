# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several modules share."""

from __future__ import annotations

from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils.authority.wishes import REASONS, USAGES
from ansible_collections.mutual.tls.plugins.module_utils.bundles import KINDS, READERS, SUFFIXES
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import REGENERATE, SIGNERS
from ansible_collections.mutual.tls.plugins.module_utils.x509 import CURVES, KEY_TYPES


def identity_option() -> dict[str, Any]:
    """The option C(identity): a new description at each call, because a module may add to it."""
    return {
        "type": "dict",
        "options": {
            "alias": {"type": "str", "required": True},
            "subject": {"type": "str"},
            "subject_alt_name": {"type": "list", "elements": "str"},
            "key_type": {"type": "str", "choices": list(KEY_TYPES)},
            "key_size": {"type": "int", "no_log": False},
            "curve": {"type": "str", "choices": list(CURVES)},
            "valid_for": {"type": "str", "default": "825d"},
            "renew_before": {"type": "str", "default": "30d"},
            "generation": {"type": "int", "default": 1},
            "certificate_content": {"type": "str"},
            "regenerate": {"type": "str", "choices": list(REGENERATE), "default": "partial_idempotence"},
            "revoked_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "signer": {"type": "str", "choices": list(SIGNERS), "default": "any"},
            "csr": {"type": "bool", "default": False},
        },
    }


def requests_option(**more: dict[str, Any]) -> dict[str, Any]:
    """The option C(requests) of an authority's modules; *more* is what one of them asks beside."""
    return {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "authority": {"type": "str", "required": True},
            "csr_content": {"type": "str", "required": True},
            "subject": {"type": "str", "required": True},
            "subject_alt_name": {"type": "list", "elements": "str", "default": []},
            "usages": {"type": "list", "elements": "str", "choices": list(USAGES), "default": list(USAGES)},
            "valid_for": {"type": "str", "default": "825d"},
            **more,
        },
    }


def person_options() -> dict[str, Any]:
    """The options of one person, or desktop, that connects and is nobody's host."""
    return {
        "name": {"type": "str", "required": True},
        "kind": {"type": "str", "choices": list(KINDS), "default": "browser"},
        "state": {"type": "str", "choices": ["present", "revoked"], "default": "present"},
        "subject": {"type": "str"},
        "subject_alt_name": {"type": "list", "elements": "str", "default": []},
        "valid_for": {"type": "str", "default": "365d"},
        "renew_before": {"type": "str", "default": "30d"},
        "key_type": {"type": "str", "choices": ["EC", "RSA"], "default": "EC"},
        "readers": {"type": "list", "elements": "str", "choices": list(READERS), "default": []},
        "formats": {"type": "list", "elements": "str", "choices": list(SUFFIXES), "default": ["pkcs12"]},
    }


def revoked_option() -> dict[str, Any]:
    """The option C(revoked) of an authority's modules."""
    return {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "reason": {"type": "str", "choices": list(REASONS), "default": "unspecified"},
        },
    }
