import importlib
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select
from sqlalchemy.orm import Session

from data.models import Base, Category, StatusStep
from geo.categories import CATEGORIES
from geo.statuses import TRANSITIONS

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["geo", "data", "layers", "server"])
def test_each_package_is_imported_from_this_tree(name):
    assert Path(importlib.import_module(name).__file__).parent == ROOT / name


def test_the_migrations_build_what_the_models_say(session: Session):
    foreign = ("spatial_ref_sys", "procrastinate_")
    context = MigrationContext.configure(
        session.connection(),
        opts={
            "include_object": lambda item, name, kind, *_: (
                not (kind == "table" and name.startswith(foreign))
            )
        },
    )
    assert compare_metadata(context, Base.metadata) == []


def test_the_stored_categories_are_those_of_the_table(session: Session):
    stored = {
        (c.code, c.kind, c.group_name, c.name, c.service_code, c.duplicate_radius_m, c.setting)
        for c in session.scalars(select(Category))
    }
    assert stored == {
        (c.code, c.kind, c.group, c.name, c.service_code, c.duplicate_radius_m, c.setting)
        for c in CATEGORIES
    }


def test_the_stored_steps_are_those_of_the_way_of_a_report(session: Session):
    stored = {(step.before, step.after) for step in session.scalars(select(StatusStep))}
    assert stored == {(before, after) for before, steps in TRANSITIONS.items() for after in steps}
