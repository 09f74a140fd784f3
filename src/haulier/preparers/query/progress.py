"""Progress of a query in bytes, from the planner's rows: an estimate that is corrected while the rows come."""

from haulier.preparers.port import Build

STAGE = "querying"
AGAIN = "reading again"


class QueryProgress:
    """`rows` and `size` (bytes) are those of the artefact so far; `expected` is the planner's number of all rows."""

    def __init__(self, build: Build, *, rows: int, size: int) -> None:
        self._build = build
        self.rows = rows
        self.size = size
        self.expected = rows

    def start(self) -> None:
        """Nothing is known yet; the database may take long to find the first rows."""
        self._build.report(done=self.size, stage=STAGE)

    def add(self, *, rows: int, size: int, stage: str) -> None:
        """Report rows and bytes more. The total is rows to come at the size of those so far."""
        self.rows += rows
        self.size += size
        # More rows than planned: nobody knows how many more, so the end stays a twentieth ahead.
        expected = max(self.expected, self.rows + self.rows // 20)
        total = self.size * expected // self.rows if self.rows else None
        self._build.report(done=self.size, total=total, stage=stage)

    def end(self) -> None:
        self._build.report(done=self.size, total=self.size, stage=STAGE)
