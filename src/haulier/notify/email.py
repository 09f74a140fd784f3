"""E-mail: hands each notice to the mail server once. What the server has certainly not taken may be tried again."""

import asyncio
import re
import ssl
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from haulier.clock import Clock, instant
from haulier.destinations.mail_address import bare_address
from haulier.destinations.smtp_url import SmtpServer
from haulier.notify.letters import Desk, letter
from haulier.notify.port import Busy, Delivered, GiveUp, Notice, TryAgain, Verdict, unwatched

if TYPE_CHECKING:
    from aiosmtplib import SMTP

TIMEOUT_S = 15.0  # for all before the letter, and again for the letter
CONNECTIONS = 8  # mail servers let few in at a time
ROOM_S = 10.0
# RFC 3463: no such mailbox, no such system, malformed, moved, no mail accepted there (RFC 7505); mailbox disabled.
_NOBODY_THERE = re.compile(r"5\.(?:1\.(?:1|2|3|6|10)|2\.1)\b")
_TEMPORARY = range(400, 500)
_REFUSES_US = frozenset({421, 530})  # it closes; it wants a login (RFC 5321, 4954)


class EmailSender:
    """Sends notices as letters through one mail server, with a connection for each, CONNECTIONS at a time."""

    repeatable = False
    room = 2 * CONNECTIONS  # the next ones stand ready

    def __init__(
        self,
        server: SmtpServer,
        *,
        desk: Desk,
        clock: Clock,
        trusted: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._server = server
        self._desk = desk
        self._sender = bare_address(desk.sender) or desk.sender
        self._clock = clock
        self._trusted = trusted
        self._timeout_s = timeout_s
        self._room = asyncio.Semaphore(CONNECTIONS)

    async def send(self, notice: Notice, /, *, begun: Callable[[], None] = unwatched) -> Verdict:
        """Hand the letter in. A reply 5xx to it is final, 4xx is not; what silence after it means nobody knows."""
        if notice.event == "confirm" and (late := self._too_late(notice)) is not None:
            return late
        address: str = notice.secret["address"]
        message = letter(notice, to=address, desk=self._desk, now=self._clock.now()).as_bytes()
        try:
            async with asyncio.timeout(ROOM_S):
                await self._room.acquire()
        except TimeoutError:
            return Busy()
        try:
            return await self._sent(address, message, begun)
        finally:
            self._room.release()

    async def _sent(self, address: str, message: bytes, begun: Callable[[], None]) -> Verdict:
        with closing(self._connection()) as smtp:
            try:
                async with asyncio.timeout(self._timeout_s):
                    problem = await self._opened(smtp) or await self._addressed(smtp, address)
            except TimeoutError:
                return _ours("the mail server is too slow")
            if problem:
                return problem
            begun()
            return await _handed_in(smtp, message, timeout_s=self._timeout_s)

    def _too_late(self, notice: Notice) -> GiveUp | None:
        """Why a code need not be mailed any more."""
        if "code" not in notice.secret:
            return GiveUp("the address is confirmed already")
        if instant(notice.secret["code_ends"]) <= self._clock.now():
            return GiveUp("the code has expired")
        return None

    async def check(self) -> str | None:
        """Connect and log in as for a letter, without one: what is wrong, in words, or None."""
        with closing(self._connection()) as smtp:
            try:
                async with asyncio.timeout(self._timeout_s):
                    problem = await self._opened(smtp)
            except TimeoutError:
                return "the mail server is too slow"
        return problem.reason if problem else None

    def _connection(self) -> "SMTP":
        import aiosmtplib

        server = self._server
        user, password = server.login or (None, None)
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=self._trusted if server.security != "none" else None,
            username=user,
            password=password,
            local_hostname=self._desk.domain,
            timeout=self._timeout_s,
        )

    async def _opened(self, smtp: "SMTP") -> TryAgain | None:
        """Connect and log in; what is wrong with our server is nothing against the letter or its channel."""
        import aiosmtplib

        try:
            await smtp.connect()
        except aiosmtplib.SMTPAuthenticationError as error:
            return _ours("the mail server refuses our login", error.code)
        except aiosmtplib.SMTPResponseException as error:
            return _ours("the mail server refuses us", error.code)
        except OSError as error:
            if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
                return _ours("the mail server's certificate is not trusted, or TLS failed")
            return _ours("the mail server cannot be reached")
        except aiosmtplib.SMTPException:
            return _ours("the mail server does not offer what we are to use (STARTTLS, or a login)")
        return None

    async def _addressed(self, smtp: "SMTP", address: str) -> Verdict | None:
        """Say who writes to whom; None when the server wants the letter."""
        import aiosmtplib

        try:
            await smtp.mail(self._sender)
        except aiosmtplib.SMTPResponseException as error:
            # Whatever is wrong with our own address is nothing against the receiver's.
            return _ours("the mail server refuses our sender", error.code)
        except (aiosmtplib.SMTPException, OSError):
            return _ours("the mail server hung up")
        try:
            await smtp.rcpt(address)
        except aiosmtplib.SMTPResponseException as error:
            return _refused(error.code, error.message)
        except (aiosmtplib.SMTPException, OSError):
            return _ours("the mail server hung up")
        return None


async def _handed_in(smtp: "SMTP", message: bytes, *, timeout_s: float) -> Verdict:
    import aiosmtplib

    try:
        async with asyncio.timeout(timeout_s):
            response = await smtp.data(message)
    except aiosmtplib.SMTPResponseException as error:
        return _refused(error.code, error.message)
    except (aiosmtplib.SMTPException, OSError):
        # It may have been taken: a second one would be one too many.
        return GiveUp("the mail server did not say whether it took the e-mail", unknown=True)
    return Delivered(response.code)


def _ours(reason: str, answer: int | None = None) -> TryAgain:
    """What no receiver can do anything about."""
    return TryAgain(reason, answer, ours=True)


def _refused(code: int, text: str) -> Verdict:
    """The server's text stays out: it quotes addresses."""
    if code in _REFUSES_US:
        return _ours("the mail server refuses us", code)
    if code in _TEMPORARY:
        return TryAgain("the mail server puts the e-mail off", code)
    if _NOBODY_THERE.match(text):
        return GiveUp("there is no such mailbox", code, disable=True)
    return GiveUp("the mail server refuses the e-mail", code)
