"""Ask the demo model one question and print the answer as it streams. Standard library only.

    python3 chat.py http://demo.quorate-demo.svc "What is a safety gate?"

Exit code 0 for an answer, 1 if the request was refused or nobody listens (the reason is printed).
"""

import json
import sys
import urllib.error
import urllib.request


def ask(base_url: str, question: str) -> int:
    """Send one streaming chat request; print the answer or the refusal."""
    body = {
        "model": "demo",
        "stream": True,
        "max_tokens": 200,
        "temperature": 0,
        "messages": [{"role": "user", "content": question}],
    }
    request = urllib.request.Request(  # noqa: S310 - the address is the user's own
        f"{base_url}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - as above
            return stream(response)
    except urllib.error.HTTPError as error:
        print(f"HTTP {error.code}: {error.read(4096).decode()}")
    except urllib.error.URLError as error:
        print(f"{base_url} cannot be reached: {error.reason}")
    return 1


def stream(response: object) -> int:
    """Print the content of each event; 1 if the stream ends with an error."""
    for line in response:  # type: ignore[attr-defined]
        data = line.decode().removeprefix("data: ").strip()
        if not data or data == "[DONE]":
            continue
        event = json.loads(data)
        if "error" in event:
            print(f"\nrefused: {json.dumps(event['error'])}")
            return 1
        for choice in event.get("choices", []):
            print(choice["delta"].get("content") or "", end="", flush=True)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(ask(sys.argv[1], sys.argv[2]))
