"""The upscale plugin of TRON."""
