"""The wizardlm plugin of TRON."""
