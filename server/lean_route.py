"""Routes that are asked for so often that finding their parameters must not cost more than the answer."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, get_type_hints

from fastapi import HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from server.schemas.query import from_query


class LeanRoute(APIRoute):
    """A route that reads its query or its body itself, where FastAPI only describes it.

    The endpoint is a plain function of `request` and a model, `query` or `body`. The route's
    dependencies are functions of the request alone. All else that FastAPI does between the two
    takes a third of the time of a report that is sent, and more of a page that is read
    (bench/submit.py, bench/page_of_features.py).
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give what answers a request."""
        endpoint = self.endpoint
        hints = get_type_hints(endpoint)
        place = "query" if "query" in hints else "body"
        model: type[BaseModel] = hints[place]
        checks = [dependency.dependency for dependency in self.dependencies]

        async def answer(request: Request) -> Response:
            for check in checks:
                assert check is not None
                await check(request)
            try:
                if place == "query":
                    asked = from_query(model, request.scope["query_string"])
                else:
                    asked = model.model_validate(await _json(request))
            except ValidationError as error:
                raise RequestValidationError(
                    [{**fault, "loc": (place, *fault["loc"])} for fault in error.errors()]
                ) from error
            return await run_in_threadpool(endpoint, request, asked)

        return answer


async def _json(request: Request) -> object:
    try:
        found: object = await request.json()
    except json.JSONDecodeError as error:
        fault = {"loc": ("body", error.pos), "msg": f"this is no JSON: {error.msg}"}
        raise RequestValidationError([fault]) from error
    except UnicodeDecodeError as error:
        raise HTTPException(400) from error
    return found
