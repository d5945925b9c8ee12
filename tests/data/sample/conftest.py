from datetime import UTC, datetime

import pytest

from data.sample.city import SampleCity, sample_city

UNTIL = datetime(2026, 6, 1, 18, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def sample() -> SampleCity:
    return sample_city(7, UNTIL)
