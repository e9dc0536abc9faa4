"""Joins what several conversations ask at the same moment into common forward passes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nlu.engine import Engine, Outputs

_MOST_TOKENS = 256
"""Tokens in a common pass, padding included; from about a hundred on a larger pass gets no more done in its time."""
_MOST_STRETCH = 1.5
"""How many times its own length a text may be padded to; a longer pass costs more than a pass of its own."""


def in_passes(lengths: Sequence[int], most_tokens: int = _MOST_TOKENS) -> list[list[int]]:
    """Shares many texts out among passes that are soon over, so that what others ask meanwhile gets in between.

    Args:
        lengths: tokens of each text.
        most_tokens: tokens in a pass, padding included; a text that is longer has a pass of its own.

    Returns:
        For each pass the places of its texts; those of like length are together, the shortest come first.
    """
    passes: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if passes and (len(passes[-1]) + 1) * lengths[place] <= most_tokens:
            passes[-1].append(place)
        else:
            passes.append([place])
    return passes


@dataclass(slots=True, eq=False)
class _Request:
    """What one thread asks, and what it is told."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    told: threading.Event = field(default_factory=threading.Event)
    outputs: Outputs | None = None
    error: BaseException | None = None

    @property
    def tokens(self) -> int:
        return int(self.ids.shape[1])


class BatchingEngine:
    """Runs a few passes at a time; what is asked meanwhile shares the next one. Implements `nlu.engine.Engine`.

    Nobody waits for company: a thread that finds a lane free runs its own texts at once. One whose pass is done hands
    its lane to the thread that has waited longest.

    Args:
        engine: runs the passes.
        lanes: how many passes may run at a time.
        most_tokens: tokens in a common pass.
    """

    def __init__(self, engine: Engine, lanes: int = 1, most_tokens: int = _MOST_TOKENS) -> None:
        self._engine = engine
        self._free = lanes
        self._most_tokens = most_tokens
        self._guard = threading.Lock()
        self._waiting: list[_Request] = []  # neither leads a pass nor is in one

    @property
    def width(self) -> int:
        """The width of its sentence vectors."""
        return self._engine.width

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Outputs:
        """One forward pass, perhaps with others' texts; see `nlu.engine.Engine.run`."""
        own = _Request(ids, mask)
        with self._guard:
            lead = self._free > 0
            if lead:
                self._free -= 1
            else:
                self._waiting.append(own)
        if not lead:
            try:
                own.told.wait()
            except BaseException:
                self._leave(own)
                raise
        if own.outputs is None and own.error is None:
            self._lead(own)
        if own.error is not None:
            raise own.error
        assert own.outputs is not None  # noqa: S101 - the one or the other was set
        return own.outputs

    def _lead(self, own: _Request) -> None:
        """Runs a pass for a request and those that fit with it, then hands the lane over."""
        with self._guard:
            together = self._take(own)
        try:
            _share(self._engine, together)
        except BaseException as error:  # noqa: BLE001 - each thread raises it where it asked
            for request in together:
                request.error = error
        for request in together:
            request.told.set()
        with self._guard:
            self._hand_on()

    def _leave(self, own: _Request) -> None:
        """What is asked by a thread that was interrupted waits no more; a lane that it was handed goes to the next."""
        with self._guard:
            if own in self._waiting:
                self._waiting.remove(own)
            elif own.told.is_set() and own.outputs is None and own.error is None:
                self._hand_on()

    def _hand_on(self) -> None:
        """Gives a lane to the thread that has waited longest; the guard is held."""
        if self._waiting:
            self._waiting.pop(0).told.set()
        else:
            self._free += 1

    def _take(self, first: _Request) -> list[_Request]:
        """A request and those of like length among the waiting that fit with it, which wait no more."""
        together, rows = [first], len(first.ids)
        shortest = longest = first.tokens
        for request in sorted(self._waiting, key=lambda other: abs(other.tokens - first.tokens)):
            low, high = min(shortest, request.tokens), max(longest, request.tokens)
            if (rows + len(request.ids)) * high > self._most_tokens or high > low * _MOST_STRETCH:
                continue
            together.append(request)
            rows += len(request.ids)
            shortest, longest = low, high
        self._waiting = [request for request in self._waiting if request not in together]
        return together


def _share(engine: Engine, requests: list[_Request]) -> None:
    """One pass for all, and to each its rows."""
    if len(requests) == 1:
        requests[0].outputs = engine.run(requests[0].ids, requests[0].mask)
        return
    tokens = max(request.tokens for request in requests)

    def join(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        return np.concatenate([np.pad(part, [(0, 0), (0, tokens - part.shape[1])]) for part in parts])

    found = engine.run(join([r.ids for r in requests]), join([r.mask for r in requests]))
    start = 0
    for request in requests:
        rows = slice(start, start + len(request.ids))
        start = rows.stop
        request.outputs = Outputs(
            found.vectors[rows],
            {head: values[rows] for head, values in found.logits.items()},
            None if found.tags is None else found.tags[rows, : request.tokens],
        )
