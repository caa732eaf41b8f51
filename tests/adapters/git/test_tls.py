"""TLS is verified, always: row G2 of the catalogue of bad inputs."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gitopsd.core.errors import SourceError
from tests.adapters.git.conftest import Place
from tests.git_server import GitServer

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def certify(folder, address: str = "127.0.0.1", *, until: datetime = NOW + timedelta(days=36500)) -> ssl.SSLContext:
    """A certificate that only itself vouches for, as ``folder/ca.pem``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "git")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=3650))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(pem)
    (folder / "server.pem").write_bytes(secret + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


@pytest.fixture
def served_by(tmp_path):
    servers = []

    def serve(context: ssl.SSLContext) -> Place:
        (tmp_path / "served").mkdir()
        server = GitServer(tmp_path / "served", tls=context)
        server.start()
        servers.append(server)
        place = Place(tmp_path, server, server.create("environments.git"))
        place.commit(web="a")
        return place

    yield serve
    for server in servers:
        server.stop()


def test_a_named_authority_is_trusted(served_by, tmp_path):
    place = served_by(certify(tmp_path))

    assert place.source(ca_file=tmp_path / "ca.pem").fetch().changed


def refused(place: Place, **settings: object) -> str:
    with pytest.raises(SourceError) as raised:
        place.source(**settings).fetch()
    assert place.server.requests == []
    return raised.value.problem.code


def test_g02_a_certificate_nobody_vouches_for_is_refused(served_by, tmp_path):
    assert refused(served_by(certify(tmp_path))) == "GIT_TLS"


def test_g02_even_where_plain_http_would_be_allowed(served_by, tmp_path):
    assert refused(served_by(certify(tmp_path)), insecure=True) == "GIT_TLS"


def test_g02_a_certificate_for_another_host_is_refused(served_by, tmp_path):
    assert refused(served_by(certify(tmp_path, "127.0.0.2")), ca_file=tmp_path / "ca.pem") == "GIT_TLS"


def test_g02_an_expired_certificate_is_refused(served_by, tmp_path):
    place = served_by(certify(tmp_path, until=NOW - timedelta(days=30)))

    assert refused(place, ca_file=tmp_path / "ca.pem") == "GIT_TLS"


def test_g02_a_server_that_does_not_speak_tls_is_refused(place):
    url = place.server.url("environments.git").replace("http:", "https:")

    with pytest.raises(SourceError) as raised:
        place.source(url=url).fetch()

    assert raised.value.problem.code == "GIT_TLS"


def test_an_authoritys_file_that_is_missing_is_said_before_any_request(served_by, tmp_path):
    assert refused(served_by(certify(tmp_path)), ca_file=tmp_path / "none.pem") == "GIT_CREDENTIALS"
