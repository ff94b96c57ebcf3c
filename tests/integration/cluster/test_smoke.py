"""The cluster is a real one: what the rest of the tests stands on."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import urllib.request
from typing import Any

import pytest

from tests.integration.cluster.conftest import (
    MODEL_BYTES,
    PORT,
    Playground,
    server_name,
    service_name,
)
from tests.integration.cluster.kubectl import Kubectl, cluster_status

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.requirement("build 2: one interface, two providers, a real cluster"),
]

FETCH = """\
import sys, time, urllib.error, urllib.request
deadline = time.monotonic() + 10  # a Service that was just created is not on every node yet
while True:
    try:
        print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())
        break
    except urllib.error.URLError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.1)
"""


def pod_address(kubectl: Kubectl, name: str) -> str:
    """The IP address of a pod."""
    return str(kubectl.get("pod", name)["status"]["podIP"])


def test_two_nodes_are_ready(playground: Playground) -> None:
    """At least two nodes report Ready, and the status names them."""
    listed = playground.kubectl.get("nodes")["items"]
    ready = {
        item["metadata"]["name"]
        for item in listed
        for condition in item["status"]["conditions"]
        if condition["type"] == "Ready" and condition["status"] == "True"
    }
    assert len(playground.nodes) >= 2
    assert set(playground.nodes) <= ready == set(cluster_status()["nodes"])


def test_pods_reach_each_other_across_nodes(playground: Playground) -> None:
    """Every pod reaches every other by its address."""
    names = [server_name(node) for node in playground.nodes]
    for source in names:
        for target in names:
            url = f"http://{pod_address(playground.kubectl, target)}:{PORT}/"
            assert playground.kubectl.python(source, FETCH, url).strip() == target


def test_services_answer_on_every_node_under_every_form_of_their_name(
    playground: Playground,
) -> None:
    """NAME, NAME.NS, NAME.NS.svc and the full name lead to the Service, from each node."""
    kubectl = playground.kubectl
    for source in map(server_name, playground.nodes):
        for target in map(server_name, playground.nodes):
            service = service_name(target)
            short = f"{service}.{kubectl.namespace}"
            for name in (service, short, f"{short}.svc", f"{short}.svc.cluster.local"):
                assert kubectl.python(source, FETCH, f"http://{name}/").strip() == target


def test_dns_answers_every_time(playground: Playground) -> None:
    """Of 300 questions for a Service every one is answered, and an unknown name is denied soon."""
    first, last = server_name(playground.nodes[0]), server_name(playground.nodes[-1])
    known = f"{service_name(last)}.{playground.kubectl.namespace}.svc"
    code = (
        "import socket,sys,time\n"
        "found={socket.gethostbyname(sys.argv[1]) for _ in range(300)}\n"
        "began=time.monotonic()\n"
        "try: socket.gethostbyname('absent.example.com'); denied=False\n"
        "except socket.gaierror as error: denied=error.errno==socket.EAI_NONAME\n"
        "print(len(found),denied,time.monotonic()-began<2)"
    )
    assert playground.kubectl.python(first, code, known).split() == ["1", "True", "True"]


def test_a_pod_reaches_the_api_server_by_its_service(playground: Playground) -> None:
    """With its own token and the mounted CA, and is told what RBAC allows it."""
    code = (
        "import ssl,urllib.request as u,urllib.error as e\n"
        "d='/var/run/secrets/kubernetes.io/serviceaccount/'\n"
        "c=ssl.create_default_context(cafile=d+'ca.crt')\n"
        "def ask(path):\n"
        "  r=u.Request('https://kubernetes.default.svc'+path)\n"
        "  r.add_header('Authorization','Bearer '+open(d+'token').read())\n"
        "  try: return u.urlopen(r,context=c,timeout=5).status\n"
        "  except e.HTTPError as x: return x.code\n"
        "print(ask('/version'),ask('/api/v1/secrets'),ask('/openid/v1/jwks'))"
    )
    for node in playground.nodes:
        printed = playground.kubectl.python(server_name(node), code)
        assert printed.split() == ["200", "403", "200"]


def test_logs_of_every_node(playground: Playground) -> None:
    """The API server fetches logs from each kubelet over verified TLS."""
    for node in playground.nodes:
        assert "serving" in playground.kubectl("logs", server_name(node))


def test_port_forward_on_every_node(playground: Playground) -> None:
    """A forwarded port answers with the pod's own content."""
    for node in playground.nodes:
        name = server_name(node)
        argv = playground.kubectl.argv("port-forward", f"pod/{name}", f":{PORT}")
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as forwarding:
            try:
                assert forwarding.stdout is not None
                found = re.search(r"127\.0\.0\.1:(\d+)", forwarding.stdout.readline())
                assert found is not None
                url = f"http://127.0.0.1:{found[1]}/"
                with urllib.request.urlopen(url, timeout=10) as answer:
                    assert answer.read().decode() == name
            finally:
                forwarding.terminate()


