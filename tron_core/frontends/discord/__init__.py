"""Discord: the frontend that people use most. Nothing here is imported before ``[discord].token`` is set."""
