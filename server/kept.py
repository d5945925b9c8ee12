"""Results that a process keeps for a while, since they are asked for again and again."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from math import inf
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """So many results at the most, those longest not asked for given up first.

    Parameters
    ----------
    most : int
    for_s : float
        Seconds after which a result is made anew.
    clock : callable
        Gives seconds.
    """

    def __init__(
        self, most: int, for_s: float = inf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._for_s, self._clock = most, for_s, clock
        self._values: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Give what is kept under a key, or make it and keep it."""
        now = self._clock()
        with self._lock:
            made_at, value = self._values.get(key, (-inf, None))
            if value is not None and now - made_at < self._for_s:
                self._values.move_to_end(key)
                return value
        value = make()  # two who ask at once both make it, which is better than to wait
        with self._lock:
            self._values[key] = now, value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value
