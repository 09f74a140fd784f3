"""PostgreSQL's failures in our words. What it says itself (SQL, names, values) is their cause and reaches no user."""

from collections.abc import Generator
from contextlib import contextmanager

import asyncpg
from asyncpg.exceptions import ClientConfigurationError

from haulier.errors import AttemptError, BadRecipe, QueryFailed, QueryTimedOut, SourceDenied, SourceUnavailable

NAME = "the database"
# By the class of the SQLSTATE: the server is away, full, shutting down, or asks to try again.
_AWAY = {
    "08": "the connection broke",
    "28": "it refuses our login",
    "3D": "it does not exist",
    "40": "it asks to try again",
    "53": "it is out of resources",
    "55": "a lock was not free in time",
    "57": "it is shutting down",
    "58": "it has trouble",
    "XX": "it has trouble",
}
_IDLE, _CANCELLED, _DENIED, _READ_ONLY = "25P03", "57014", "42501", "25006"


@contextmanager
def translated(*, limit_s: float) -> Generator[None]:
    """Raise our error for what goes wrong in the block with the database.

    Permanent: SQL that cannot run, a denied table, data or parameters that the query cannot take, the statement timeout
    (`limit_s`): all would come again. Everything else is tried again.
    """
    try:
        yield
    except asyncpg.PostgresError as error:
        sqlstate = str(getattr(error, "sqlstate", ""))
        raise _of_server(sqlstate, limit_s=limit_s) from error
    except TimeoutError as error:
        raise SourceUnavailable(name=NAME, reason="no answer in time") from error
    except UnicodeDecodeError as error:
        raise QueryFailed(reason="its text is not valid UTF-8") from error
    except ClientConfigurationError as error:
        raise SourceUnavailable(name=NAME, reason="its address is not valid") from error
    except asyncpg.InterfaceError as error:
        if isinstance(error, ValueError):
            raise QueryFailed(reason="a value does not fit its parameter") from error
        raise SourceUnavailable(name=NAME, reason="the connection broke") from error
    except (OSError, asyncpg.InternalClientError) as error:
        raise SourceUnavailable(name=NAME, reason="no connection") from error


def _of_server(sqlstate: str, *, limit_s: float) -> AttemptError:
    if sqlstate == _CANCELLED:
        return QueryTimedOut(limit_s=f"{limit_s:g}")
    if sqlstate == _DENIED:
        return SourceDenied(name="a table or function of the query")
    if sqlstate == _READ_ONLY:
        return BadRecipe(reason="query: it writes, and may only read")
    if sqlstate == _IDLE:
        return SourceUnavailable(name=NAME, reason="it waited too long for us")
    if sqlstate[:2] in _AWAY:
        return SourceUnavailable(name=NAME, reason=_AWAY[sqlstate[:2]])
    if sqlstate[:2] == "42":
        return BadRecipe(reason=f"query: its SQL cannot run (SQLSTATE {sqlstate})")
    return QueryFailed(reason=f"SQLSTATE {sqlstate}")
