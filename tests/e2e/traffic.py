"""Steady requests through the Service while something happens to the installation."""

import json
import time
import uuid

from tests.e2e.client import Client
from tests.e2e.tenant import eventually

Outcome = tuple[float, int, str]
"""When a request was sent (seconds since the epoch), its status (0: none), and what was wrong."""


class Traffic:
    """Requests in the background, ten a second, from a process of its own in the client's pod.

    The process is detached, because an exec session ends with the API server.
    """

    _SEND = """
import http.client, json, os, sys, time
host, port, seconds, path = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
if os.fork():
    os._exit(0)
os.setsid()
null = os.open(os.devnull, os.O_RDWR)
for stream in (0, 1, 2):
    os.dup2(null, stream)
body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "echo:ok"}]})
end, outcomes = time.time() + seconds, []
while time.time() < end and not os.path.exists(path + ".stop"):
    started = time.time()
    try:
        connection = http.client.HTTPConnection(host, port, timeout=10)
        connection.request("POST", "/v1/chat/completions", body,
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        outcomes.append([started, answer.status, "" if answer.status == 200 else text[:300]])
        connection.close()
    except Exception as error:
        outcomes.append([started, 0, repr(error)])
    time.sleep(max(0, 0.1 - (time.time() - started)))
with open(path + ".part", "w") as output:
    json.dump(outcomes, output)
os.rename(path + ".part", path)
"""
    _READ = "import sys; sys.stdout.write(open(sys.argv[1]).read())"
    _STOP = "import sys; open(sys.argv[1] + '.stop', 'w').close()"

    def __init__(self, client: Client, address: str, port: int, seconds: float) -> None:
        self._client = client
        self._path = f"/tmp/traffic-{uuid.uuid4().hex}.json"
        self._end = time.monotonic() + seconds
        client.python(self._SEND, address, str(port), str(seconds), self._path)

    def finish(self) -> list[Outcome]:
        """Wait until its time is over; returns what became of each request."""
        time.sleep(max(0.0, self._end - time.monotonic()))
        return self._outcomes()

    def stop(self) -> list[Outcome]:
        """End it now; returns what became of each request. AssertionError if it had ended."""
        assert time.monotonic() < self._end, "the traffic ended before what it was to accompany"
        self._client.python(self._STOP, self._path)
        return self._outcomes()

    def _outcomes(self) -> list[Outcome]:
        def read() -> str:
            return self._client.python(self._READ, self._path)

        printed = eventually(read, "the traffic ends", seconds=60)
        outcomes = [tuple(outcome) for outcome in json.loads(printed)]
        assert outcomes, "no request was sent"
        return outcomes
