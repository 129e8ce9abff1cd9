import tron_core as tron


class EchoParams(tron.Params):
    text: str = tron.Prompt("What to say back")
    times: int = tron.Setting(1, ge=1, le=5, help="How often")


class Echo(tron.Capability):
    name = "echo"
    command = tron.Command("echo", aliases=["say"], summary="Say it back")
    params = EchoParams

    async def handle_result(self, job: tron.Job, result: tron.Result) -> tron.Reply:
        return tron.Reply(text=result.output["text"])


@tron.hookimpl
def tron_register_capabilities() -> list[tron.Capability]:
    return [Echo()]