def test_an_image_volume_by_digest_is_mounted_read_only(playground: Playground) -> None:
    """Every node mounts the very bytes the digest stands for, and nobody can change them."""
    assert re.fullmatch(r"registry\.quorate\.test:5000/\S+@sha256:[0-9a-f]{64}", playground.model)
    code = (
        "import hashlib,os\n"
        "print(hashlib.sha256(open('/model/weights.bin','rb').read()).hexdigest())\n"
        "print(sorted(os.listdir('/model')),os.statvfs('/model').f_flag & os.ST_RDONLY)"
    )
    for node in playground.nodes:
        digest, listing = playground.kubectl.python(server_name(node), code).splitlines()
        assert digest == hashlib.sha256(MODEL_BYTES).hexdigest()
        assert listing == "['deep', 'weights.bin'] 1"


def unpadded(text: str) -> Any:
    """A part of a JWT."""
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def test_a_requested_token_is_verifiable_with_the_published_keys(playground: Playground) -> None:
    """TokenRequest gives the audience that was asked for, signed by a key of the JWKS."""
    kubectl = playground.kubectl
    token = kubectl("create", "token", "default", "--audience=quorate", "--duration=10m").strip()
    header, claims = (unpadded(part) for part in token.split(".")[:2])
    assert claims["aud"] == ["quorate"]
    assert claims["sub"] == f"system:serviceaccount:{kubectl.namespace}:default"
    published = json.loads(kubectl("get", "--raw", "/openid/v1/jwks"))
    assert header["kid"] in {key["kid"] for key in published["keys"]}
    discovery = json.loads(kubectl("get", "--raw", "/.well-known/openid-configuration"))
    assert discovery["issuer"] == claims["iss"]


def test_a_claim_is_bound_and_writable_without_root(playground: Playground) -> None:
    """The default storage class gives a pod that is not root a volume to write to."""
    kubectl = playground.kubectl
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": spec}
    container = {
        "name": "writer",
        "image": playground.image,
        "args": ["-c", "open('/data/x','w').write('kept');print(open('/data/x').read())"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "smoke"}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "writer"},
        "spec": {"restartPolicy": "Never", "containers": [container], "volumes": [volume]},
    }
    kubectl.apply(claim | {"metadata": {"name": "smoke"}}, pod)
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s", "pod/writer")
    assert kubectl("logs", "writer").strip() == "kept"


def test_default_admission_plugins_judge(playground: Playground) -> None:
    """PodSecurity refuses a privileged pod where the label asks for it; LimitRange sets limits."""
    kubectl = playground.kubectl
    label = "pod-security.kubernetes.io/enforce=restricted"
    strict = f"{kubectl.namespace}-strict"
    kubectl("create", "namespace", strict)
    try:
        kubectl("label", "namespace", strict, label)
        run = ["run", "x", f"--image={playground.image}", "--dry-run=server"]
        refused = kubectl.run(f"--namespace={strict}", *run)
        assert refused.returncode != 0
        assert "violates PodSecurity" in refused.stderr
    finally:
        kubectl("delete", "namespace", strict, "--wait=false")
    limits = {"type": "Container", "default": {"memory": "77Mi"}}
    meta = {"name": "smoke"}
    kubectl.apply(
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": meta, "spec": {"limits": [limits]}}
    )
    made = json.loads(kubectl(*run, "--output=json"))
    assert made["spec"]["containers"][0]["resources"]["limits"]["memory"] == "77Mi"
    kubectl("delete", "limitrange", "smoke")
