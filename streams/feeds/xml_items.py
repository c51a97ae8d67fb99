"""Reading XML item by item: no entities, no DTD, and what stands before a defect can still be used.

Entity expansion is how small hostile documents grow to gigabytes, so a DOCTYPE ends the reading.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

from streams.feeds.common import MAX_DOCUMENT_BYTES, Unusable

MAX_DEPTH = 100
_CHUNK = 65_536


class _Refused(Exception):
    """Raised inside expat's callbacks."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Item:
    """One complete element, names without namespaces, and the line it starts on."""

    element: ET.Element
    line: int


@dataclass(frozen=True, slots=True)
class Defect:
    """Why and where the reading ended before the end of the document."""

    reason: str
    detail: str
    line: int


def read_items(
    document: bytes, tag: str, header: tuple[str, ...] = ()
) -> tuple[list[Item], dict[str, str], Defect | None]:
    """All complete elements called `tag` (outermost ones), the first text of each `header` element
    outside of them, and the defect that ended the reading, if any."""
    if len(document) > MAX_DOCUMENT_BYTES:
        return [], {}, Defect("too_large", f"{len(document)} bytes, at most {MAX_DOCUMENT_BYTES}", 0)
    reader = _Reader(tag, header)
    try:
        reader.feed(document)
    except expat.ExpatError as e:
        return reader.items, reader.texts, Defect("not_xml", expat.ErrorString(e.code), e.lineno)
    except _Refused as e:
        return reader.items, reader.texts, Defect(e.reason, e.detail, reader.parser.CurrentLineNumber)
    except (ValueError, LookupError) as e:  # an encoding that Python does not know
        return reader.items, reader.texts, Defect("not_xml", str(e), reader.parser.CurrentLineNumber)
    return reader.items, reader.texts, None


class _Reader:
    def __init__(self, tag: str, header: tuple[str, ...]) -> None:
        self.tag = tag
        self.header = header
        self.items: list[Item] = []
        self.texts: dict[str, str] = {}
        self.open: list[ET.Element] = []
        self.depth = 0
        self.line = 0
        self.wanted: str | None = None
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.parser.EntityDeclHandler = self.doctype

    def feed(self, document: bytes) -> None:
        # In chunks, so that what came before a defect has been handed out.
        for i in range(0, len(document), _CHUNK):
            self.parser.Parse(document[i : i + _CHUNK], False)
        self.parser.Parse(b"", True)

    def doctype(self, *_: object) -> None:
        raise _Refused("doctype", "a document with a DOCTYPE or entities is not read")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Refused("too_large", f"elements nested more than {MAX_DEPTH} deep")
        local = _local(name)
        if self.open or local == self.tag:
            element = ET.Element(local, {_local(key): value for key, value in attributes.items()})
            if self.open:
                self.open[-1].append(element)
            else:
                self.line = self.parser.CurrentLineNumber
            self.open.append(element)
        elif local in self.header and local not in self.texts:
            self.wanted = local

    def text(self, data: str) -> None:
        if self.open:
            top = self.open[-1]
            if len(top) == 0:
                top.text = (top.text or "") + data
        elif self.wanted is not None:
            self.texts[self.wanted] = self.texts.get(self.wanted, "") + data

    def end(self, name: str) -> None:
        self.depth -= 1
        self.wanted = None
        if self.open:
            done = self.open.pop()
            if not self.open:
                self.items.append(Item(done, self.line))


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def text_at(element: ET.Element, path: str) -> str | None:
    """The stripped text of the first element at `path`; None if there is none or it is empty."""
    found = element.findtext(path)
    stripped = found.strip() if found else ""
    return stripped or None


def typename(element: ET.Element) -> str:
    """The xsi:type without its prefix, "" if there is none."""
    return element.get("type", "").rpartition(":")[2]


def numbers_in(text: str, name: str) -> Iterator[float]:
    """The numbers of a list separated by blanks; raises Unusable (bad_type)."""
    for word in text.split():
        try:
            yield float(word)
        except ValueError:
            raise Unusable("bad_type", f"{name} has {word[:20]!r}, which is no number") from None
