"""The cluster's own authority and what it signs: elliptic keys, because they are made in a millisecond."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID_FROM = datetime(2020, 1, 1, tzinfo=UTC)
_VALID_FOR = timedelta(days=36500)


@dataclass(frozen=True, slots=True)
class Pair:
    """Where a certificate and its key lie."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs for one cluster; its files are `<name>.crt` and `<name>.key` in one folder."""

    folder: Path

    def create(self) -> None:
        """Make the authority itself and the key that signs ServiceAccount tokens."""
        self.folder.mkdir(parents=True, mode=0o700)
        key = _new_key()
        name = _name("gitopsd rig", ())
        signed = (
            _builder(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        _write(self.pair("ca"), key, signed)
        self.service_account_key.write_bytes(_key_bytes(_new_key()))
        self.service_account_key.chmod(0o600)

    @property
    def service_account_key(self) -> Path:
        """Signs and checks ServiceAccount tokens."""
        return self.folder / "service-account.key"

    def pair(self, name: str) -> Pair:
        """Where the certificate of that name and its key lie."""
        return Pair(self.folder / f"{name}.crt", self.folder / f"{name}.key")

    def sign_client(self, name: str, user: str, groups: Sequence[str] = ()) -> Pair:
        """Who may come in: the API server reads the user and the groups from the subject."""
        return self._sign(name, _name(user, groups), ExtendedKeyUsageOID.CLIENT_AUTH, ())

    def sign_server(self, name: str, hosts: Sequence[str]) -> Pair:
        """Who answers under these names and addresses."""
        return self._sign(name, _name(name, ()), ExtendedKeyUsageOID.SERVER_AUTH, hosts)

    def _sign(self, name: str, subject: x509.Name, use: x509.ObjectIdentifier, hosts: Sequence[str]) -> Pair:
        mine = self.pair("ca")
        issuer = x509.load_pem_x509_certificate(mine.certificate.read_bytes())
        issuer_key = serialization.load_pem_private_key(mine.key.read_bytes(), None)
        assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)  # noqa: S101 - we made it
        key = _new_key()
        builder = _builder(subject, issuer.subject, key.public_key()).add_extension(
            x509.ExtendedKeyUsage([use]), critical=False
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_host(h) for h in hosts]), critical=False)
        _write(self.pair(name), key, builder.sign(issuer_key, hashes.SHA256()))
        return self.pair(name)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_VALID_FROM)
        .not_valid_after(_VALID_FROM + _VALID_FOR)
    )


def _name(common: str, groups: Sequence[str]) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    # SEC1, because the API server reads ServiceAccount keys in no other wrapping of an elliptic key.
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _write(pair: Pair, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    pair.key.touch(mode=0o600)
    pair.key.write_bytes(_key_bytes(key))
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
