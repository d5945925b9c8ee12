from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base
from data.models.enumeration import enumeration
from geo.categories import Setting
from geo.kinds import Kind


class Category(Base):
    """The table of `geo.categories`, stored so that reports can refer to it."""

    __tablename__ = "category"

    code: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[Kind] = mapped_column(enumeration(Kind, "report_kind"))
    group_name: Mapped[str]
    name: Mapped[str]
    service_code: Mapped[str] = mapped_column(unique=True)
    duplicate_radius_m: Mapped[int]
    setting: Mapped[Setting] = mapped_column(enumeration(Setting, "category_setting"))

    __table_args__ = (
        UniqueConstraint("code", "kind"),
        CheckConstraint("duplicate_radius_m BETWEEN 1 AND 1000", name="radius_is_sensible"),
    )
