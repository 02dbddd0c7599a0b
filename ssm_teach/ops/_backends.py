"""Which backend computes an operation, and the threads that its compiled loops run on."""

import functools
import importlib
import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import torch

from ssm_teach.errors import choose, require
from ssm_teach.ops import _two_level

__all__ = ["BACKENDS", "VARIABLE", "implementation", "run_tasks", "wants_reference"]

VARIABLE = "SSM_TEACH_BACKEND"
BACKENDS = ("reference", "torch", "numba")


def wants_reference() -> bool:
    """Whether ``SSM_TEACH_BACKEND`` asks for the plain loops, which are no operator but ordinary PyTorch."""
    return os.environ.get(VARIABLE) == "reference"


def implementation(function: str, device: torch.device, plain=_two_level, compiled: str = "_numba"):
    """The module that computes: the backend asked for, else Numba on a CPU that has it, else torch.

    Args:
        function, device: For whom, and where.
        plain: Its module of tensor operations.
        compiled: Name, in this package, of its module of compiled loops.
    Raises: UserError: a backend that does not exist, or cannot run here.
    """
    asked = os.environ.get(VARIABLE)
    if not asked:
        return _import(compiled) if device.type == "cpu" and _has_numba() else plain
    if choose(function, VARIABLE, asked, BACKENDS) != "numba":
        return plain
    require(
        device.type == "cpu",
        f"{function}: {VARIABLE}=numba runs on the CPU but the tensors are on {device}; unset it, or use torch",
    )
    require(
        _has_numba(),
        f"{function}: {VARIABLE}=numba, but Numba cannot be imported here; pip install numba, or use torch",
    )
    return _import(compiled)


@functools.cache
def _import(compiled: str):
    return importlib.import_module(f"ssm_teach.ops.{compiled}")


@functools.cache
def _has_numba() -> bool:
    """Whether Numba can be imported; if not, one warning a process."""
    try:
        importlib.import_module("numba")
        return True
    except ImportError as error:
        warnings.warn(
            f"ssm_teach.ops: Numba cannot be imported ({error}), so scans on the CPU use the slower torch backend; "
            "pip install numba",
            stacklevel=2,
        )
        return False


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
