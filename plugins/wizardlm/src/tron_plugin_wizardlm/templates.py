"""How models were taught to read a conversation. Pure: the hub needs the names, the worker the rest.

A GGUF file usually brings its own way; these are for the models that came before that was the custom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Name = Literal["chatml", "stablelm", "vicuna", "wizardlm"]


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that was said."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Template:
    """Patterns in which ``{}`` stands for the text. ``opening`` comes last, and the model goes on from it; ``stop``
    are the texts by which it would go on as somebody else; ``default_system`` is what the model was tuned with."""

    system: str
    user: str
    assistant: str
    opening: str
    stop: tuple[str, ...]
    default_system: str = ""

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt that asks for the next answer."""
        patterns = {"system": self.system, "user": self.user, "assistant": self.assistant}
        if self.default_system and all(message.role != "system" for message in messages):
            messages = [Message("system", self.default_system), *messages]
        said = "".join(patterns[message.role].replace("{}", message.text.strip(), 1) for message in messages)
        return said + self.opening


TEMPLATES: Mapping[Name, Template] = {
    "chatml": Template(
        system="<|im_start|>system\n{}<|im_end|>\n",
        user="<|im_start|>user\n{}<|im_end|>\n",
        assistant="<|im_start|>assistant\n{}<|im_end|>\n",
        opening="<|im_start|>assistant\n",
        stop=("<|im_end|>", "<|im_start|>"),
    ),
    # StableLM-Tuned-Alpha. StableLM 2 and Zephyr bring their own.
    "stablelm": Template(
        system="<|SYSTEM|>{}",
        user="<|USER|>{}",
        assistant="<|ASSISTANT|>{}",
        opening="<|ASSISTANT|>",
        stop=("<|USER|>", "<|SYSTEM|>", "<|ASSISTANT|>", "<|endoftext|>"),
    ),
    # Vicuna 1.1 and later; WizardLM 13B and 70B, too.
    "vicuna": Template(
        system="{} ",
        user="USER: {} ",
        assistant="ASSISTANT: {}</s>",
        opening="ASSISTANT:",
        stop=("USER:", "</s>"),
        default_system="A chat between a curious user and an artificial intelligence assistant. The assistant gives "
        "helpful, detailed, and polite answers to the user's questions.",
    ),
    # WizardLM 7B.
    "wizardlm": Template(
        system="{}\n\n",
        user="{}\n\n",
        assistant="### Response: {}\n\n",
        opening="### Response:",
        stop=("### Instruction:", "### Response:", "</s>"),
    ),
}
