"""A played cloud: what kwok writes as a load balancer's controller would. Its addresses lead nowhere."""

from typing import Any

# Kept for documentation (RFC 5737): nobody answers there.
ADDRESS = "203.0.113.10"


def balancer_stages() -> list[dict[str, Any]]:
    """A Service of type LoadBalancer gets an address at once."""
    return [
        {
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "Stage",
            "metadata": {"name": "service-balanced"},
            "spec": {
                "resourceRef": {"apiGroup": "v1", "kind": "Service"},
                "selector": {
                    "matchExpressions": [
                        {"key": ".spec.type", "operator": "In", "values": ["LoadBalancer"]},
                        {"key": ".status.loadBalancer.ingress", "operator": "DoesNotExist"},
                        {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
                    ]
                },
                "next": {"statusTemplate": f"loadBalancer:\n  ingress:\n    - ip: {ADDRESS}\n"},
            },
        }
    ]
