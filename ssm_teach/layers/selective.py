"""What the layers share whose recurrence depends on the input: S6, SSD, linear attention and the gated ones.

Each of them remembers one tensor. What it does at a position is a function of that position's input and of the tensor,
so it looks backwards only: a kernel, hence a convolution, does not exist, and there is no bidirectional form.
"""

import torch

from ssm_teach.errors import require
from ssm_teach.layers.base import SequenceLayer, log_uniform_dt

__all__ = ["SelectiveLayer", "initial_step_bias", "require_heads", "uniform"]


class SelectiveLayer(SequenceLayer):
    """Base of the layers: they bring parameters, the shape of a state, all positions at once, and one position.

    Arithmetic is in the layer's own precision, under autocast too: a decay near 1 needs the digits. A half-precision u
    is raised to it, and y is returned in the dtype of u.
    """

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    @property
    def _state_shape(self) -> tuple[int, ...]:
        """Of the state of one sequence."""
        raise NotImplementedError

    def _parallel(self, u, state):
        """(b, L, d) and the state before it, or None for zero, to (b, L, d) and the state after it."""
        raise NotImplementedError

    def _recurrent(self, u_k, state):
        """(b, d) and the state before it to (b, d) and the state after it."""
        raise NotImplementedError

    def forward(self, u, *, state=None, return_state=False):
        """y for all of u at once.

        Args:
            u: (b, L, d), real.
            state: What `initial_state` returns, x_{−1}; zero if left out.
            return_state: Also return x_{L−1}, from which the next chunk, or `step`, continues.
        """
        self._check_input(u, self._dtype)
        if state is not None:
            self._check_state(state, (len(u), *self._state_shape), self._dtype)
        with torch.autocast(u.device.type, enabled=False):
            y, state = self._parallel(u.to(self._dtype), state)
        return (y.to(u.dtype), state) if return_state else y.to(u.dtype)

    def initial_state(self, b: int) -> torch.Tensor:
        """x_{−1} = 0 for a batch of b."""
        return next(self.parameters()).new_zeros(b, *self._state_shape).detach()

    def step(self, u_k, state):
        """One position, (b, d) → (b, d), and the next state: the recurrence as it is written."""
        self._check_step(u_k, self._dtype)
        self._check_state(state, (len(u_k), *self._state_shape), self._dtype)
        with torch.autocast(u_k.device.type, enabled=False):
            y_k, state = self._recurrent(u_k.to(self._dtype), state)
        return y_k.to(u_k.dtype), state


def uniform(rows: int, columns: int) -> torch.Tensor:
    """A weight matrix as `torch.nn.Linear` draws it, uniform in ±1/√columns, (rows, columns), float64."""
    return (2 * torch.rand(rows, columns, dtype=torch.float64) - 1) / columns**0.5


def initial_step_bias(size: int, dt_min: float, dt_max: float, function: str) -> torch.Tensor:
    """b with softplus(b) log-uniform between dt_min and dt_max, (size,), float64.

    >>> dt = torch.nn.functional.softplus(initial_step_bias(100, 0.001, 0.1, "S6"))
    >>> bool((dt > 0.000999).all() and (dt < 0.1001).all())
    True
    """
    dt = torch.exp(log_uniform_dt(function, size, dt_min, dt_max))
    return dt + torch.log(-torch.expm1(-dt))  # the inverse of softplus, log(eᵈᵗ − 1), without its cancellation


def require_heads(function: str, d: int, heads) -> int:
    """``heads``, if it is a whole number that divides d."""
    whole = isinstance(heads, int) and not isinstance(heads, bool) and heads >= 1
    require(whole and d % heads == 0, f"{function}: heads must be a whole number that divides d = {d}; got {heads!r}")
    return heads
