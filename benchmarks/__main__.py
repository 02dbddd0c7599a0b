"""Run every benchmark: `python -m benchmarks [NAME …]`."""

import sys

from benchmarks import kernels, pipelines, scans, selective, steps, streaming
from benchmarks.harness import pin, save, show

BENCHMARKS = {
    "s4d-kernel": kernels.s4d_kernel,
    "causal-convolution": kernels.causal_convolution,
    "linear-scan": scans.linear_scan,
    "selective-scan": selective.selective_scan,
    "streaming": streaming.streaming,
    "s4d-convolution": steps.s4d_convolution,
    "training-steps": steps.training_steps,
    "against-attention": steps.against_attention,
    "pipelines": pipelines.pipelines,
}
PICTURES = {"linear-scan": scans.draw}
PEERS = {"linear-scan": scans.installed, "selective-scan": selective.installed, "training-steps": selective.installed}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"benchmarks: unknown name {unknown[0]!r}; choose from {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in names or BENCHMARKS:
        pin(1)  # equal for everybody, and what a shared machine can keep to
        rows = BENCHMARKS[name]()
        show(name, rows)
        save(name, rows, PEERS[name]() if name in PEERS else ())
        if name in PICTURES:
            PICTURES[name](rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
