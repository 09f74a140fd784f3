"""Errors of programs: checking files, starting up."""

from haulier.errors.base import HaulierError


class NotVerifiable(HaulierError):
    """A file, a receipt or a set of keys cannot be read, so that nothing is known about the file."""

    code, title = "not_verifiable", "Not verifiable"
    sentence = "{name} cannot be used: {reason}."


class VerificationFailed(HaulierError):
    code, title = "verification_failed", "Verification failed"
    sentence = "{name} is not verified: {reasons}."


class ConfigurationError(HaulierError):
    """The settings do not allow a start; `problems` names each variable and what to do."""

    code, title = "configuration", "Configuration"
    sentence = "{problems}"


class HomeInUse(HaulierError):
    code, title = "home_in_use", "Home in use"
    sentence = "{home} is in use by process {pid}. Stop it, or choose another folder with --home."


class MigrationError(HaulierError):
    code, title = "migration", "Migration"
    sentence = "The database cannot be migrated: {reason}"
