"""What every sequence primitive promises, and the sentences it says when it is used wrongly.

    y = layer(u)                                        # (b, L, d) → (b, L, d), all positions at once
    state = layer.initial_state(b)                      # whatever the layer remembers before the first input
    y_k, state = layer.step(u_k, state)                 # (b, d) → (b, d), one position
    y, state = layer(u, state=state, return_state=True) # any number of positions, continuing from `state`

The three ways give the same numbers. A layer that looks both ways has ``causal = False`` and only the first.
"""

import math

import torch
from torch import nn

from ssm_teach.errors import require

__all__ = ["SequenceLayer", "log_uniform_dt", "require_tensor"]


class SequenceLayer(nn.Module):
    """Base of the layers: the attributes ``d``, ``N`` and ``causal``, and the checks of what comes in.

    ``ssm_parameters`` names the parameters that live on the state's own scale (A, B, C, Δ). An optimiser should give
    them a small learning rate and no weight decay; `ssm_teach.model.parameter_groups` does. The layer holds the names
    because a mark on the parameter itself does not survive ``copy.deepcopy``, nor a move that replaces the tensor.
    """

    ssm_parameters: tuple[str, ...] = ()
    causal = True

    def __init__(self, d: int, N: int):
        super().__init__()
        for name, size in (("d", d), ("N", N)):
            whole = isinstance(size, int) and not isinstance(size, bool)
            require(whole and size >= 1, f"{self._name}: {name} must be a whole number, at least 1; got {size!r}")
        self.d, self.N = d, N

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _set_parameters(self, values: dict[str, torch.Tensor], dtype: torch.dtype | None, device) -> None:
        """Register the values, drawn in float64 on the CPU: one seed gives one layer, whatever its dtype and device.

        A complex value becomes pairs of real and imaginary part, (…, 2).
        """
        dtype = dtype or torch.get_default_dtype()
        require(dtype in (torch.float32, torch.float64), f"{self._name}: dtype must be float32 or float64; got {dtype}")
        for name, value in values.items():
            real = torch.view_as_real(value.resolve_conj()) if value.is_complex() else value
            self.register_parameter(name, nn.Parameter(real.to(dtype=dtype, device=device, copy=True)))

    def _check_input(self, u, dtype: torch.dtype) -> None:
        require_tensor(self._name, "u", u)
        shape = tuple(u.shape)
        require(
            u.ndim == 3 and shape[2] == self.d and shape[1] > 0,
            f"{self._name}: u must have shape (b, L, d) with L ≥ 1 and d = {self.d}; got {shape}",
        )
        self._check_dtype("u", u, dtype)

    def _check_step(self, u_k, dtype: torch.dtype) -> None:
        self._check_causal("step")
        require_tensor(self._name, "u_k", u_k)
        shape = tuple(u_k.shape)
        hint = "; give one position, u[:, k]" if u_k.ndim == 3 else ""
        require(
            u_k.ndim == 2 and shape[1] == self.d,
            f"{self._name}: u_k must have shape (b, d) with d = {self.d}; got {shape}{hint}",
        )
        self._check_dtype("u_k", u_k, dtype)

    def _check_dtype(self, argument: str, u, dtype: torch.dtype) -> None:
        """Half precision is raised to the layer's own; anything else that differs is a mistake, never a silent cast."""
        require(
            u.is_floating_point(),
            f"{self._name}: {argument} must be real and floating; got {u.dtype}"
            + (". Give real and imaginary parts as two channels" if u.is_complex() else f". Use {argument}.float()"),
        )
        require(
            u.dtype in (dtype, torch.float16, torch.bfloat16),
            f"{self._name}: {argument} is {u.dtype} but the layer is {dtype}; use layer.to({u.dtype})",
        )

    def _check_causal(self, what: str) -> None:
        require(
            self.causal,
            f"{self._name}: a bidirectional layer needs the whole sequence, so it has no {what}; "
            "use layer(u), or bidirectional=False",
        )

    def _check_state(self, state, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        """``shape`` is (b, …) for the batch that came in, so a state of another batch is caught too."""
        given = tuple(state.shape) if isinstance(state, torch.Tensor) else type(state).__name__
        require(
            given == shape and state.dtype == dtype,
            f"{self._name}: state must be {dtype} of shape {shape}; got "
            + (f"{state.dtype} of shape {given}" if isinstance(state, torch.Tensor) else given)
            + f". Start from initial_state({shape[0]})",
        )


def log_uniform_dt(function: str, size: int, dt_min: float, dt_max: float) -> torch.Tensor:
    """log Δ where layers start, (size,), float64: uniform between those of ``dt_min`` and ``dt_max``, in s."""
    require(
        0 < dt_min <= dt_max < math.inf,
        f"{function}: dt_min and dt_max must satisfy 0 < dt_min ≤ dt_max; got dt_min={dt_min!r}, dt_max={dt_max!r}",
    )
    return torch.empty(size, dtype=torch.float64).uniform_(math.log(dt_min), math.log(dt_max))


def require_tensor(function: str, argument: str, value) -> None:
    """Raise `UserError` unless ``value`` is a torch tensor."""
    require(
        isinstance(value, torch.Tensor),
        f"{function}: {argument} must be a torch tensor; got {type(value).__name__}. Use torch.as_tensor({argument})",
    )
