"""Processes that end with the one that started them (Linux)."""

import ctypes
import signal

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """From now on the kernel asks this process to end (SIGTERM) when its parent does, even by `kill -9`.

    Light enough to run between fork and exec. Where the system has no such call nothing happens.
    """
    if hasattr(_libc, "prctl"):
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
