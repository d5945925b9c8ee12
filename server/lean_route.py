"""A route that is asked for so often that finding its parameters must not cost more than its answer."""

from collections.abc import Callable, Coroutine
from typing import Any, get_type_hints

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from server.schemas.query import from_query


class LeanRoute(APIRoute):
    """A route that reads its query itself, where FastAPI only describes it.

    The endpoint is a plain function of `request` and `query`, a model, and has no dependencies:
    those cost a page of 1,000 reports as much as all else of it here (bench/page_of_features.py).
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give what answers a request."""
        endpoint = self.endpoint
        model: type[BaseModel] = get_type_hints(endpoint)["query"]

        async def answer(request: Request) -> Response:
            try:
                query = from_query(model, request.scope["query_string"])
            except ValidationError as error:
                raise RequestValidationError(
                    [{**fault, "loc": ("query", *fault["loc"])} for fault in error.errors()]
                ) from error
            return await run_in_threadpool(endpoint, request, query)

        return answer
