"""The record and the snapshots of each environment, kept in the cluster."""

from gitopsd.adapters.store.cluster_store import ClusterStore

__all__ = ["ClusterStore"]
