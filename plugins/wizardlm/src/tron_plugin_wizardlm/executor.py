"""The worker's half of the wizardlm plugin."""
