"""The documents of several files as one stream, which detects changes in the text it has read."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass

from ..errors import WorkerError
from ..found_files import Found
from .chats import WriteChat
from .files import Place, read_file
from .stream import Documents, State

DIGEST_BYTES = 16
# Characters: the bytes of a long document are never in memory all together.
HASHED_AT_ONCE = 1 << 20
NAMED = 3
PUT_BACK = "Put it back as it was, or start again in another folder."


@dataclass
class Reading:
    """How far a file was read: documents returned, a hash of them all, and their lines (rows) and bytes.

    `done`: the file has no more documents.
    """

    name: str
    documents: int = 0
    digest: str = ""
    line: int = 0
    offset: int = 0
    done: bool = False

    def take(self, document: str, place: Place) -> None:
        """Counts a document; `place` is the position after it."""
        # Each hash is of the previous one and the document: hashlib's own state cannot be saved.
        hashed = hashlib.blake2b(bytes.fromhex(self.digest), digest_size=DIGEST_BYTES)
        for start in range(0, len(document), HASHED_AT_ONCE):
            hashed.update(document[start : start + HASHED_AT_ONCE].encode("utf-8", "surrogatepass"))
        self.documents, self.digest = self.documents + 1, hashed.hexdigest()
        self.line, self.offset, self.done = place.line, place.offset, place.file > 0


class FileDocuments(Documents):
    """Every document of every file, in order. Blank documents are left out."""

    def __init__(self, files: list[Found], field: str, txt_documents: str, chat: WriteChat | None = None) -> None:
        self._files = files
        self._field = field
        self._txt_documents = txt_documents
        self._chat = chat
        # One entry for each file that was started, in order.
        self._read: list[Reading] = []
        self._reader: Iterator[str] | None = None

    def __next__(self) -> str:
        """Raises `broken_file`, `malformed_line` or `missing_field`."""
        if self._reader is None:
            self._reader = self._all()
        return next(self._reader)

    def state(self) -> State:
        """How far each file was read."""
        return {"read": [asdict(reading) for reading in self._read]}

    def restore(self, state: State, changed: Collection[str] = ()) -> list[str]:
        """Continues there. The read parts of the files in `changed` are read again.

        Raises `changed_input` if their text differs, if such a file is missing, or if a new file comes before it.
        """
        self._reader = None
        begun = [Reading(**each) for each in state["read"]]
        self._check_names(begun)
        self._read = [
            self._read_again(found, reading) if reading.name in changed else reading
            for found, reading in zip(self._files, begun, strict=False)
        ]
        done = {reading.name for reading in self._read if reading.done}
        later = sorted(set(changed) - done)
        if not later:
            return []
        paths = {found.name: str(found.path) for found in self._files}
        names = [paths.get(name, f"{name} (which is gone)") for name in later]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return [
            f"What the run has not read yet was changed since it was started, in {', '.join(names[:NAMED])}{more}; "
            "it continues with the present text."
        ]

    def _all(self) -> Iterator[str]:
        for number in range(max(0, len(self._read) - 1), len(self._files)):
            if number == len(self._read):
                self._read.append(Reading(self._files[number].name))
            if not self._read[number].done:
                yield from self._documents(self._files[number], self._read[number])

    def _documents(self, file: Found, reading: Reading) -> Iterator[str]:
        """The remaining documents of a file."""
        # The readers number files from the first one passed.
        start = Place(0, reading.line, reading.offset)
        for document, place in read_file(file.path, self._field, self._txt_documents, start, self._chat):
            if document and not document.isspace():
                reading.take(document, place)
                yield document
        reading.done = True

    def _check_names(self, begun: list[Reading]) -> None:
        """Checks that the files that were read are the first ones of the list."""
        names = [found.name for found in self._files]
        for number, reading in enumerate(begun):
            if number < len(names) and names[number] == reading.name:
                continue
            if reading.name not in names:
                raise changed_input(
                    f"The input file {reading.name} is not there any more, and the run has read {reading.documents} "
                    "documents of it."
                )
            raise changed_input(
                f"The input file {self._files[number].path} is new, and comes before {reading.name}, which the run "
                "has read.",
                hint="Move the new file away, or start again in another folder.",
            )

    def _read_again(self, file: Found, then: Reading) -> Reading:
        """Reads a file up to its earlier position, whose line and byte numbers may have changed."""
        now = Reading(then.name)
        documents = self._documents(file, now)
        for _ in itertools.islice(documents, then.documents):
            pass
        what = None
        if (now.documents, now.digest) != (then.documents, then.digest):
            what = f"The {then.documents} documents that the run has read of it are not the same any more"
        elif then.done and next(documents, None) is not None:
            what = f"The run had read all of its {then.documents} documents, and there are more now"
        if what is not None:
            raise changed_input(f"The input file {file.path} was changed since the run was started. {what}.")
        now.done = then.done
        return now


def changed_input(message: str, *, hint: str = PUT_BACK) -> WorkerError:
    """The failure for text that differs from the text a run has read."""
    return WorkerError("changed_input", message, hint=hint)
