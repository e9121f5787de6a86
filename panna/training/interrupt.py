"""Ctrl-C and the end of a batch job, noticed between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """While the `with` block runs, SIGINT and SIGTERM only set `signal`; a second one raises.

    Outside the main thread, where Python gives no signals, nothing happens.

    signal: number of the signal that asked to stop after the present step.
    after_epoch: a request to stop at the end of the present epoch.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.after_epoch = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
