"""Problem details (RFC 9457) as the description of the API tells of them."""

from typing import Any

MEDIA_TYPE = "application/problem+json"

_PLACE = {
    "type": "object",
    "required": ["lat", "lon"],
    "properties": {
        "label": {"type": "string"},
        "lat": {"type": "number"},
        "lon": {"type": "number"},
    },
}

PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "What is wrong, and what to do.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "description": "Each thing that is wrong.",
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "Where it stands."},
                    "detail": {"type": "string"},
                    "code": {"type": "string", "description": "The same for every occurrence."},
                    "meant": {
                        "description": "With latitude and longitude swapped back.",
                        **_PLACE,
                    },
                    "choices": {
                        "description": "Places that were perhaps meant.",
                        "type": "array",
                        "items": _PLACE,
                    },
                },
            },
        },
    },
}

_TEXTS = {
    400: "What was sent could not be read.",
    403: "Sent from another site, or not public.",
    404: "There is no such thing.",
    409: "Not possible as things stand.",
    413: "Too large.",
    415: "Not sent as JSON.",
    422: "Some of what was sent cannot be used.",
    429: "Too many from one network address: try again after the seconds in Retry-After.",
    503: "Busy or restarting: try again after the seconds in Retry-After.",
}


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Give the answers of a route that are problems, for the description of the API.

    Parameters
    ----------
    *statuses : int
        HTTP statuses.
    """
    return {
        status: {"description": _TEXTS[status], "content": {MEDIA_TYPE: {"schema": PROBLEM}}}
        for status in statuses
    }
