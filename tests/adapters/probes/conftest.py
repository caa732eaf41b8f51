"""A shop on the session's API server without nodes."""

from __future__ import annotations

import pytest

from tests.adapters.probes.servers import own_address
from tests.adapters.probes.shop import shop


@pytest.fixture
def at_shop(api_cluster, api_namespace):
    """A Service to be, its pods, and the Prober."""
    with shop(api_cluster.kubeconfig, api_namespace) as made:
        yield made


@pytest.fixture
def address():
    """An address of this machine at which a pod could live."""
    return own_address()
