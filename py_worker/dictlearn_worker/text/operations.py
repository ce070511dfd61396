"""The operations that open text and contexts."""

from __future__ import annotations

from pathlib import Path

from .. import protocol as p
from ..models.language_model import LanguageModel
from ..registry import Context, method
from . import files, hub, python_docs
from .chats import WriteChat, chat_writer
from .contexts import Contexts
from .file_documents import FileDocuments
from .no_effect import DEFAULTS, check, require_effect
from .splits import of_split
from .stream import ListedDocuments, Prepared, PushedStream, TextStream

# The special path for Python's own documentation.
PYTHON_DOCS = "python-docs"


@method("text.files")
def open_files(context: Context, params: p.TextFilesParams) -> p.TextFilesResult:
    """Local files; the first document is read at once, so that most mistakes are found here."""
    if params.path == PYTHON_DOCS:
        found, splits = [], []
        check(params, DEFAULTS, f"{PYTHON_DOCS} is one text without fields, files or splits")
        documents = ListedDocuments(python_docs.documents(Path(params.cache)))
    else:
        found, splits = of_split(params.path, files.find_files(params.path), params.split, params.name)
        require_effect(params, found)
        documents = FileDocuments(found, params.text_field, params.txt_documents, chat_of(context, params.model))
    stream = TextStream(Prepared(documents, params.skip, params.shuffle_buffer, params.seed), params.part).peek()
    return p.TextFilesResult(text=context.objects.put(stream), files=[each.on_wire for each in found], splits=splits)


@method("text.hub")
def open_hub(context: Context, params: p.TextHubParams) -> p.TextHubResult:
    """A Hugging Face dataset, streamed; skipping and shuffling are the datasets library's own."""
    dataset = hub.open_dataset(params.path, params.name, params.split, params.revision)
    if params.skip:
        dataset = dataset.skip(params.skip)
    if params.shuffle_buffer:
        dataset = dataset.shuffle(seed=params.seed % 2**32, buffer_size=params.shuffle_buffer)
    documents = hub.DatasetDocuments(
        dataset,
        params.path,
        params.split,
        params.text_field,
        rewinds=params.shuffle_buffer == 0,
        chat=chat_of(context, params.model),
    )
    return p.TextHubResult(text=context.objects.put(TextStream(documents, params.part).peek()))


def chat_of(context: Context, model: p.Handle | None) -> WriteChat | None:
    """The function that turns chats into text."""
    return None if model is None else chat_writer(context.objects.get(model, LanguageModel).tokenizer)


@method("text.pushed")
def open_pushed(context: Context, params: p.TextPushedParams) -> p.TextPushedResult:
    """Opens a stream that TypeScript feeds."""
    return p.TextPushedResult(text=context.objects.put(PushedStream(params.part)))


@method("text.push")
def push(context: Context, params: p.TextPushParams) -> p.TextPushResult:
    """Feeds such a stream."""
    context.objects.get(params.text, PushedStream).push(params.documents, params.end)
    return p.TextPushResult()


@method("contexts.open")
def open_contexts(context: Context, params: p.ContextsOpenParams) -> p.ContextsOpenResult:
    """Cuts a stream into contexts of a model's tokens."""
    text = context.objects.get(params.text, TextStream)
    model = context.objects.get(params.model, LanguageModel)
    contexts = Contexts(text, model.shared_tokenizer, model.max_context, params)
    return p.ContextsOpenResult(contexts=context.objects.put(contexts))
