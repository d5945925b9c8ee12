from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from data.models import Area, ImportRun

SAMPLE = "sample"
"""Source of the import run that brought in the sample city."""


def is_sample(session: Session) -> bool:
    """Whether the city in the store is the sample city."""
    return bool(session.scalar(select(exists().where(ImportRun.source == SAMPLE))))


def holds_real_city(session: Session) -> bool:
    """Whether anything of another city than the sample is stored."""
    held = exists().where(Area.source != SAMPLE), exists().where(ImportRun.source != SAMPLE)
    return any(session.scalar(select(found)) for found in held)


def is_only_sample(session: Session) -> bool:
    """Whether the city in the store is the sample city and no other beside it."""
    return is_sample(session) and not holds_real_city(session)
