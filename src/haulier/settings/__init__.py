"""All settings: typed, validated and documented in one place, read once from the environment at start."""

from haulier.settings.checks import MIN_SECRET_BYTES
from haulier.settings.fields import PREFIX, Settings, least_expire_days, variable
from haulier.settings.loading import load
from haulier.settings.secret import Secret

__all__ = ["MIN_SECRET_BYTES", "PREFIX", "Secret", "Settings", "least_expire_days", "load", "variable"]
