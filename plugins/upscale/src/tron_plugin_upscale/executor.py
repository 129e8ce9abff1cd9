"""The worker's half of the upscale plugin."""
