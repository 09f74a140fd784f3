"""The params of a request: refused when they do not fit its file, else in the one form of all their spellings."""

from typing import Any

import msgspec

from haulier.api.services import Services
from haulier.errors import AttemptError, InvalidRequest
from haulier.job import Request
from haulier.preparers.choosing import POINTER, plain

LIMIT_BYTES = 16_384
MOST_LEVELS = 8
SMALLEST, LARGEST = 1e-30, 1e30  # the ledger writes numbers out: 1e300 would be 301 digits


def with_choice(request: Request, services: Services) -> Request:
    """`request` with its params checked and without those that are the default, so that equal choices are one job.

    Raises InvalidRequest. A catalogue that fails, or a preparer that is installed on the workers only, is no reason to
    refuse: the params stay as they were sent, and the attempt tells.
    """
    check_plain(request.params)
    try:
        choice = services.registry.request_params(services.catalogue.recipe(request), request.params)
    except AttemptError:
        return request
    return request if choice is None else msgspec.structs.replace(request, params=plain(choice))


def check_plain(params: dict[str, Any]) -> None:
    """Raise InvalidRequest for what is too much for anybody, or what PostgreSQL cannot keep."""
    if not params:
        return
    _check_value(params, POINTER, levels=MOST_LEVELS)
    if len(msgspec.json.encode(params)) > LIMIT_BYTES:
        raise InvalidRequest((POINTER, f"is larger than {LIMIT_BYTES} bytes"))


def _check_value(value: Any, where: str, *, levels: int) -> None:
    if isinstance(value, str):
        _check_text(value, where)
    elif isinstance(value, int | float) and value != 0 and not SMALLEST <= abs(value) <= LARGEST:
        raise InvalidRequest((where[:200], "is too large or too small a number"))
    elif isinstance(value, dict | list):
        if not levels:
            raise InvalidRequest((POINTER, f"is nested deeper than {MOST_LEVELS} levels"))
        inner: Any = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in inner:
            _check_text(str(key), where)
            _check_value(each, f"{where}/{str(key)[:100]}", levels=levels - 1)


def _check_text(text: str, where: str) -> None:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidRequest((where[:200], "has a character that is no text (NUL or a lone surrogate)"))
