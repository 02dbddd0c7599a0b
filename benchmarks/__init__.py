"""Side-by-side timings against peers, in one run, as ratios. `make bench` runs them all."""
