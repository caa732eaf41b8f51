"""Clients with less than all rights: a ServiceAccount, its rights, and a kubeconfig that is it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rig.api import Api

_RBAC = "/apis/rbac.authorization.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Account:
    """A ServiceAccount of a namespace."""

    namespace: str
    name: str

    @property
    def user(self) -> str:
        """What the API server calls it."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


def create_account(api: Api, account: Account) -> Account:
    """Make the ServiceAccount; it may do next to nothing yet."""
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account.name}}
    api.apply(f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}", body)
    return account


def allow(api: Api, account: Account, rules: Sequence[dict[str, Any]], *, namespace: str) -> None:
    """Let it do that in one namespace."""
    name = f"{account.namespace}-{account.name}"
    folder = f"{_RBAC}/namespaces/{namespace}"
    api.apply(f"{folder}/roles/{name}", _object("Role", name) | {"rules": list(rules)})
    api.apply(f"{folder}/rolebindings/{name}", _binding("Role", name, account))


def allow_everywhere(api: Api, account: Account, rules: Sequence[dict[str, Any]]) -> None:
    """Let it do that in the whole cluster; delete `ClusterRole` and `ClusterRoleBinding` `<namespace>-<name>` after."""
    name = f"{account.namespace}-{account.name}"
    api.apply(f"{_RBAC}/clusterroles/{name}", _object("ClusterRole", name) | {"rules": list(rules)})
    api.apply(f"{_RBAC}/clusterrolebindings/{name}", _binding("ClusterRole", name, account))


def token(api: Api, account: Account, *, lifetime_s: int = 24 * 3600) -> str:
    """A token that shows who it is, for a while."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": lifetime_s}}
    answer = api.create(f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}/token", body)
    return str(answer["status"]["token"])


def account_kubeconfig(administrator: Path, account: Account, into: Path) -> Path:
    """The administrator's kubeconfig with the account in the administrator's place."""
    content = yaml.safe_load(administrator.read_text())
    shown = token(Api.from_kubeconfig(administrator), account)
    current = next(c["context"] for c in content["contexts"] if c["name"] == content["current-context"])
    content["users"] = [{"name": current["user"], "user": {"token": shown}}]
    into.touch(mode=0o600)
    into.write_text(yaml.safe_dump(content))
    return into


def _object(kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}}


def _binding(role: str, name: str, account: Account) -> dict[str, Any]:
    return _object(f"{role}Binding", name) | {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}],
    }
