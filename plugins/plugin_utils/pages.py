# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page that a person gets with a bundle: what it is, and how to install it. Nothing in it is secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.bundles import READERS, Person

#: How the pages' names end, after the person's name.
SUFFIXES = ("html", "txt")
#: The certificate by which people's programs know the servers, beside the pages.
SERVER_CA = "server_ca.crt"


def pages(
    person: Person, certificate: Mapping[str, Any], server_ca: str | None, arguments: Mapping[str, Any]
) -> Iterator[tuple[str, bytes]]:
    """(file name, content) of each page, for the *certificate* as x509.describe describes it, and the servers' CA (PEM)."""
    ca = x509.sha256(x509.pem_to_der(server_ca, SERVER_CA)[0]) if server_ca is not None else None
    # Names and addresses are an inventory's: in HTML they are text, and never markup.
    environment = Environment(
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        loader=FileSystemLoader(arguments["templates"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for suffix in SUFFIXES:
        text = environment.get_template(f"page.{suffix}.j2").render(
            name=person.name,
            kind=person.kind,
            files=person.file_names(),
            readers=[READERS[each].title for each in person.readers],
            fingerprint=fingerprint(certificate["sha256"]),
            subject=certificate["subject"],
            begins=certificate["not_before"][:10],
            ends=certificate["not_after"][:10],
            system=arguments["system"],
            addresses=arguments["addresses"],
            contact=arguments["contact"],
            server_ca=SERVER_CA if ca is not None else None,
            server_ca_fingerprint=fingerprint(ca or ""),
        )
        yield f"{person.name}.{suffix}", text.encode("utf-8")


def fingerprint(sha256: str) -> str:
    """A fingerprint as programs show it to people: pairs of upper-case digits."""
    return ":".join(sha256[at : at + 2] for at in range(0, len(sha256), 2)).upper()
