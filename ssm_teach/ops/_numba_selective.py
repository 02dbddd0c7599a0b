"""The selective scan on the CPU. For now the tensor operations; the compiled loops follow."""

from ssm_teach.ops._selective_torch import adjoint, scan

__all__ = ["adjoint", "scan"]
