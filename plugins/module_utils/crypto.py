# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is used of the ``cryptography`` package, imported in one place.

A host without the package must get a sentence, not a traceback: so files that build on it can be imported there too, and
require() is what the edges call before anything else.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ansible_collections.mutual.tls.plugins.module_utils.errors import DependencyError

#: What Debian 11 has.
OLDEST = (3, 3)

_missing: str | None = None

try:
    import cryptography
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import constant_time, hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.asymmetric import padding as signature_padding
    from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    try:  # where it is since cryptography 43, which deprecates the old place
        from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    except ImportError:
        from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES
except ImportError as error:
    _missing = str(error)
    if not TYPE_CHECKING:

        class _Absent:
            """Whatever is asked of the absent package, as far as reading a source file asks for it."""

            def __getattr__(self, name: str) -> Any:
                if name.startswith("__"):
                    raise AttributeError(name)
                return _Absent()

            def __call__(self, *_arguments: Any, **_options: Any) -> Any:
                return _Absent()

        class _AbsentError(Exception):
            """For what is caught by name; nothing raises it."""

        InvalidSignature = UnsupportedAlgorithm = _AbsentError
        cryptography = x509 = constant_time = hashes = serialization = _Absent()
        ec = ed25519 = rsa = signature_padding = Cipher = CipherContext = TripleDES = algorithms = modes = PBKDF2HMAC = _Absent()
        ExtendedKeyUsageOID = NameOID = _Absent()


def require() -> None:
    """Raise DependencyError unless the package is there, and new enough."""
    oldest = ".".join(str(part) for part in OLDEST)
    remedy = (
        f"Install the distribution's python3-cryptography (or 'pip install cryptography') for {sys.executable}, "
        "or set ansible_python_interpreter to a Python that has it."
    )
    if _missing is not None:
        raise DependencyError(f"The Python package cryptography (>= {oldest}) cannot be imported on this host: {_missing}. {remedy}")
    version = tuple(int(part) for part in cryptography.__version__.split(".")[:2])
    if version < OLDEST:
        raise DependencyError(f"The Python package cryptography is {cryptography.__version__}; {oldest} or newer is needed. {remedy}")


__all__ = [
    "PBKDF2HMAC",
    "Cipher",
    "CipherContext",
    "ExtendedKeyUsageOID",
    "InvalidSignature",
    "NameOID",
    "TripleDES",
    "UnsupportedAlgorithm",
    "algorithms",
    "constant_time",
    "ec",
    "ed25519",
    "hashes",
    "modes",
    "require",
    "rsa",
    "serialization",
    "signature_padding",
    "x509",
]
