"""How a conversation is written for models that do not say it themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_plugin_wizardlm.templates import TEMPLATES, Message, Name

TALK = [
    Message("system", "Be brief."),
    Message("user", "Hi!"),
    Message("assistant", "Hello."),
    Message("user", "How are {} you?"),
]


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        (
            "chatml",
            """<|im_start|>system
Be brief.<|im_end|>
<|im_start|>user
Hi!<|im_end|>
<|im_start|>assistant
Hello.<|im_end|>
<|im_start|>user
How are {} you?<|im_end|>
<|im_start|>assistant
""",
        ),
        ("stablelm", "<|SYSTEM|>Be brief.<|USER|>Hi!<|ASSISTANT|>Hello.<|USER|>How are {} you?<|ASSISTANT|>"),
        ("vicuna", "Be brief. USER: Hi! ASSISTANT: Hello.</s>USER: How are {} you? ASSISTANT:"),
        ("wizardlm", "Be brief.\n\nHi!\n\n### Response: Hello.\n\nHow are {} you?\n\n### Response:"),
    ],
)
def test_a_conversation_is_written_as_the_models_were_taught(name: Name, prompt: str) -> None:
    assert TEMPLATES[name].render(TALK) == prompt


def test_vicuna_is_told_who_it_is_unless_the_person_says_it() -> None:
    assert TEMPLATES["vicuna"].render(TALK[1:2]).startswith("A chat between a curious user")
    assert "curious" not in TEMPLATES["vicuna"].render(TALK[:2])
    assert TEMPLATES["chatml"].render(TALK[1:2]).startswith("<|im_start|>user")


@given(text=st.text(min_size=1).filter(str.strip))
def test_a_text_arrives_as_it_was_written(text: str) -> None:
    for template in TEMPLATES.values():
        assert text.strip() in template.render([Message("user", text)])
