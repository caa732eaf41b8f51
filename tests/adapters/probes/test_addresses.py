"""No pod lives at an address that is this machine's, a cloud's metadata or the API server's, however it is written."""

from __future__ import annotations

import pytest

from gitopsd.adapters.probes.addresses import refusal

API = ("10.96.0.1", "198.51.100.7", "fd00::7")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1", "loopback"),
        ("127.8.9.10", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::127.0.0.1", "loopback"),
        ("169.254.169.254", "link-local"),
        ("::ffff:169.254.169.254", "link-local"),
        ("::ffff:a9fe:a9fe", "link-local"),
        ("64:ff9b::a9fe:a9fe", "link-local"),
        ("2002:a9fe:a9fe::1", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "network interface"),
        ("fd00:ec2::254", "link-local"),
        ("168.63.129.16", "link-local"),
        ("100.100.100.200", "link-local"),
        ("0.0.0.0", "unspecified"),  # noqa: S104 — it is refused
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("224.0.0.1", "no single machine"),
        ("ff02::1", "no single machine"),
        ("255.255.255.255", "no single machine"),
        ("240.0.0.1", "no single machine"),
        ("10.96.0.1", "API server"),
        ("198.51.100.7", "API server"),
        ("::ffff:198.51.100.7", "API server"),
        ("fd00::7", "API server"),
        ("2852039166", "no IP address"),
        ("0xa9fea9fe", "no IP address"),
        ("0251.0376.0251.0376", "no IP address"),
        ("169.254.43518", "no IP address"),
        ("metadata.google.internal", "no IP address"),
        ("localhost", "no IP address"),
        ("", "no IP address"),
    ],
)
def test_is_never_asked(address, why):
    assert why in refusal(address, API)


@pytest.mark.parametrize(
    "address", ["10.244.0.7", "192.168.7.9", "172.16.0.3", "100.64.0.9", "203.0.113.4", "fd00::42"]
)
def test_may_be_a_pods(address):
    assert refusal(address, API) == ""
