"""Side-by-side timings against peers, in one run, as ratios. `make bench` runs them all."""

import ssm_teach  # noqa: F401  before PyTorch, whose threads it tells how to wait: the same for every contestant
