"""Certificates, as values: a certificate authority of the hub's own, what it issues, and what a chain says.

Nothing here reads or writes files. Keys are on the curve P-256, signatures SHA-256. The extensions are those that
OpenSSL's strict verification asks for, which Python has on by default from 3.13 on.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tron_core.errors import ConfigError

AUTHORITY_DAYS = 3652
"""Ten years: a new authority means a new kit for every worker."""
SERVER_DAYS = 397
"""What browsers took from a public authority from September 2020 to March 2026 (398 days, CA/Browser Forum ballot
SC-031); of an authority that the user added, Apple's systems take up to 825 days."""
LONGEST_DAYS = 825
EARLIER = timedelta(hours=1)
"""Certificates begin this long before they are made, for clocks that are behind."""

_DNS_NAME = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.?")


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority: its certificate and the key that signs."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        return pem_of([self.certificate])

    @property
    def key_pem(self) -> bytes:
        return _key_pem(self.key)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate for a server: ``chain`` is the certificate, then the authority's."""

    chain: tuple[x509.Certificate, ...]
    key_pem: bytes

    @property
    def chain_pem(self) -> bytes:
        return pem_of(self.chain)


def new_authority(now: datetime, *, days: int = AUTHORITY_DAYS) -> Authority:
    """An authority that may sign servers and clients, and no further authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    # Its own number in the name tells an authority from the one before it.
    name = _name(f"TRON certificate authority {x509.random_serial_number() % 16**8:08x}")
    usage = _usage(key_cert_sign=True, crl_sign=True)
    builder = (
        _builder(name, key.public_key(), now, now + timedelta(days=days))
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return Authority(builder.sign(key, hashes.SHA256()), key)


def load_authority(certificate_pem: bytes, key_pem: bytes) -> Authority:
    """Raises ConfigError where the two are not a certificate and its key."""
    certificate = load_chain(certificate_pem)[0]
    key = _load_key(key_pem)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not is_key_of(certificate, key_pem):
        raise ConfigError("the key is not that of the certificate")
    return Authority(certificate, key)


def issue_server(authority: Authority, names: Sequence[str], now: datetime, *, days: int = SERVER_DAYS) -> Issued:
    """A server certificate for ``names`` (DNS names and addresses); it ends with the authority's at the latest.

    Raises ConfigError for no name, one that is none, or more days than clients take.
    """
    if not names:
        raise ConfigError("a certificate needs a name: the one under which workers reach the hub")
    if not 1 <= days <= LONGEST_DAYS:
        raise ConfigError(f"days = {days}: allowed are 1 to {LONGEST_DAYS}; more is refused by Apple's systems")
    alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
    # The hub's own commands show it as a client's where the hub wants one (hub.tls_client_ca).
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return _issue(authority, names[0], purposes, now, days, alternatives)


def issue_client(authority: Authority, name: str, now: datetime, *, days: int = SERVER_DAYS) -> Issued:
    """A client certificate, for hubs with ``hub.tls_client_ca``."""
    return _issue(authority, name, [ExtendedKeyUsageOID.CLIENT_AUTH], now, days)


def _issue(
    authority: Authority,
    name: str,
    purposes: Sequence[x509.ObjectIdentifier],
    now: datetime,
    days: int,
    alternatives: x509.SubjectAlternativeName | None = None,
) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    end = min(now + timedelta(days=days), issuer.not_valid_after_utc)
    issuer_key = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(_name(name[:64]), key.public_key(), now, end)
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key), critical=False)
    )
    if alternatives is not None:
        builder = builder.add_extension(alternatives, critical=False)
    return Issued((builder.sign(authority.key, hashes.SHA256()), issuer), _key_pem(key))


def load_chain(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file, the server's own first; raises ConfigError where there is none."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ConfigError(f"not a file of PEM certificates ({error})") from None


def pem_of(certificates: Iterable[x509.Certificate]) -> bytes:
    """The content of a PEM file."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def root_of(chain: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """The certificate that a client must be given to trust ``chain``: the self-signed one at its end. None where the
    chain ends before (public authorities' do: systems have their roots)."""
    last = chain[-1]
    return last if is_issued_by(last, last) else None


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether ``issuer``'s key has signed ``certificate``."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def is_key_of(certificate: x509.Certificate, key_pem: bytes) -> bool:
    """Whether the private key is that of the certificate; raises ConfigError where it is no key."""
    key = _load_key(key_pem)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return bool(key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form))


def names_of(certificate: x509.Certificate) -> list[str]:
    """The DNS names and addresses that a server certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.DNSName) + [str(ip) for ip in names.get_values_for_type(x509.IPAddress)]


def is_for(certificate: x509.Certificate, host: str) -> bool:
    """Whether clients that dial ``host`` accept the certificate's names."""
    wanted = check_name(host)
    accepted = {name.lower() for name in names_of(certificate)}
    return wanted in accepted or f"*.{wanted.partition('.')[2]}" in accepted


def check_name(name: str) -> str:
    """``name`` as it stands in a certificate: an address, or a DNS name in its ASCII form. Raises ConfigError."""
    return str(_general_name(name).value)


def _general_name(name: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        pass  # no address
    try:
        ascii_name = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        ascii_name = ""
    if len(ascii_name) > 253 or not _DNS_NAME.fullmatch(ascii_name.lower()):
        raise ConfigError(f"{name!r} is no name of a host: expected is hub.example.org, or an address as 192.0.2.7")
    return x509.DNSName(ascii_name.lower().rstrip("."))


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load_key(pem: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:  # TypeError: it has a password
        raise ConfigError(f"not a private key in PEM without a password ({error})") from None
