"""The settings of e-mail, browser push, and what apprise reaches; see fields.py."""

from typing import Annotated

import msgspec

from haulier.destinations.apprise_urls import DEFAULT_SERVICES, OperatorChannel, operator_channels, services_of
from haulier.destinations.mail_address import bare_address
from haulier.destinations.smtp_url import SmtpServer, smtp_server
from haulier.settings.secret import Secret, doc


class NoticeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All of them are off, or ask for nothing, unless they are set."""

    smtp_url: Annotated[
        Secret,
        doc(
            "Mail server: smtp://user:password@host:587 (STARTTLS, or ?starttls=no) or smtps://…; without it no e-mail."
        ),
    ] = msgspec.field(default_factory=Secret)
    mail_from: Annotated[str, doc("Who e-mails are from: Downloads <downloads@example.com>.")] = ""
    vapid_key: Annotated[
        Secret, doc("P-256 key of browser push, from `haulier vapid-key`; without it there is no push.")
    ] = msgspec.field(default_factory=Secret)
    vapid_subject: Annotated[
        str,
        doc(
            "Where push services reach the operator: mailto:… or https://…; default: the address of HAULIER_MAIL_FROM."
        ),
    ] = ""
    apprise_services: Annotated[
        str, doc("Services of apprise that users may write URLs of, divided by commas; none for none.")
    ] = DEFAULT_SERVICES
    apprise_channels: Annotated[
        Secret,
        doc("Places to choose by name: ops=slack://… night:admin=pover://…, with spaces between; roles are optional."),
    ] = msgspec.field(default_factory=Secret)

    @property
    def mail_server(self) -> SmtpServer | None:
        """The parsed `smtp_url`; None when e-mail is off. Raises ValueError when it holds something else."""
        return smtp_server(self.smtp_url.reveal()) if self.smtp_url else None

    @property
    def push_contact(self) -> str:
        """What push services are told of whom to ask; empty when nobody is named."""
        address = bare_address(self.mail_from)
        return self.vapid_subject or (f"mailto:{address}" if address else "")

    @property
    def apprise_schemas(self) -> tuple[str, ...]:
        """The parsed `apprise_services`. Raises ValueError when it holds something else."""
        return services_of(self.apprise_services)

    @property
    def apprise_places(self) -> dict[str, OperatorChannel]:
        """The places of `apprise_channels` by name. Raises ValueError when it holds something else."""
        return operator_channels(self.apprise_channels.reveal())
