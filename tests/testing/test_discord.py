"""The fake Discord, with nothing but unmodified discord.py on the other side."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
from discord import app_commands
from discord.ext import commands

from tron_core.frontends.discord.address import use_api, use_its_gateway
from tron_core.testing.discord import TOKEN, FakeDiscord, Member, Place
from tron_core.testing.discord.world import ATTACH_FILES, MIB, SEND_MESSAGES


class Buttons(discord.ui.View):
    @discord.ui.button(label="Press")
    async def press(self, interaction: discord.Interaction[Any], button: discord.ui.Button[Any]) -> None:
        await interaction.response.edit_message(content="pressed")

    @discord.ui.button(label="Ask")
    async def ask(self, interaction: discord.Interaction[Any], button: discord.ui.Button[Any]) -> None:
        await interaction.response.send_modal(Form(title="A form"))


class Form(discord.ui.Modal):
    word: discord.ui.TextInput[Any] = discord.ui.TextInput(label="Word", default="fox")

    async def on_submit(self, interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message(f"word: {self.word.value}")


class Bot(commands.AutoShardedBot):
    """A bot as anybody would write it."""

    def __init__(self) -> None:
        intents = discord.Intents.default()
        intents.message_content = True
        super().__init__("!", intents=intents, guild_ready_timeout=0.05)
        self.readies = 0

    async def setup_hook(self) -> None:
        await use_its_gateway(self.http)

        @self.tree.command(name="draw", description="Draw")
        @app_commands.autocomplete(style=self._styles)
        async def draw(
            interaction: discord.Interaction[Any],
            prompt: str,
            steps: app_commands.Range[int, 1, 50] = 20,
            style: str = "",
            picture: discord.Attachment | None = None,
        ) -> None:
            await interaction.response.defer()
            size = len(await picture.read()) if picture else 0
            await interaction.edit_original_response(content=f"{prompt} {steps} {style} {size}")
            await interaction.followup.send("and more", ephemeral=True)

        @self.tree.context_menu(name="Shout")
        async def shout(interaction: discord.Interaction[Any], message: discord.Message) -> None:
            await interaction.response.send_message(message.content.upper())

        await self.tree.sync()

    async def _styles(self, interaction: discord.Interaction[Any], text: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=each, value=each) for each in ("noir", "neon") if each.startswith(text)]

    async def on_ready(self) -> None:
        self.readies += 1

    async def on_message(self, message: discord.Message) -> None:
        if message.author.bot:
            return
        if message.content == "files":
            data = await message.attachments[0].read()
            await message.reply(f"{len(data)} bytes", file=discord.File(io.BytesIO(data), "back.bin"))
        elif message.content == "buttons":
            await message.reply("press", view=Buttons())
        elif message.content == "thread":
            thread = await message.create_thread(name="A thread")
            await thread.send("inside")
        elif message.content == "react":
            await message.add_reaction("👍")
        elif message.content == "permissions":
            assert isinstance(message.channel, discord.TextChannel)
            may = message.channel.permissions_for(message.guild.me)  # type: ignore[union-attr]
            await message.author.send(f"send {may.send_messages}, attach {may.attach_files}")
        elif message.content == "nonce":
            for _ in range(2):
                await message.channel.send("once", nonce="same")
        elif message.content.startswith("say "):
            await message.channel.send(message.content[4:])

    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        if self.user and payload.user_id != self.user.id:
            channel = self.get_partial_messageable(payload.channel_id)
            await channel.send(f"{payload.emoji} from {payload.user_id}")


@pytest.fixture
async def fake() -> AsyncIterator[FakeDiscord]:
    fake = FakeDiscord()
    await fake.server.start()
    yield fake
    await fake.server.stop()


@pytest.fixture
async def bot(fake: FakeDiscord) -> AsyncIterator[Bot]:
    use_api(fake.api_url)
    bot = Bot()
    running = asyncio.create_task(bot.start(TOKEN))
    await fake.connected()
    yield bot
    await bot.close()
    with contextlib.suppress(asyncio.CancelledError):
        await running


@pytest.fixture
def alice(fake: FakeDiscord) -> Member:
    return fake.member("alice")


@pytest.fixture
def general(fake: FakeDiscord, bot: Bot) -> Place:
    return fake.general


async def test_files_travel_both_ways(alice: Member, general: Place) -> None:
    await alice.say("files", files={"in.bin": b"x" * 5000})
    reply = await general.next_reply()
    assert reply.content == "5000 bytes"
    assert reply.attachments[0].data == b"x" * 5000
    assert reply.answers is not None
    assert alice.id in reply.message.pinged


async def test_a_button_edits_its_message_and_another_opens_a_form(alice: Member, general: Place) -> None:
    await alice.say("buttons")
    reply = await general.next_reply()
    await asyncio.sleep(0.05)  # discord.py keeps the view once the POST is answered
    modal = await reply.click("Ask")
    assert modal.fields == {"Word": "fox"}
    answered = await modal.submit(Word="hare")
    assert answered.content == "word: hare"
    await reply.click("Press")
    assert reply.content == "pressed"


async def test_slash_commands_have_typed_options_and_completions(alice: Member, general: Place) -> None:
    reply = await alice.slash("draw", prompt="a fox", steps=7, style="noir", picture=b"123")
    await reply.until("a fox 7 noir 3")
    assert await alice.completions("draw", "style", "ne") == ["neon"]
    with pytest.raises(AssertionError, match="99 is more than 50"):
        await alice.slash("draw", prompt="a fox", steps=99)
    with pytest.raises(AssertionError, match="prompt is required"):
        await alice.slash("draw")


async def test_a_message_menu_is_handed_the_message(alice: Member, general: Place) -> None:
    await alice.say("say hello")
    reply = await general.next_reply()
    assert (await alice.menu("Shout", reply)).content == "HELLO"


async def test_threads_reactions_and_direct_messages(fake: FakeDiscord, alice: Member, general: Place) -> None:
    message = await alice.say("thread")
    await fake.server.world.until(lambda: fake.threads())
    assert (await fake.threads()[0].next_reply()).content == "inside"
    assert fake.threads()[0].id == message.id
    message = await alice.say("react")
    await fake.server.world.until(lambda: message.reactions.get("👍"))
    await alice.say("say look")
    reply = await general.next_reply()
    await reply.react("❤️", by=alice)
    assert (await general.next_reply()).content == f"❤️ from {alice.id}"


async def test_the_same_nonce_shows_once(alice: Member, general: Place) -> None:
    await alice.say("nonce")
    await alice.say("say end")
    assert (await general.next_reply()).content == "once"
    assert (await general.next_reply()).content == "end"


async def test_permissions_are_as_the_bot_sees_them(fake: FakeDiscord) -> None:
    fake.general.deny(SEND_MESSAGES | ATTACH_FILES)
    alice = fake.member("alice")
    use_api(fake.api_url)
    async with Bot() as bot:
        running = asyncio.create_task(bot.start(TOKEN))
        await fake.connected()
        await alice.say("permissions")
        assert (await alice.dm.next_reply()).content == "send False, attach False"
        channel = bot.get_partial_messageable(fake.general.id)
        with pytest.raises(discord.Forbidden, match="50013"):
            await channel.send("x")
    await running


async def test_too_long_and_too_large_is_refused(bot: Bot, fake: FakeDiscord) -> None:
    channel = bot.get_partial_messageable(fake.general.id)
    with pytest.raises(discord.HTTPException, match="2000 or fewer"):
        await channel.send("x" * 2001)
    with pytest.raises(discord.HTTPException, match="40005"):
        await channel.send(file=discord.File(io.BytesIO(b"x" * (10 * MIB + 1)), "big"))


async def test_a_call_that_is_limited_comes_again(bot: Bot, fake: FakeDiscord) -> None:
    fake.server.limits.posts = (1, 0.2)
    fake.server.fail("POST", "/messages$", 429)
    channel = bot.get_partial_messageable(fake.general.id)
    await asyncio.gather(channel.send("a"), channel.send("b"), channel.send("c"))
    assert [reply.content for reply in fake.general.replies] == ["a", "b", "c"]
    assert 429 in {call.status for call in fake.server.calls}


async def test_a_dropped_connection_is_resumed_and_nothing_is_missed(
    bot: Bot, fake: FakeDiscord, alice: Member
) -> None:
    await fake.server.gateway.drop()
    await alice.say("say while you were out")
    assert (await fake.general.next_reply()).content == "while you were out"
    assert fake.server.gateway.resumed == 1


async def test_a_second_ready_is_dispatched(bot: Bot, fake: FakeDiscord, alice: Member) -> None:
    await fake.server.gateway.ready_again()
    await alice.say("say still here")
    assert (await fake.general.next_reply()).content == "still here"


async def test_a_wrong_token_is_refused(fake: FakeDiscord) -> None:
    use_api(fake.api_url)
    async with Bot() as bot:
        with pytest.raises(discord.LoginFailure):
            await bot.start("wrong")
