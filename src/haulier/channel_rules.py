"""Where channels may lead, as the settings say: checked when one is added, and again at each delivery."""

from haulier.addresses import AddressRules
from haulier.settings import Settings


def channel_rules(settings: Settings) -> AddressRules:
    """The addresses that may be reached."""
    return AddressRules(allow_private=settings.channel_allow_private, networks=settings.channel_networks)
