# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web console that knows nothing of certificates, and shows what it was told of its visitor: a page, or JSON at /told.

Run as `application.py ADDRESS PORT`. Python 3.9 and its standard library are enough.
"""

from __future__ import annotations

import html
import http.server
import json
import sys
from typing import Any

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Console</title>
<body><h1>Console</h1><p>Hello {subject}</p><pre>{told}</pre></body></html>
"""


class Application(http.server.BaseHTTPRequestHandler):
    """Answers GET."""

    def do_GET(self) -> None:
        """The page, or what it was told as JSON.

        Names are as CGI and WSGI have them: what differs in case only, or in - and _, is one header for many applications.
        """
        told = {name.upper().replace("-", "_"): value for name, value in self.headers.items()}
        text = json.dumps(told, indent=1)
        if self.path == "/told":
            self._answer("application/json", text)
        else:
            subject = html.escape(told.get("X_CLIENT_SUBJECT", "nobody in particular"))
            self._answer("text/html; charset=utf-8", _PAGE.format(subject=subject, told=html.escape(text)))

    def _answer(self, kind: str, text: str) -> None:
        content = text.encode("utf-8")
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_words: Any) -> None:
        """Nothing is logged."""


def main() -> None:
    """Serve until it is ended."""
    address, port = sys.argv[1:]
    http.server.ThreadingHTTPServer((address, int(port)), Application).serve_forever()


if __name__ == "__main__":
    main()
