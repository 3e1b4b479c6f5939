"""Orders to a world through its control socket: one JSON order a line, one JSON answer a line.

Each order has a connection of its own: there is nothing to keep, to lock, or to lose in a fork.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from .errors import Refused, VreaderError, WorldEnded

NAME = "control"

# An order is done in milliseconds; one that makes a card with RSA-4096 keys may take a while on a busy machine.
PATIENCE = 60.0


def send(path: Path, order: dict[str, Any], patience: float = PATIENCE) -> dict[str, Any]:
    """Sends an order and waits for the answer; raises ``Refused`` with the world's own words."""
    line = json.dumps({key: value for key, value in order.items() if value is not None}) + "\n"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(patience)
            connection.connect(str(path))
            connection.sendall(line.encode())
            with connection.makefile("rb") as lines:
                answer = lines.readline()
    except socket.timeout as error:
        raise VreaderError(f"the world at {path} did not answer {order['do']!r} in {patience:g} s") from error
    except OSError as error:
        raise WorldEnded(f"no world listens at {path} any more ({error}); start another one") from error
    if not answer.endswith(b"\n"):
        raise WorldEnded(f"the world at {path} ended before it answered {order['do']!r}; start another one")
    decoded: dict[str, Any] = json.loads(answer)
    if "refused" in decoded:
        raise Refused(decoded["refused"])
    return decoded
