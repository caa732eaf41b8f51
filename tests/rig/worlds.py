"""What the rig's own tests put into a cluster, and how they look at it."""

from typing import Any

from rig.api import Api
from rig.waiting import wait_for

Json = dict[str, Any]


def pod_spec(image: str, **more: Any) -> Json:
    return {"containers": [{"name": "web", "image": image}], "terminationGracePeriodSeconds": 2, **more}


def create_deployment(api: Api, namespace: str, name: str, image: str, replicas: int = 1) -> None:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod_spec(image)}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
    api.create(f"/apis/apps/v1/namespaces/{namespace}/deployments", body)


def create_job(api: Api, namespace: str, name: str, image: str) -> None:
    spec = {"backoffLimit": 0, "template": {"spec": pod_spec(image, restartPolicy="Never")}}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}
    api.create(f"/apis/batch/v1/namespaces/{namespace}/jobs", body)


def create_configmap(api: Api, namespace: str, name: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}}
    api.create(f"/api/v1/namespaces/{namespace}/configmaps", body)


def deployment(api: Api, namespace: str, name: str) -> Json:
    return api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")


def await_ready(api: Api, namespace: str, name: str, replicas: int, deadline_s: float = 30) -> None:
    def ready() -> bool:
        return bool(deployment(api, namespace, name)["status"].get("readyReplicas", 0) == replicas)

    wait_for(f"deployment {name} to be ready", ready, deadline_s=deadline_s)


def pods(api: Api, namespace: str) -> list[Json]:
    found: list[Json] = api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    return found


def await_shown(api: Api, namespace: str, shown: str, deadline_s: float = 30) -> Json:
    """The first pod that shows this, as `kubectl get pods` would put it."""

    def found() -> Json | None:
        return next((pod for pod in pods(api, namespace) if shown in shows(pod)), None)

    return wait_for(f"a pod that shows {shown}", found, deadline_s=deadline_s)


def shows(pod: Json) -> list[str]:
    status = pod["status"]
    said = [status["phase"], "Ready" if condition(pod, "Ready") == "True" else "Unready"]
    for container in status.get("containerStatuses", []):
        state = container["state"]
        said += [state[kind]["reason"] for kind in ("waiting", "terminated") if kind in state]
    return said


def condition(pod: Json, kind: str) -> str | None:
    found = [c["status"] for c in pod["status"].get("conditions", []) if c["type"] == kind]
    return found[0] if found else None
