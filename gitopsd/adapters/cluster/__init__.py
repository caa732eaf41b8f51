"""The only room that talks to Kubernetes."""

from gitopsd.adapters.cluster.contact import Tally
from gitopsd.adapters.cluster.credentials import Credentials, credentials
from gitopsd.adapters.cluster.kubernetes_cluster import KubernetesCluster
from gitopsd.adapters.cluster.transport import Limits, Transport

__all__ = ["Credentials", "KubernetesCluster", "Limits", "Tally", "Transport", "credentials"]
