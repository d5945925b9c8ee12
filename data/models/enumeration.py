from enum import StrEnum

from sqlalchemy import Enum


def enumeration(members: type[StrEnum], name: str) -> Enum:
    """Give the PostgreSQL enumeration of a StrEnum: values as stored, in the members' order."""
    return Enum(members, name=name, values_callable=lambda m: [member.value for member in m])
