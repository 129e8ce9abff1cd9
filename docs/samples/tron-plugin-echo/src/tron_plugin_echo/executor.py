from tron_core.worker import ExecutionContext, Executor, hookimpl
from tron_plugin_echo import EchoParams


class EchoExecutor(Executor):
    capability = "echo"

    def run(self, params: EchoParams, ctx: ExecutionContext) -> dict[str, str]:
        ctx.progress(0.5, "halfway")
        return {"text": " ".join([params.text] * params.times)}


@hookimpl
def tron_register_executors() -> list[Executor]:
    return [EchoExecutor()]
