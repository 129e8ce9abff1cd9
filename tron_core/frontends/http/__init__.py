"""REST, server-sent events and the web page: see frontend.py."""
