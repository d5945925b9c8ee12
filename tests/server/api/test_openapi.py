"""Whatever a program sends, allowed by the description or not, gets an answer that it describes."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from data.models import Report
from server.app import create_app
from server.settings import Settings
from tests.places import IN_EASTSIDE, found_city

DESCRIPTION = create_app(Settings(database_url="postgresql://never-asked/")).openapi()
OPERATIONS = [
    (method, path) for path, methods in DESCRIPTION["paths"].items() for method in methods
]
TAKING = [
    (method, path)
    for method, path in OPERATIONS
    if {"parameters", "requestBody"} & DESCRIPTION["paths"][path][method].keys()
]
"""Those that something wrong can be sent to."""

# A place outside the city, a time in the future, a category that is not in the table: valid by every
# rule that a schema can state, and rightly refused.
BEYOND_SCHEMAS = [positive_data_acceptance]

EXAMPLES = 40


@pytest.fixture
def described(settings, engine: Engine):
    with Session(engine) as session:
        found_city(session)
        place = "SRID=4326;POINT({} {})".format(*IN_EASTSIDE)
        session.execute(
            insert(Report).values(
                kind="lighting",
                category_code="light_out",
                exact_geom=place,
                public_geom=place,
                occurred_at="2026-01-01T00:00:00Z",
            )
        )
        session.commit()
    return schemathesis.openapi.from_asgi("/api/openapi.json", create_app(settings))


def hold(described, method, path, mode):
    """Have many requests of one mode answered, and every check of Schemathesis made."""

    @given(case=described[path][method].as_strategy(generation_mode=mode))
    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def any_request(case):
        case.call_and_validate(excluded_checks=BEYOND_SCHEMAS)

    any_request()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_what_is_allowed_is_answered_as_described(described, method, path):
    hold(described, method, path, GenerationMode.POSITIVE)


@pytest.mark.parametrize(("method", "path"), TAKING)
def test_what_is_not_allowed_is_refused_as_described(described, method, path):
    hold(described, method, path, GenerationMode.NEGATIVE)


@pytest.mark.parametrize(("method", "path"), TAKING)
def test_problems_are_described_wherever_something_can_be_wrong(method, path):
    answers = DESCRIPTION["paths"][path][method]["responses"]
    assert {*answers["422"]["content"]} == {"application/problem+json"}
