from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from data.models import ImportRun

SAMPLE = "sample"
"""Source of the import run that brought in the sample city."""


def is_sample(session: Session) -> bool:
    """Whether the city in the store is the sample city."""
    return bool(session.scalar(select(exists().where(ImportRun.source == SAMPLE))))
