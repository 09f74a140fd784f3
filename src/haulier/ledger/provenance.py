"""What artefacts were made of. The facts go with their job's row."""

from uuid import UUID

import msgspec

from haulier.ledger.database import Database
from haulier.ledger.queryfile import Exec, One, QueryFile
from haulier.provenance import Provenance


class ProvenanceQueries(QueryFile, file="provenance.sql"):
    provenance_of_job: One
    keep_provenance: Exec


class Provenances:
    """The facts behind receipts, one record for a completed job."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, job_id: UUID) -> Provenance | None:
        """None for a job that has no artefact, or was completed by a version that kept no facts."""
        row = await self._database.run(ProvenanceQueries.provenance_of_job, job_id=job_id)
        return msgspec.convert(row["facts"], Provenance) if row else None

    async def keep(self, job_id: UUID, facts: Provenance) -> None:
        """Keep the facts of a job; the first ones stay."""
        await self._database.run(ProvenanceQueries.keep_provenance, job_id=job_id, facts=msgspec.to_builtins(facts))
