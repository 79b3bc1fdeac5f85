"""SIGTERM and SIGHUP end the program as an exception does, so that what was checked out is given back.

Only where nobody else handles them.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Callable

NAMES = ("SIGTERM", "SIGHUP")


class Signals:
    """Handles them until it is restored. Outside the main thread, and where somebody else handles them, it does nothing."""

    def __init__(self, on_signal: Callable[[int], None] | None = None) -> None:
        self._on_signal = on_signal
        self._taken: list[signal.Signals] = []

    def take(self) -> None:
        """Begins."""
        if threading.current_thread() is not threading.main_thread():
            return
        for name in NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._handle)
                self._taken.append(number)

    def restore(self) -> None:
        """Ends."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in self._taken:
            if signal.getsignal(number) == self._handle:
                signal.signal(number, signal.SIG_DFL)
        self._taken.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self._on_signal is None:
            raise SystemExit(128 + number)
        self._on_signal(number)
