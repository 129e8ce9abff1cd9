"""Taking over what another program kept: accounts, settings, rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

import tron_core as tron
from tron_core.adoption import Adoption
from tron_core.auth.principal import Scope
from tron_core.auth.service import Auth
from tron_core.errors import Conflict, NotFound, Unauthorized
from tron_core.plugins import Plugins
from tron_core.storage.database import Database
from tron_core.storage.guild_rules import GuildRules
from tron_core.storage.saved_settings import SavedSettings

T = TypeVar("T")
NOW = 1_750_000_000.0


class Clock:
    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


class EchoParams(tron.Params):
    text: str = tron.Prompt("What")
    times: int = tron.Setting(1, ge=1, le=9, help="How often")


class Echo(tron.Capability):
    name = "echo"
    command = tron.Command("echo", summary="Say it again")
    params = EchoParams


class EchoPlugin:
    @tron.hookimpl
    def tron_register_capabilities(self) -> list[tron.Capability]:
        return [Echo()]


@pytest.fixture
def plugins() -> Plugins:
    plugins = Plugins()
    assert plugins.register("echo", EchoPlugin()).state == "active"
    return plugins


class Adopter:
    """Runs each call in a transaction of its own."""

    def __init__(self, database: Database, plugins: Plugins) -> None:
        self._database = database
        self._plugins = plugins

    async def __call__(self, work: Callable[[Adoption], T]) -> T:
        return await self._database.write(lambda connection: work(Adoption(connection, self._plugins, NOW)))


@pytest.fixture
def adopt(database: Database, plugins: Plugins) -> Adopter:
    return Adopter(database, plugins)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def auth(database: Database, clock: Clock) -> Auth:
    return Auth(database, clock)


async def make_worker(adopt: Adopter) -> None:
    await adopt(lambda a: a.add_worker_user("gpu-1"))
    await adopt(lambda a: a.add_credential("c0ffee", "key of old", "gpu-1"))


def give_tokens(a: Adoption) -> bool:
    return a.add_tokens("c0ffee", "tok-A", "tok-R", access_seconds=60)


async def test_an_api_key_of_old_is_good_for_tokens(adopt: Adopter, auth: Auth) -> None:
    await make_worker(adopt)
    pair = await auth.grant_client_credentials("c0ffee", "key of old")
    principal = await auth.authenticate(pair.access_token)
    assert (principal.username, principal.scopes) == ("gpu-1", frozenset({Scope.WORKER}))


async def test_tokens_of_old_are_valid_for_so_long(adopt: Adopter, auth: Auth, clock: Clock) -> None:
    await make_worker(adopt)
    assert await adopt(give_tokens)
    assert (await auth.authenticate("tok-A")).username == "gpu-1"
    clock.time += 60
    with pytest.raises(Unauthorized, match="expired"):
        await auth.authenticate("tok-A")
    assert (await auth.grant_refresh("tok-R")).client_id == "c0ffee"


async def test_what_is_there_is_not_taken_again(adopt: Adopter) -> None:
    await make_worker(adopt)
    assert await adopt(give_tokens)
    assert not await adopt(lambda a: a.add_worker_user("GPU-1"))
    assert not await adopt(lambda a: a.add_credential("c0ffee", "another key", "gpu-1"))
    assert not await adopt(give_tokens)


async def test_a_worker_does_not_take_the_name_of_a_person(adopt: Adopter, auth: Auth) -> None:
    await auth.create_user("ann", "a long password", scope=Scope.ADMIN)
    with pytest.raises(Conflict, match="'ann' is taken by a user with the scope admin"):
        await adopt(lambda a: a.add_worker_user("ann"))
    assert await adopt(lambda a: a.scope_of("ann")) == "admin"


async def test_nobody_signs_in_as_an_adopted_user(adopt: Adopter, auth: Auth) -> None:
    await make_worker(adopt)
    for password in ("!", "", "gpu-1"):
        with pytest.raises(Unauthorized):
            await auth.grant_password("gpu-1", password)


async def test_a_key_needs_its_user_and_tokens_their_key(adopt: Adopter) -> None:
    with pytest.raises(NotFound):
        await adopt(lambda a: a.add_credential("c0ffee", "key", "nobody"))
    with pytest.raises(NotFound):
        await adopt(give_tokens)
    assert await adopt(lambda a: a.owner_of("c0ffee")) is None


async def test_a_setting_is_saved_once_and_never_overwrites_a_choice(
    adopt: Adopter, database: Database, clock: Clock
) -> None:
    saved = SavedSettings(database, clock)
    assert await adopt(lambda a: a.save_setting("echo", "discord:1", "echo.times", 3))
    assert not await adopt(lambda a: a.save_setting("echo", "discord:1", "echo.times", 4))
    assert [each.value for each in await saved.list("discord:1")] == [3]


@pytest.mark.parametrize(
    ("plugin", "key", "value", "error"),
    [
        ("echo", "echo.times", 10, tron.InvalidParams),
        ("echo", "echo.times", "3", tron.InvalidParams),
        ("echo", "echo.tiems", 3, NotFound),
        ("other", "echo.times", 3, NotFound),
    ],
)
async def test_a_setting_that_a_person_could_not_save_is_refused(
    adopt: Adopter, plugin: str, key: str, value: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await adopt(lambda a: a.save_setting(plugin, "discord:1", key, value))


async def test_a_rule_is_extended_by_what_it_lacks(adopt: Adopter, database: Database, clock: Clock) -> None:
    one, two, three = (f"12345678901234567{n}" for n in (1, 2, 3))
    assert await adopt(lambda a: a.extend_rule("8", "banned_channels", [one, two, one])) == [one, two]
    assert await adopt(lambda a: a.extend_rule("8", "banned_channels", [two, three])) == [three]
    assert await adopt(lambda a: a.extend_rule("8", "banned_channels", [one])) == []
    assert await GuildRules(database, clock).of("8") == {"banned_channels": [one, two, three]}


async def test_a_rule_takes_only_what_fits(adopt: Adopter) -> None:
    with pytest.raises(tron.Refused, match="15 to 20 digits"):
        await adopt(lambda a: a.extend_rule("8", "banned_channels", ["general"]))
    with pytest.raises(NotFound):
        await adopt(lambda a: a.extend_rule("8", "no_such_rule", ["1"]))
