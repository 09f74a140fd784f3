"""The check of `doctor` for the mail server; see diagnosis.py."""

from haulier.cli.diagnosis import Finding, Mark
from haulier.clock import Clock
from haulier.settings import Settings

TIMEOUT_S = 5.0


async def mail(settings: Settings, clock: Clock) -> list[Finding]:
    """It lets us in, with encryption and login as the settings say. Nothing is sent."""
    from haulier.addresses import trusted
    from haulier.notify import desk_of
    from haulier.notify.email import EmailSender

    server = settings.mail_server
    assert server is not None
    sender = EmailSender(server, desk=desk_of(settings), clock=clock, trusted=trusted(), timeout_s=TIMEOUT_S)
    problem = await sender.check()
    if problem:
        advice = (
            f"Check HAULIER_SMTP_URL ({server.host}:{server.port}, {server.security}); no e-mail is sent meanwhile."
        )
        return [Finding(Mark.BAD, "mail", problem, advice)]
    how = {"tls": "over TLS", "starttls": "with STARTTLS", "none": "without encryption"}[server.security]
    login = " and takes our login" if server.login else ""
    return [Finding(Mark.GOOD, "mail", f"the mail server answers {how}{login}")]
