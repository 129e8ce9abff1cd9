"""The bark plugin of TRON."""
