"""`query`: the rows of a named SQL query as CSV, JSON Lines or Parquet.

The SQL stands in the catalogue; clients choose values of its declared parameters, and these are always bound. The path
of a row: `source` (a read-only snapshot and a server-side cursor) → `reading` (batches, cut into chunks whose ends
depend on the rows alone) → `text` or `parquet` (bytes) → `streaming` (bytes, marks and progress for the worker).
"""

from haulier.preparers.port import Preparer
from haulier.preparers.query.params import QueryParams, request_params
from haulier.preparers.query.streaming import prepare

PREPARER = Preparer(
    name="query",
    params=QueryParams,
    prepare=prepare,
    description="The rows of an SQL query, as CSV, JSON Lines or Parquet.",
    request_params=request_params,
    version="2",
)

__all__ = ["PREPARER", "QueryParams", "prepare", "request_params"]
