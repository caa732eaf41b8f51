"""The values used last, as many as the sum of their weights allows. For any number of threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class Recent(Generic[_Value]):
    """Keeps values by key until heavier or newer ones need the room."""

    def __init__(self, weight_max: int) -> None:
        self._weight_max = weight_max
        self._weight = 0
        self._kept: OrderedDict[Hashable, tuple[_Value, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> _Value | None:
        """Return the value, which has now been used last."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: Hashable, value: _Value, weight: int) -> None:
        """Keep a value; forget the ones used longest ago, if there is no room."""
        with self._lock:
            _, replaced = self._kept.pop(key, (None, 0))
            self._kept[key] = (value, weight)
            self._weight += weight - replaced
            while self._weight > self._weight_max:
                _, (_, dropped) = self._kept.popitem(last=False)
                self._weight -= dropped
