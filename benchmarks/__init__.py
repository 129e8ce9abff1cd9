"""Speed as ratios: every figure beside its floor, measured alternately in one run."""
