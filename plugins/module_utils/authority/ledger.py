# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an authority issued and revoked: JSON lines that are only ever appended to.

A line says what became of one certificate; a later line of the same certificate counts more. What was answered is in the file and
on disk before. A last line without its end was written by a process that died, and answered nobody.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import StoreError
from ansible_collections.mutual.tls.plugins.module_utils.files import read_if_present

#: The name of a certificate that is made to see whether servers accept it, and revoked at once. It lasts for an hour.
PROBE = "(probe)"


@dataclass(frozen=True)
class Line:
    """One certificate at one moment; times are ISO 8601 in UTC."""

    time: str
    #: ``issued``, ``superseded`` or ``revoked``; ``pending`` until somebody has what opens the bundle that it is in.
    state: str
    #: Whose it is; an authority's own name for its certificate.
    name: str
    authority: str
    #: The generation of the authority that signed it.
    generation: int
    #: Lower-case hex.
    serial: str
    sha256: str
    subject: str
    not_before: str
    not_after: str
    #: SHA-256 of the SubjectPublicKeyInfo, hex: who holds which key.
    key_sha256: str
    #: Why it was revoked.
    reason: str | None = None
    #: Who signed it, if not the authority's own certificate did.
    issuer: str | None = None

    @classmethod
    def issued(
        cls, certificate: bytes, name: str, authority: str, generation: int, now: datetime.datetime, *, issuer: str | None = None
    ) -> Line:
        """A certificate (DER) that is handed out."""
        parsed = x509.load_certificate(certificate)
        return cls(
            time=x509.timestamp(now),
            state="issued",
            name=name,
            authority=authority,
            generation=generation,
            serial=f"{parsed.serial_number:x}",
            sha256=x509.sha256(certificate),
            subject=x509.format_name(parsed.subject),
            not_before=x509.timestamp(x509.not_before(parsed)),
            not_after=x509.timestamp(x509.not_after(parsed)),
            key_sha256=x509.key_sha256(parsed.public_key()),
            issuer=issuer,
        )

    def is_over(self, now: datetime.datetime) -> bool:
        """Whether the certificate has expired."""
        return self.not_after <= x509.timestamp(now)

    def state_at(self, now: datetime.datetime) -> str:
        """Its state, or ``expired``."""
        return "expired" if self.state in ("issued", "pending") and self.is_over(now) else self.state

    @property
    def is_probe(self) -> bool:
        """Whether it was made for a look only: it is over before servers would have a list, so none is made for its sake."""
        return self.name == PROBE

    @property
    def certificate(self) -> tuple[str, int, str, str]:
        """What names a certificate: serial numbers are an issuer's own."""
        return self.authority, self.generation, self.serial, self.issuer or ""

    def become(self, state: str, time: str, reason: str | None = None) -> Line:
        """The certificate in another state."""
        return replace(self, state=state, time=time, reason=reason)


_FIELDS = {field.name: field for field in fields(Line)}
_OPTIONAL = ("reason", "issuer")


class Ledger:
    """The lines of a file, and the certificates that they are about."""

    def __init__(self, path: str) -> None:
        self.path = path
        #: The last line of each certificate, in the order in which they were issued.
        self.certificates: dict[tuple[str, int, str, str], Line] = {}
        self._by_name: dict[str, dict[tuple[str, int, str, str], Line]] = {}
        self._end = 0
        self._read()

    def of(self, name: str) -> list[Line]:
        """The certificates of *name*, the oldest first."""
        return list(self._by_name.get(name, {}).values())

    def hand_out(self, line: Line) -> list[Line]:
        """The lines for a certificate that is handed out: those of the same holder and CA before it are superseded."""
        before = [each for each in self.of(line.name) if each.state == "issued" and each.authority == line.authority]
        return [*(each.become("superseded", line.time) for each in before), line]

    def confirm(self, line: Line, time: str, *, revoke: bool) -> list[Line]:
        """The lines for a pending certificate that its holder has now: those of the same holder and CA's name before it are over."""
        left = [each for each in self.of(line.name) if each.authority == line.authority and each.certificate != line.certificate]
        state, reason = ("revoked", "superseded") if revoke else ("superseded", None)
        over = [each.become(state, time, reason) for each in left if each.state not in (state, "revoked") and each.not_after > time]
        return [*over, line.become("issued", time)]

    def append(self, lines: Sequence[Line]) -> None:
        """Add lines; they are on disk afterwards. Raises OSError, after which the file holds what it held before."""
        if not lines:
            return
        text = "".join(json.dumps(asdict(line), separators=(",", ":")) + "\n" for line in lines).encode("utf-8")
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, self._end)  # what a process left that died while it wrote
            _write_whole(descriptor, text, self._end)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._end += len(text)
        self._take(lines)

    def _read(self) -> None:
        content = read_if_present(self.path)
        if content is None:
            return
        whole, _newline, torn = content.rpartition(b"\n")
        self._end = len(content) - len(torn)
        if whole:
            self._take(self._line(number, text) for number, text in enumerate(whole.split(b"\n"), start=1))

    def _take(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self.certificates[line.certificate] = line
            self._by_name.setdefault(line.name, {})[line.certificate] = line

    def _line(self, number: int, text: bytes) -> Line:
        try:
            found: Mapping[str, Any] = json.loads(text)
            values: dict[str, Any] = {name: found.get(name) if name in _OPTIONAL else found[name] for name in _FIELDS}
            return Line(**values)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"Line {number} of {self.path} cannot be read ({error}). It says what the authority issued and revoked, so nothing is "
                "done without it: put back the file from a backup.",
                path=self.path,
            ) from error


def _write_whole(descriptor: int, text: bytes, position: int) -> None:
    """Write at *position*; when the disk is full, what was there stays and nothing else."""
    try:
        written = 0
        while written < len(text):
            written += os.pwrite(descriptor, text[written:], position + written)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, position)
        raise
