"""Serves the demo model: `python3 server.py --model DIR --host 127.0.0.1 --port 8000`.

Every flag has an environment variable as its default: DEMO_MODEL, DEMO_HOST, DEMO_PORT, DEMO_NAME.
Exit code 2 when the model cannot be loaded or the address is taken.
"""

import argparse
import os
import sys
from pathlib import Path

# The matrices are too small to share between cores; must be set before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from aiohttp import web
from demo_server.app import ChatServer
from demo_server.engine import Engine
from demo_server.model import Model, ModelError

GENERATING_THREADS = 2
RUNNING_MAX = 32
# Streams that are running when the server is told to stop may finish within this time.
DRAIN_SECONDS = 20.0


def main() -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code."""
    options = _parser().parse_args()
    try:
        model = Model.load(options.model)
        engine = Engine(model, threads=GENERATING_THREADS, running_max=RUNNING_MAX)
        print(f"loaded {options.model}, listening on {options.host}:{options.port}", flush=True)
        web.run_app(
            ChatServer(engine, name=options.name).application(),
            host=options.host,
            port=options.port,
            handler_cancellation=True,
            shutdown_timeout=DRAIN_SECONDS,
            access_log=None,
            print=None,
        )
    except (ModelError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    env = os.environ.get
    parser = argparse.ArgumentParser(description="Serves the demo model over the OpenAI chat API.")
    parser.add_argument("--model", type=Path, default=Path(env("DEMO_MODEL", "/models")))
    parser.add_argument("--host", default=env("DEMO_HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=env("DEMO_PORT", "8000"))
    parser.add_argument("--name", default=env("DEMO_NAME", "demo"), help="model name in requests")
    return parser


if __name__ == "__main__":
    sys.exit(main())
