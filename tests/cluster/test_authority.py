"""Who may read what, asked of a real API server over HTTP: every route there is, by every sort of caller."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from gitopsd.adapters.authority import KubernetesAuthority
from gitopsd.adapters.cluster import Limits, Transport, credentials
from gitopsd.core.access import OPEN, Asked, Permission
from gitopsd.web import Server, create_app
from rig.accounts import Account, allow, allow_everywhere, create_account, token
from rig.api import Api
from rig.faults import paused
from tests.core.views import READY, whole
from tests.core.views import REVERTED as OTHER
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.cluster

CALLS = Limits(connect_s=0.4, total_s=0.8)
READ_ALL = {"apiGroups": ["gitopsd.dev"], "resources": ["environments"], "verbs": ["get", "list"]}
READ_PAGES = {"nonResourceURLs": ["/metrics", "/version", "/openapi.json"], "verbs": ["get"]}
PAGES = ("/metrics", "/version", "/openapi.json")
REVERTED = replace(OTHER, environment=replace(OTHER.environment, name="staging"))
READY_PATH, REVERTED_PATH = f"/status/{READY.environment.name}", f"/status/{REVERTED.environment.name}"
RESTRICTED = ("/status", READY_PATH, REVERTED_PATH, "/status/nobody", *PAGES, "/nowhere")


@dataclass
class House:
    """A server with its doors, and the tokens of those who stand before them."""

    server: Server
    authority: KubernetesAuthority
    tokens: dict[str, str]

    def code(self, path: str, *headers: str) -> int:
        return self.answer(path, *headers)[0]

    def answer(self, path: str, *headers: str) -> tuple[int, bytes]:
        request = Request(self.server.url + path)  # noqa: S310 — our own server
        for header in headers:
            request.add_header("Authorization", header)
        try:
            with urlopen(request, timeout=10) as answer:  # noqa: S310 — our own server
                return answer.status, answer.read()
        except HTTPError as error:
            return error.code, error.read()

    def codes(self, caller: str) -> dict[str, int]:
        return {path: self.code(path, f"Bearer {self.tokens[caller]}") for path in RESTRICTED}


@pytest.fixture
def house(api_cluster, api_namespace) -> Iterator[House]:
    api = Api.from_kubeconfig(api_cluster.kubeconfig)
    accounts = {name: create_account(api, Account(api_namespace, name)) for name in ("reader", "one", "pages", "none")}
    allow(api, accounts["reader"], [READ_ALL], namespace=api_namespace)
    only_one = READ_ALL | {"resourceNames": [READY.environment.name], "verbs": ["get"]}
    allow(api, accounts["one"], [only_one], namespace=api_namespace)
    allow_everywhere(api, accounts["pages"], [READ_PAGES])
    tokens = {name: token(api, account, lifetime_s=600) for name, account in accounts.items()}
    authority = KubernetesAuthority(
        Transport(credentials(str(api_cluster.kubeconfig)), limits=CALLS), FakeClock(), api_namespace
    )
    view = whole(READY, REVERTED)
    server = Server(create_app(lambda: view, authority=authority))
    server.start()
    yield House(server, authority, tokens | {"nobody": "not-a-token", "forged": forged(tokens["reader"])})
    server.stop()
    for kind in ("clusterroles", "clusterrolebindings"):
        api.delete(f"/apis/rbac.authorization.k8s.io/v1/{kind}/{api_namespace}-pages")


def forged(genuine: str) -> str:
    """The token with another name in it, and the same signature."""
    head, claims, signature = genuine.split(".")
    content = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    changed = json.dumps(content | {"sub": "system:serviceaccount:kube-system:admin"}).encode()
    return ".".join((head, base64.urlsafe_b64encode(changed).decode().rstrip("="), signature))


def test_every_route_by_every_caller(house):
    # Every cluster lets whoever it knows read /version.
    nothing = dict.fromkeys(RESTRICTED, 403) | {"/version": 200}
    unknown = dict.fromkeys(RESTRICTED, 401)

    assert {path: house.code(path) for path in RESTRICTED} == unknown
    assert house.codes("nobody") == unknown
    assert house.codes("forged") == unknown
    assert house.codes("none") == nothing
    assert house.codes("pages") == nothing | dict.fromkeys(PAGES, 200)
    assert house.codes("one") == nothing | {READY_PATH: 200}
    everything = {"/status": 200, READY_PATH: 200, REVERTED_PATH: 200, "/status/nobody": 404}
    assert house.codes("reader") == nothing | everything


def test_a_kubelet_needs_no_token(house):
    assert {path: house.code(path) for path in sorted(OPEN)} == {"/healthz": 200, "/livez": 200, "/readyz": 200}


def test_no_route_is_forgotten(house):
    app = create_app(lambda: None)
    paths = {getattr(route, "path", "").replace("{environment:path}", "some/name") for route in app.routes}

    open_to_all = {path for path in paths if house.code(path) != 401}

    assert open_to_all == OPEN
    assert paths >= {"/status", "/status/some/name", "/metrics", "/version", "/openapi.json"}


@pytest.mark.parametrize(
    "spelling", ["/healthz/../status", "//status", "/healthz%2f..%2fstatus", "/STATUS", "/status/"]
)
def test_no_spelling_of_a_path_leads_around_the_door(house, spelling):
    assert house.code(spelling) == 401


def test_what_is_forbidden_looks_like_what_is_not_there(house):
    bearer = f"Bearer {house.tokens['one']}"

    assert house.answer(REVERTED_PATH, bearer) == house.answer("/status/nobody", bearer)


def test_a_token_for_somebody_else_is_none(house, api_cluster, api_namespace):
    api = Transport(credentials(str(api_cluster.kubeconfig)), limits=CALLS)
    strict = KubernetesAuthority(api, FakeClock(), api_namespace, audiences=("gitopsd",))

    assert strict.decide(house.tokens["reader"], Asked(verb="list")) is Permission.UNKNOWN_CALLER


def test_when_the_api_server_is_silent_nobody_is_let_in_and_nobody_is_called_unknown(house, api_cluster):
    bearer = f"Bearer {house.tokens['reader']}"
    with paused(api_cluster.powers()):
        silent = house.answer("/status", bearer)

    assert (silent[0], json.loads(silent[1])["code"]) == (503, "HTTP_UNDECIDED")
    assert house.code("/status", bearer) == 200
