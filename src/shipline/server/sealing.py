"""What somebody gave to one pipeline or one job, and what a job reported for later ones, is as secret as any
variable: in the records that the database keeps, the values are encrypted."""

from __future__ import annotations

import base64
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from shipline.engine.records import JobRecord, PipelineRecord
from shipline.server import tables as t
from shipline.server.database import Database
from shipline.server.vault import Vault

SEALED = "sealed:"
"""What an encrypted value begins with. What a person gives is always encrypted, whatever it begins with."""
DONE = "given variables are sealed"
AT_ONCE = 500
_JOB = msgspec.json.Decoder(JobRecord)
_PIPELINE = msgspec.json.Decoder(PipelineRecord)
Record = TypeVar("Record", PipelineRecord, JobRecord)


class Sealing:
    """Writes and reads the records."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault

    def write(self, record: Record) -> bytes:
        return msgspec.json.encode(self._with(record, self._seal))

    def pipeline(self, text: bytes) -> PipelineRecord:
        return self._with(_PIPELINE.decode(text), self._open)

    def job(self, text: bytes) -> JobRecord:
        return self._with(_JOB.decode(text), self._open)

    def seal_what_is_open(self, database: Database) -> None:
        """Encrypts, once, what an older Shipline left open."""
        if database.one(sa.select(t.kept.c.name).where(t.kept.c.name == DONE)):
            return
        with database.transaction():
            for table, read in ((t.pipelines, self.pipeline), (t.jobs, self.job)):
                last = 0
                rows = sa.select(table.c.id, table.c.record).order_by(table.c.id).limit(AT_ONCE)
                while found := database.all(rows.where(table.c.id > last)):
                    for number, text in found:
                        record: Any = read(text)
                        if _values(record):
                            changed = sa.update(table).where(table.c.id == number)
                            database.execute(changed.values(record=self.write(record)))
                        last = number
            database.execute(sa.insert(t.kept).values(name=DONE, value=b""))

    def _with(self, record: Record, change: Any) -> Record:
        if not _values(record):
            return record
        place = f"of {'pipeline' if isinstance(record, PipelineRecord) else 'job'} {record.id}"
        fields: dict[str, Any] = {}
        for field in ("variables", "dotenv"):
            if items := getattr(record, field, None):
                fields[field] = [
                    msgspec.structs.replace(item, value=change(item.value, f"variable {item.key} {place}"))
                    for item in items
                ]
        return msgspec.structs.replace(record, **fields)

    def _seal(self, value: str, place: str) -> str:
        return SEALED + base64.b85encode(self.vault.seal(value, place)).decode()

    def _open(self, value: str, place: str) -> str:
        if not value.startswith(SEALED):
            return value  # an older Shipline kept it as it was
        return self.vault.unseal(base64.b85decode(value.removeprefix(SEALED)), place)


def _values(record: PipelineRecord | JobRecord) -> bool:
    return bool(record.variables or getattr(record, "dotenv", None))
