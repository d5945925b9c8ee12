from datetime import datetime
from typing import Annotated, Any, ClassVar

from geoalchemy2 import Geometry
from sqlalchemy import BigInteger, DateTime, Identity, LargeBinary, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SRID = 4326
"""As `geo.crs.STORED` says."""

Key = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]


class Base(DeclarativeBase):
    """Every table. Constraint names are spelled by rule, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "pk": "%(table_name)s_pkey",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        datetime: DateTime(timezone=True),
        bytes: LargeBinary,
    }


def geometry(kind: str) -> Geometry:
    """Give the column type of a geometry in EPSG:4326. Its GiST index stands with the table.

    Parameters
    ----------
    kind : str
        PostGIS name of the type, such as "POINT"; "GEOMETRY" takes any.
    """
    return Geometry(kind, srid=SRID, spatial_index=False)


class Imported:
    """Where a row came from. The pair of source and external id is how a newer file finds it.

    `import_run_id` carries no foreign key: COPY would pay for one check a row, and runs are never
    deleted.
    """

    source: Mapped[str] = mapped_column(server_default="porchlight")
    external_id: Mapped[str | None]
    fingerprint: Mapped[bytes | None]
    import_run_id: Mapped[int | None] = mapped_column(BigInteger)
