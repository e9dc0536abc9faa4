"""The shop's own API, as a company would have one, to try the bot's actions with.

    python examples/shop_api.py 9000
    FRONTDESK_ACTIONS_URL=http://127.0.0.1:9000 make run

The last digit of an order number tells its state: 0 to 3 packed, 4 to 6 shipped, 7 and 8 delivered, 9 unknown.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_ORDER = re.compile(r"/orders/FD[0-9]{7}([0-9])(/cancellation)?")
_PACKED, _SHIPPED, _UNKNOWN = 3, 6, 9


def answer(method: str, path: str, today: date) -> tuple[HTTPStatus, dict[str, str]]:
    """What the API says.

    Args:
        method: `GET` or `POST`.
        path: such as `/orders/FD20481937` or `/orders/FD20481937/cancellation`.
        today: the present day.

    Returns:
        The status and the document.
    """
    found = _ORDER.fullmatch(path)
    if found is None or (method == "POST") != bool(found[2]):
        return HTTPStatus.NOT_FOUND, {"error": "there is no such resource"}
    digit, cancels = int(found[1]), bool(found[2])
    if digit == _UNKNOWN:
        return HTTPStatus.NOT_FOUND, {"state": "unknown", "day": ""}
    if digit <= _PACKED:
        days, state = (5, "cancelled") if cancels else (1, "packed")
    elif digit <= _SHIPPED:
        days, state = (-1, "too_late") if cancels else (2, "shipped")
    else:
        days, state = (-4, "too_late") if cancels else (-2, "delivered")
    return HTTPStatus.OK, {"state": state, "day": (today + timedelta(days=days)).isoformat()}


class Handler(BaseHTTPRequestHandler):
    """Serves the API."""

    def do_GET(self) -> None:
        """Tells about an order."""
        self._serve("GET")

    def do_POST(self) -> None:
        """Cancels an order; doing so again gives the same answer."""
        self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 100_000))
        self._serve("POST")

    def _serve(self, method: str) -> None:
        status, document = answer(method, self.path, datetime.now(UTC).date())
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 9000), Handler).serve_forever()
