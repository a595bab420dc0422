# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A company's certificate authority, kept by openssl: a root that is rarely used, and a CA below it that signs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_CONFIGURATION = """
[req]
distinguished_name = req
prompt = no
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[issuing]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[lists]
authorityKeyIdentifier = keyid
[ca]
default_ca = kept
[kept]
database = {root}/$ENV::CA.index
crlnumber = {root}/$ENV::CA.crlnumber
certificate = {root}/$ENV::CA.crt
private_key = {root}/$ENV::CA.key
default_md = sha256
default_crl_days = 30
crl_extensions = lists
"""


@dataclass
class Company:
    """The authority's own directory, of which the system never sees more than certificates and lists."""

    path: Path

    def start(self) -> None:
        """Make the root, the CA below it, and a list of each."""
        self.path.mkdir()
        (self.path / "openssl.cnf").write_text(_CONFIGURATION.format(root=self.path), encoding="ascii")
        for ca in ("root", "issuing"):
            (self.path / f"{ca}.index").touch()
            (self.path / f"{ca}.crlnumber").write_text("01\n", encoding="ascii")
            self._openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{ca}.key")
        given = ("-config", "openssl.cnf", "-subj", "/O=Example/CN=Example root", "-days", "900")
        self._openssl("req", "-x509", "-key", "root.key", *given, "-extensions", "root", "-out", "root.crt")
        self._openssl(
            "req", "-new", "-key", "issuing.key", "-config", "openssl.cnf", "-subj", "/O=Example/CN=Example issuing CA", "-out", "csr"
        )
        extensions = ("-extfile", "openssl.cnf", "-extensions", "issuing")
        self._openssl(
            "x509", "-req", "-in", "csr", "-CA", "root.crt", "-CAkey", "root.key", *extensions, "-days", "800", "-out", "issuing.crt"
        )

    def publish(self, directory: Path, generation: int = 1) -> None:
        """Put the root and the lists where the system looks for them, for hosts and for people alike."""
        directory.mkdir(exist_ok=True, mode=0o755)
        for name in (f"system-{generation}", f"clients-{generation}"):
            (directory / f"{name}.crt.pem").write_text(self._read("root.crt"), encoding="ascii")
            (directory / f"{name}.crl.pem").write_text("".join(map(self._list, ("root", "issuing"))), encoding="ascii")

    def sign(self, directory: Path, *, days: int = 100) -> list[str]:
        """Sign every request in the directory, and put each certificate, with the issuing CA's, where it is taken from; the names."""
        requests = sorted((directory / "requests").glob("*.csr.pem"))
        for request in requests:
            name = request.name.removesuffix(".csr.pem")
            signer = ("-CA", "issuing.crt", "-CAkey", "issuing.key", "-days", str(days))
            signed = f"{name}.{len(list(self.path.glob(f'{name}.*.crt')))}.crt"
            self._openssl("x509", "-req", "-in", str(request), "-extfile", str(request.parent / f"{name}.ext"), *signer, "-out", signed)
            (directory / "certificates" / f"{name}.pem").write_text(self._read(signed) + self._read("issuing.crt"), encoding="ascii")
        return [request.name.removesuffix(".csr.pem") for request in requests]

    def revoke(self, name: str) -> None:
        """Revoke all that the issuing CA ever signed for somebody: what was replaced may be in other hands."""
        for certificate in sorted(self.path.glob(f"{name}.*.crt")):
            self._openssl("ca", "-config", "openssl.cnf", "-revoke", certificate.name, ca="issuing")

    def _list(self, ca: str) -> str:
        self._openssl("ca", "-config", "openssl.cnf", "-gencrl", "-out", f"{ca}.crl", ca=ca)
        return self._read(f"{ca}.crl")

    def _read(self, name: str) -> str:
        return (self.path / name).read_text(encoding="ascii")

    def _openssl(self, *arguments: str, ca: str = "root") -> None:
        environment = {"PATH": "/usr/bin:/bin", "CA": ca}
        done = subprocess.run(["openssl", *arguments], cwd=self.path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
