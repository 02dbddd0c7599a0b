"""Which backend computes an operation, and the threads that its compiled loops run on."""

import functools
import importlib
import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import torch

from ssm_teach.errors import choose, require
from ssm_teach.ops import _two_level

__all__ = ["BACKENDS", "chosen_backend", "implementation", "run_tasks"]

BACKENDS = ("reference", "torch", "numba")


def chosen_backend(function: str, device: torch.device) -> str:
    """The backend that ``SSM_TEACH_BACKEND`` asks for; without it Numba on a CPU that has it, else torch.

    Raises: UserError: one that does not exist, or cannot run here.
    """
    asked = os.environ.get("SSM_TEACH_BACKEND")
    if not asked:
        return "numba" if device.type == "cpu" and _compiled() else "torch"
    choose(function, "SSM_TEACH_BACKEND", asked, BACKENDS)
    if asked == "numba":
        require(
            device.type == "cpu",
            f"{function}: the backend 'numba' runs on the CPU but the tensors are on {device}; "
            "unset SSM_TEACH_BACKEND, or set it to torch",
        )
        require(
            _compiled() is not None,
            f"{function}: the backend 'numba' cannot be imported; pip install numba, or use SSM_TEACH_BACKEND=torch",
        )
    return asked


@functools.cache
def _compiled():
    """The module of compiled loops, or None, with one warning a process, where Numba cannot be imported."""
    try:
        return importlib.import_module("ssm_teach.ops._numba")
    except ImportError as error:
        warnings.warn(
            f"ssm_teach.ops: Numba cannot be imported ({error}), so scans on the CPU use the slower torch backend; "
            "pip install numba",
            stacklevel=4,
        )
        return None


def implementation(backend: str):
    """The module with the functions of a backend."""
    return _compiled() if backend == "numba" else _two_level


def run_tasks(kernel, tasks: int, threads: int, *arguments) -> None:
    """``kernel(first, last, *arguments)`` over the whole of ``range(tasks)``, an equal share for each thread."""
    bounds = [tasks * share // threads for share in range(threads + 1)]
    pool = _pool(os.getpid(), threads) if threads > 1 else None
    others = [pool.submit(kernel, *bounds[share : share + 2], *arguments) for share in range(threads - 1)]
    kernel(*bounds[-2:], *arguments)
    for other in others:
        other.result()


@functools.cache
def _pool(pid: int, threads: int) -> ThreadPoolExecutor:
    """The threads of one process. A fork inherits the pool without its threads, hence the process id."""
    return ThreadPoolExecutor(threads - 1, thread_name_prefix="ssm_teach")
