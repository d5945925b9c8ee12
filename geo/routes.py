"""In which order crews come to places, each within its day, with the least driving (PyVRP).

PyVRP is a hybrid of search and chance (Wouda, Lan and Kool 2024, PyVRP: a high-performance VRP solver
package, doi:10.1287/ijoc.2023.0055). It is seeded and ends after a number of rounds, not of seconds, so
that the same question has the same answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyvrp
from numpy.typing import NDArray

SPEED_KMH = 30.0
"""Of a truck between two stops in a city, with its waits: an assumption, said where it is used."""

SEED = 20_260_514

_ROUNDS = 2_000
_ROUNDS_OF_MANY = 240_000
"""Rounds of a search; of many stops fewer, since each takes longer."""

_DAY_COSTS_M = 3_000
"""Metres of driving that are worth saving a crew's day."""

_LEAVING_COSTS_M = 1_000_000
"""What leaving a place out costs at least: more than any way, so that as many as fit are gone to."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Days of one crew, all alike.

    Attributes
    ----------
    depot : int
        Where it starts and ends: a number of `distances`.
    minutes : int
        From leaving the depot to being back.
    days : int
    """

    depot: int
    minutes: int
    days: int


@dataclass(frozen=True, slots=True)
class Route:
    """One crew's day.

    Attributes
    ----------
    shift : int
        Number of the shift.
    stops : tuple of int
        Numbers of the stops, in order.
    """

    shift: int
    stops: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Routes:
    """Days of crews.

    Attributes
    ----------
    routes : tuple of Route
        By shift, then the longest first.
    left : tuple of int
        Stops for which no day has room.
    metres : int
        Of driving in all.
    """

    routes: tuple[Route, ...]
    left: tuple[int, ...]
    metres: int


@dataclass(frozen=True, slots=True)
class Timed:
    """When a route comes where.

    Attributes
    ----------
    arrivals_s : tuple of int
        Seconds after leaving the depot, of each stop.
    back_s : int
        Of being back at the depot.
    metres : int
        Of driving.
    """

    arrivals_s: tuple[int, ...]
    back_s: int
    metres: int


def driving_s(metres: float) -> int:
    """Give the seconds that a way takes at `SPEED_KMH`."""
    return round(metres * 3.6 / SPEED_KMH)


def routed(
    distances_m: NDArray[np.float64],
    depots: int,
    service_s: Sequence[int],
    shifts: Sequence[Shift],
    *,
    importance: Sequence[float] | None = None,
    rounds: int | None = None,
    seed: int = SEED,
) -> Routes:
    """Find days of crews in which as many stops as fit are gone to with the least driving.

    Parameters
    ----------
    distances_m : ndarray of float, shape (depots + n, depots + n)
        Metres between depots and stops, depots first.
    depots : int
    service_s : sequence of int
        Seconds at each of the n stops.
    shifts : sequence of Shift
    importance : sequence of float, optional
        Of each stop, 0 or more: where not all fit, what is left out is what counts less.
    rounds : int, optional
        Of the search.
    seed : int

    Returns
    -------
    Routes
    """
    n = len(service_s)
    open_shifts = [number for number, shift in enumerate(shifts) if shift.days > 0]
    if not n or not open_shifts:
        return Routes((), tuple(range(n)), 0)
    problem = _problem(distances_m, depots, service_s, shifts, importance or [0.0] * n)
    most = rounds or max(_ROUNDS // 5, min(_ROUNDS, _ROUNDS_OF_MANY // n))
    found = pyvrp.solve(
        problem, pyvrp.stop.MaxIterations(most), seed=seed, collect_stats=False
    ).best
    routes = [
        Route(
            open_shifts[route.vehicle_type()],
            tuple(activity.idx for activity in route if activity.is_client()),
        )
        for route in found.routes()
    ]
    timed = [
        timed_route(route.stops, shifts[route.shift].depot, distances_m, depots, service_s)
        for route in routes
    ]
    # What PyVRP could not make fit is left out: nobody is sent for longer than a day.
    kept = [
        (route, times)
        for route, times in zip(routes, timed, strict=True)
        if times.back_s <= shifts[route.shift].minutes * 60
    ]
    gone_to = {stop for route, _times in kept for stop in route.stops}
    kept.sort(key=lambda pair: (pair[0].shift, -len(pair[0].stops), pair[0].stops))
    return Routes(
        tuple(route for route, _times in kept),
        tuple(stop for stop in range(n) if stop not in gone_to),
        sum(times.metres for _route, times in kept),
    )


def timed_route(
    stops: Sequence[int],
    depot: int,
    distances_m: NDArray[np.float64],
    depots: int,
    service_s: Sequence[int],
) -> Timed:
    """Say when a crew comes to each stop of a route.

    Parameters
    ----------
    stops : sequence of int
        In order.
    depot : int
    distances_m, depots, service_s
        As `routed` takes them.

    Returns
    -------
    Timed
    """
    at, clock, metres = depot, 0, 0
    arrivals: list[int] = []
    for stop in stops:
        way = float(distances_m[at, depots + stop])
        clock, metres = clock + driving_s(way), metres + round(way)
        arrivals.append(clock)
        clock, at = clock + service_s[stop], depots + stop
    way = float(distances_m[at, depot])
    return Timed(tuple(arrivals), clock + driving_s(way), metres + round(way))


def _problem(
    distances_m: NDArray[np.float64],
    depots: int,
    service_s: Sequence[int],
    shifts: Sequence[Shift],
    importance: Sequence[float],
) -> pyvrp.ProblemData:
    metres = np.rint(distances_m).astype(np.int64)
    seconds = np.rint(distances_m * 3.6 / SPEED_KMH).astype(np.int64)
    most = max(*importance, 0.0) or 1.0
    return pyvrp.ProblemData(
        # Where a place lies says its row of the matrices alone.
        locations=[pyvrp.Location(0, 0) for _ in range(len(metres))],
        depots=[pyvrp.Depot(depot) for depot in range(depots)],
        clients=[
            pyvrp.Client(
                depots + stop,
                service_duration=seconds_there,
                prize=_LEAVING_COSTS_M + round(_LEAVING_COSTS_M * counts / most),
                required=False,
            )
            for stop, (seconds_there, counts) in enumerate(zip(service_s, importance, strict=True))
        ],
        vehicle_types=[
            pyvrp.VehicleType(
                num_available=shift.days,
                start_depot=shift.depot,
                end_depot=shift.depot,
                shift_duration=shift.minutes * 60,
                fixed_cost=_DAY_COSTS_M,
            )
            for shift in shifts
            if shift.days > 0
        ],
        distance_matrices=[metres],  # type: ignore[list-item]  # PyVRP types the shape as an int
        duration_matrices=[seconds],  # type: ignore[list-item]  # as above
    )
