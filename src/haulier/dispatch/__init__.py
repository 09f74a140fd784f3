"""The dispatcher: fair order, hand-over, reconciling engine and ledger, expiry and sweeping. One leader at a time."""

from haulier.dispatch.dispatcher import Dispatcher

__all__ = ["Dispatcher"]
