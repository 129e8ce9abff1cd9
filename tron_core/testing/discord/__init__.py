"""A faithful Discord for tests: REST v10, gateway and CDN on one port, to which unmodified discord.py connects.

``fixtures`` has what plugin authors import into their conftest.py, ``stage`` a whole TRON around it.
"""

from tron_core.testing.discord.people import FakeDiscord, Member, Modal, Place, Reply
from tron_core.testing.discord.server import TOKEN, Server

__all__ = ["TOKEN", "FakeDiscord", "Member", "Modal", "Place", "Reply", "Server"]
