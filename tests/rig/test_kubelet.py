"""On a real node pods really run: they answer, fail as pods fail, find each other by name, and leave nothing."""

import http.server
import threading
import urllib.request
from pathlib import Path

import pytest

from rig.api import Api
from rig.archives import digest
from rig.doors import close_door, let_pods_reach, open_door
from rig.faults import crash_and_restart
from rig.images import DEBIAN, WEB, base_image, build_image, load, web_image
from rig.pytest_plugin import TestCluster
from rig.traces import traces
from rig.waiting import wait_for
from tests.rig.commandline import Rig
from tests.rig.worlds import (
    Json,
    await_ready,
    await_shown,
    create_deployment,
    pods,
)

pytestmark = pytest.mark.kubelet
BUSYBOX = "/bin/busybox"


@pytest.fixture(scope="module")
def node(node_cluster: TestCluster) -> TestCluster:
    load(node_cluster.powers(), web_image())
    return node_cluster


def test_a_deployment_becomes_ready_and_answers(node: TestCluster, node_namespace: str) -> None:
    api = node.api()
    create_deployment(api, node_namespace, "web", WEB, replicas=2)
    await_ready(api, node_namespace, "web", 2)
    address = create_service(api, node_namespace, "web")
    assert read_through_door(node, f"{address}:80") == "ready\n"


def test_a_missing_image_backs_off(node: TestCluster, node_namespace: str) -> None:
    create_deployment(node.api(), node_namespace, "web", "rig.test/web:missing")
    pod = await_shown(node.api(), node_namespace, "ImagePullBackOff", deadline_s=60)
    assert pod["status"]["phase"] == "Pending"


def test_a_failing_command_crash_loops(node: TestCluster, node_namespace: str) -> None:
    create_pod(node.api(), node_namespace, "exit 1", restart="Always")
    status = await_shown(node.api(), node_namespace, "CrashLoopBackOff", deadline_s=60)["status"]
    assert status["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 1


def test_pods_find_services_by_name(node: TestCluster, node_namespace: str) -> None:
    api = node.api()
    create_deployment(api, node_namespace, "web", WEB)
    await_ready(api, node_namespace, "web", 1)
    create_service(api, node_namespace, "web")
    create_pod(api, node_namespace, f"until {BUSYBOX} wget -qO- http://web.{node_namespace}.svc; do :; done")
    await_shown(api, node_namespace, "Completed", deadline_s=60)
    assert log_of(api, node_namespace, "task") == "ready\n"


def test_pods_reach_the_api_server(node: TestCluster, node_namespace: str) -> None:
    create_pod(node.api(), node_namespace, f"until {BUSYBOX} nc -w 2 kubernetes.default 443 </dev/null; do :; done")
    await_shown(node.api(), node_namespace, "Completed", deadline_s=60)


def test_pods_reach_a_server_of_this_machine_through_a_door(node: TestCluster, node_namespace: str) -> None:
    with Answering("from outside\n") as port:
        address = let_pods_reach(node.powers(), port)
        create_pod(node.api(), node_namespace, f"{BUSYBOX} wget -qO- http://{address}/")
        await_shown(node.api(), node_namespace, "Completed", deadline_s=60)
    assert log_of(node.api(), node_namespace, "task") == "from outside\n"


def test_an_image_is_built_from_a_dockerfile_on_the_local_base(
    node: TestCluster, node_namespace: str, tmp_path: Path
) -> None:
    dockerfile = f'ARG BASE={DEBIAN}\nFROM $BASE\nRUN echo $((6 * 7)) >/answer\nCMD ["cat", "/answer"]\n'
    (tmp_path / "Dockerfile").write_text(dockerfile)
    base_image()
    load(node.powers(), build_image(tmp_path, "localhost/answer:1"))
    create_pod(node.api(), node_namespace, None, image="localhost/answer:1")
    await_shown(node.api(), node_namespace, "Completed", deadline_s=60)
    assert log_of(node.api(), node_namespace, "task") == "42\n"


def test_trees_that_build_the_same_tag_each_get_their_own(tmp_path: Path) -> None:
    base_image()
    made = []
    for answer in ("left", "right"):
        (tmp_path / answer).mkdir()
        (tmp_path / answer / "Dockerfile").write_text(f"FROM {DEBIAN}\nRUN echo {answer} >/answer\n")
        made.append(build_image(tmp_path / answer, "localhost/answer:1"))
    left, right = map(digest, made)
    assert left != right
    for archive in made:
        archive.unlink()


def test_a_killed_api_server_comes_back_and_the_pods_never_noticed(node: TestCluster, node_namespace: str) -> None:
    create_deployment(node.api(), node_namespace, "web", WEB)
    await_ready(node.api(), node_namespace, "web", 1)
    crash_and_restart(node.powers())
    (pod,) = pods(node.api(), node_namespace)
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


@pytest.mark.parametrize("crash", [False, True], ids=["after a good life", "after a crash of the node"])
def test_down_leaves_nothing(tmp_path: Path, crash: bool) -> None:
    rig = Rig(tmp_path)
    before = traces()
    kubeconfig = rig.up("--nodes", "kubelet", "--name", "gone")
    api = Api.from_kubeconfig(kubeconfig)
    create_deployment(api, "default", "web", "rig.test/web:missing")
    await_shown(api, "default", "ErrImagePull", deadline_s=60)
    assert traces() != before
    if crash:
        rig.kill("kubelet")
        rig.kill("kube-apiserver")
    assert rig("down", "--name", "gone").returncode == 0
    assert traces() == before
    assert (rig.programs(), rig.files()) == ([], [])


def create_service(api: Api, namespace: str, name: str) -> str:
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
    return str(api.create(f"/api/v1/namespaces/{namespace}/services", body)["spec"]["clusterIP"])


def create_pod(api: Api, namespace: str, script: str | None, *, restart: str = "Never", image: str = WEB) -> None:
    container: Json = {"name": "task", "image": image}
    if script:
        container["command"] = [BUSYBOX, "sh", "-c", script]
    spec = {"restartPolicy": restart, "containers": [container]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "task"}, "spec": spec}
    api.create(f"/api/v1/namespaces/{namespace}/pods", body)


def log_of(api: Api, namespace: str, pod: str) -> str:
    return api.exchange("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}/log")[1]


def read_through_door(node: TestCluster, address: str) -> str:
    port = open_door(node.powers(), address)
    try:
        return str(wait_for(f"{address} to answer", lambda: _read(f"http://127.0.0.1:{port}/")))
    finally:
        close_door(node.powers(), port)


def _read(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own door
            return str(answer.read().decode())
    except OSError:
        return None


class Answering:
    """A web server on this machine's loopback that always says the same."""

    def __init__(self, text: str) -> None:
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text.encode())

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)

    def __enter__(self) -> int:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return int(self.server.server_address[1])

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
