"""The same as `truncation` for S4D-Real: as many states, none of which oscillates, and how few of them it needs."""

from ssm_teach.experiments import truncation

__all__ = ["run"]


def run(seeds=(0, 1), N: int = 32, epochs: int = 16, states=None) -> dict:
    """As `truncation.run` with the init "real"."""
    return truncation.run(seeds=seeds, init="real", N=N, epochs=epochs, states=states)
