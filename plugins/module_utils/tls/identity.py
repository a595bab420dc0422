# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client presents: a member's private key and certificates, or those of a stranger."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.crypto import NameOID
from ansible_collections.mutual.tls.plugins.module_utils.crypto import x509 as crypto_x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import TrustError

if TYPE_CHECKING:
    from ansible_collections.mutual.tls.plugins.module_utils.entries import SigningKey


@dataclass(frozen=True)
class Identity:
    """What a client presents: a private key and its certificates (DER, leaf first)."""

    key: SigningKey = field(repr=False)
    chain: Sequence[bytes] = field(repr=False)


def stranger(common_name: str, now: datetime.datetime | None = None) -> Identity:
    """An identity that nobody trusts, made in memory: a fresh self-signed leaf, valid from an hour ago for a day.

    Its *common_name* may be a member's: whoever goes by names instead of by keys takes it for that member.
    """
    start = (now or datetime.datetime.now(datetime.timezone.utc)) - datetime.timedelta(hours=1)
    # X.520 allows 64 characters, and the certificate that lends its name may have more.
    subject = crypto_x509.Name([crypto_x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64] or "stranger")])
    key = x509.generate_key("EC")
    certificate = x509.self_signed(key, subject, [], now=start + x509.BACKDATE, valid_for=datetime.timedelta(hours=25) - x509.BACKDATE)
    return Identity(key, [certificate])


def common_name_of(certificate: bytes) -> str | None:
    """The subject's common name in a certificate (DER), or None when it has none or cannot be read."""
    try:
        names = x509.load_certificate(certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except (TrustError, ValueError):
        return None
    return str(names[0].value) if names else None
