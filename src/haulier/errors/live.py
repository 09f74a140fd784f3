"""Errors of those who follow jobs live."""

from haulier.errors.base import HaulierError


class OriginNotAllowed(HaulierError):
    code, status, title = "origin_not_allowed", 403, "Origin not allowed"
    sentence = "Pages of {origin} may not open this connection; its operator allows them with HAULIER_ALLOWED_ORIGINS."


class UpgradeRequired(HaulierError):
    code, status, title = "upgrade_required", 426, "Upgrade required"
    sentence = (
        "This is a WebSocket. If you did open it as one, a proxy on the way keeps the headers Upgrade and Connection"
        " back."
    )


class MalformedMessage(HaulierError):
    code, status, title = "malformed_message", 400, "Malformed message"
    sentence = "The message cannot be read: {reason}."


class TooManyStreams(HaulierError):
    code, status, title = "too_many_streams", 429, "Too many live connections"
    sentence = "You have {limit} live connections already. Close one, or poll the status instead."
    retry_after_s = 10


class TooManyTickets(HaulierError):
    code, status, title = "too_many_tickets", 429, "Too many tickets"
    sentence = "You may ask for {limit} tickets a minute. Keep your connections open, or try again in {wait_s} s."


class TooManySubscriptions(HaulierError):
    code, status, title = "too_many_subscriptions", 429, "Too many subscriptions"
    sentence = "A connection may follow {limit} jobs. Subscribe to all, or open another one."
