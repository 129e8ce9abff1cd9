"""Who calls: bearer tokens, scopes, and the limit of rate that each credential has."""

from __future__ import annotations

from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tron_core.auth.principal import Principal, Scope
from tron_core.errors import Unauthorized
from tron_core.frontends.http.state import state_of

bearer = HTTPBearer(auto_error=False, scheme_name="bearer", description="An access token of POST /api/v1/token")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]


class Needs:
    """A dependency that gives the caller, and turns away who lacks ``scope`` or asks too often."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def __call__(self, request: Request, credentials: Credentials) -> Principal:
        """Raises Unauthorized, Forbidden, TooMany."""
        if credentials is None or not credentials.credentials:
            raise Unauthorized("This needs an access token: Authorization: Bearer TOKEN (see POST /api/v1/token)")
        state = state_of(request)
        principal = await state.services.auth.authenticate(credentials.credentials)
        state.requests.take(principal.client_id)
        principal.require(self._scope)
        return principal


User = Annotated[Principal, Security(Needs(Scope.USER))]
Admin = Annotated[Principal, Security(Needs(Scope.ADMIN))]
