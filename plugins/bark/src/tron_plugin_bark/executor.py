"""The worker's half of the bark plugin."""
