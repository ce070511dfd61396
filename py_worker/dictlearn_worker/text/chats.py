"""Chats as text: renders lists of messages by a tokenizer's chat template."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import WorkerError

# From messages, and their position, to text.
WriteChat = Callable[[list[Any], str], str]
# Other names for the two keys of a message, and for the speakers.
KEYS = (("role", "content"), ("from", "value"))
ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant"}


def is_chat(value: Any) -> bool:
    """Whether it is a list of messages, each with a role and a content (or `from` and `value`)."""
    return isinstance(value, list) and bool(value) and all(keys_of(each) is not None for each in value)


def keys_of(message: Any) -> tuple[str, str] | None:
    """The keys of a message's role and content; None if it is not a message."""
    if not isinstance(message, dict):
        return None
    return next(((role, content) for role, content in KEYS if role in message and content in message), None)


def chat_writer(tokenizer: Any) -> WriteChat:
    """Writes chats by the tokenizer's template, without its first token: that belongs to contexts, not to documents.

    Raises `no_chat_template`, or `malformed_line` if a chat does not fit the template.
    """

    def write(messages: list[Any], where: str) -> str:
        if not getattr(tokenizer, "chat_template", None):
            raise WorkerError(
                "no_chat_template",
                f"{where[0].upper()}{where[1:]} holds a chat, but the model's tokenizer has no chat template.",
                hint="Name a model whose tokenizer has one, or write each chat as one text into a field of its own.",
            )
        try:
            text = tokenizer.apply_chat_template([plain(each) for each in messages], tokenize=False)
        except Exception as error:
            reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
            raise WorkerError(
                "malformed_line",
                f"The chat in {where} does not fit the tokenizer's chat template: {reason}.",
                hint="Mend or remove it.",
            ) from error
        return text.removeprefix(tokenizer.bos_token or "")

    return write


def plain(message: dict[str, Any]) -> dict[str, Any]:
    """A message with `role` and `content`; if the content is in parts, their texts, if all of them are text."""
    keys = keys_of(message)
    assert keys is not None, "the caller asks is_chat"
    role, content = (message[key] for key in keys)
    if isinstance(content, list) and all(
        isinstance(each, dict) and isinstance(each.get("text"), str) for each in content
    ):
        content = "".join(each["text"] for each in content)
    others = {key: value for key, value in message.items() if key not in keys}
    return others | {"role": ROLES.get(role, role), "content": content}
