"""The exec probe's client: asks the running sidecar over its Unix socket.

Only the small part of the standard library it needs is imported: the kubelet runs it every few
seconds.
"""

import argparse
import socket
import sys
from collections.abc import Sequence

TIMEOUT = 2.0
ANSWER_BYTES = 16_384
SOCKET = "/run/quorate/sidecar.sock"
PATHS = {"startup": "/startupz", "ready": "/readyz"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask; print what is said; 0 if all is well."""
    parser = argparse.ArgumentParser(prog="quorate-sidecar probe", description=__doc__)
    parser.add_argument("what", choices=sorted(PATHS))
    parser.add_argument("--socket", default=SOCKET)
    given = parser.parse_args(arguments)
    status, text = ask(given.what, given.socket)
    sys.stdout.write(text.strip() + "\n")
    return 0 if status == 200 else 1


def ask(what: str, path: str) -> tuple[int, str]:
    """The status and text of a probe; 0 and why if nobody answers."""
    request = f"GET {PATHS[what]} HTTP/1.1\r\nHost: sidecar\r\nConnection: close\r\n\r\n"
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(TIMEOUT)
            client.connect(path)
            client.sendall(request.encode("ascii"))
            while len(answer) < ANSWER_BYTES and (part := client.recv(4096)):
                answer += part
    except OSError as error:
        return 0, f"the sidecar does not answer: {error}"
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    if not status or not status[0].isdigit():
        return 0, "the sidecar's answer is not HTTP"
    return int(status[0]), body.decode("utf-8", "replace")


if __name__ == "__main__":
    sys.exit(main())
