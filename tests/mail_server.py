"""A mail server on loopback (aiosmtpd), with certificate, login and faults as a test wants them."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

USER, PASSWORD = "haulier", "p@ss/word?"


@dataclass
class MailServer:
    """Mails that arrived, and what to answer instead: `mail`, `rcpt`, `data` are replies.

    `drops` hangs up once a mail has arrived, `silent` says nothing then.
    """

    host: str = "127.0.0.1"
    port: int = 0
    raw: list[bytes] = field(default_factory=list)
    mail: str = ""
    rcpt: str = ""
    data: str = ""
    drops: bool = False
    silent: bool = False
    connections: int = 0

    @property
    def mails(self) -> list[EmailMessage]:
        return [message_from_bytes(raw, policy=default) for raw in self.raw]

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        envelope.mail_from = address
        return self.mail or "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if not self.rcpt:
            envelope.rcpt_tos.append(address)
        return self.rcpt or "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if self.data:
            return self.data
        self.raw.append(envelope.original_content)
        if self.silent:
            await asyncio.sleep(30)
        if self.drops:
            server.transport.abort()
        return "250 taken"


def _login(server, session, envelope, mechanism, credentials) -> AuthResult:
    right = isinstance(credentials, LoginPassword) and (credentials.login, credentials.password) == (
        USER.encode(),
        PASSWORD.encode(),
    )
    return AuthResult(success=right, handled=False)


@asynccontextmanager
async def running_mail_server(
    *, tls: bool = False, starttls: bool = False, login: bool = False, certificate: ssl.SSLContext | None = None
) -> AsyncGenerator[MailServer]:
    """A server during the block, on the test's own loop."""
    mails = MailServer()
    protocols: list[SMTP] = []

    def protocol() -> SMTP:
        mails.connections += 1
        protocols.append(
            SMTP(
                mails,
                hostname="mail.test",
                tls_context=certificate if starttls else None,
                require_starttls=starttls,
                auth_required=login,
                auth_require_tls=False,
                authenticator=_login if login else None,
                enable_SMTPUTF8=True,
            )
        )
        return protocols[-1]

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, mails.host, 0, ssl=certificate if tls else None)
    mails.port = server.sockets[0].getsockname()[1]
    try:
        yield mails
    finally:
        server.close()
        for each in protocols:
            if each.transport:
                each.transport.abort()
            task = each._handler_coroutine
            if task:
                task.cancel()
                await asyncio.wait({task})
        await asyncio.sleep(0)  # aborted transports close in the next turn


def certificates(folder) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts for a server at 127.0.0.1 and for a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path = folder / "mail.pem"
    path.write_bytes(
        certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=str(path))
