"""The query of an address, read without a route around it."""

from functools import lru_cache
from typing import TypeVar, get_origin
from urllib.parse import parse_qs

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)


@lru_cache
def _lists(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(
        info.alias or name
        for name, info in model.model_fields.items()
        if get_origin(info.annotation) is list
    )


def from_query(model: type[Model], query: bytes) -> Model:
    """Read the query of an address as FastAPI does.

    Parameters
    ----------
    model : type
        What the query may hold. A word that is there more than once is a list to it, or counts
        with its last value.
    query : bytes
        What stands behind the question mark.

    Raises
    ------
    pydantic.ValidationError
    """
    words = parse_qs(query.decode("latin-1"), keep_blank_values=True)  # as Starlette does
    lists = _lists(model)
    return model.model_validate(
        {name: values if name in lists else values[-1] for name, values in words.items()}
    )
