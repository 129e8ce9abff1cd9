"""What a plugin's REST routes know of their caller: public, and for the hub alone, as it needs FastAPI.

An argument of the type ``User`` or ``Admin`` turns away who lacks that scope, before the route is entered::

    @router.delete("/notes/{name}", status_code=204)
    async def delete_note(name: str, caller: Admin) -> None: ...
"""

from tron_core.auth.principal import Principal
from tron_core.frontends.http.auth import Admin, User

__all__ = ["Admin", "Principal", "User"]
