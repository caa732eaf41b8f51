"""The shop that the demo deploys, as files of an environments repository."""

from __future__ import annotations

from textwrap import dedent

DIRECTORY = "environments/staging"


def shop(web_image: str, *, greeting: str = "hello") -> dict[str, str]:
    """Return the staging environment: a web server, what it reads, and the service before it."""
    return {
        f"{DIRECTORY}/gitopsd.yaml": _text("""
            apiVersion: gitopsd.dev/v1
            kind: Environment
            namespace: shop
            health:
              timeout: 5m
              soak: 3s
        """),
        f"{DIRECTORY}/namespace.yaml": _text("""
            apiVersion: v1
            kind: Namespace
            metadata:
              name: shop
        """),
        f"{DIRECTORY}/web.yaml": _web(web_image, greeting),
    }


def extras() -> dict[str, str]:
    """Return what the bad commit brings along; it must be gone again afterwards."""
    return {
        f"{DIRECTORY}/banner.yaml": _text("""
            apiVersion: v1
            kind: ConfigMap
            metadata:
              name: banner
            data:
              text: "SALE"
        """)
    }


def _web(image: str, greeting: str) -> str:
    return _text(f"""
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: web
        data:
          greeting: "{greeting}"
        ---
        apiVersion: v1
        kind: Service
        metadata:
          name: web
        spec:
          selector:
            app: web
          ports:
            - port: 80
              targetPort: 8080
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: web
        spec:
          replicas: 3
          selector:
            matchLabels:
              app: web
          template:
            metadata:
              labels:
                app: web
            spec:
              containers:
                - name: web
                  image: {image}
                  envFrom:
                    - configMapRef:
                        name: web
    """)


def _text(block: str) -> str:
    return dedent(block).lstrip("\n")
