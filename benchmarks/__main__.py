"""Run every benchmark: `python -m benchmarks [NAME …]`."""

import sys

import torch

from benchmarks import kernels, selective, steps, streaming
from benchmarks.harness import save, show

BENCHMARKS = {
    "s4d-kernel": kernels.s4d_kernel,
    "causal-convolution": kernels.causal_convolution,
    "selective-scan": selective.selective_scan,
    "streaming": streaming.streaming,
    "s4d-convolution": steps.s4d_convolution,
    "training-steps": steps.training_steps,
    "against-attention": steps.against_attention,
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"benchmarks: unknown name {unknown[0]!r}; choose from {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    torch.set_num_threads(1)  # equal for everybody, and what a shared machine can keep to
    for name in names or BENCHMARKS:
        rows = BENCHMARKS[name]()
        show(name, rows)
        save(name, rows, selective.installed() if name in ("selective-scan", "training-steps") else ())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
