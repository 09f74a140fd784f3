"""A PDF whose pages are JPEG images, written front to back. It can be left behind any page and gone on with."""

import struct
from collections.abc import Mapping
from typing import Any

WIDTH_PT, HEIGHT_PT = 595, 842  # A4, in points
HEADER = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
OFFSETS = struct.Struct("!3Q")  # of the three objects of one page
CATALOG, PAGES, INFO, FIRST = 1, 2, 3, 4


class Pdf:
    """Gives out the bytes of a PDF of `pages` pages; `page` counts those that are written. No times, no random id."""

    def __init__(self, *, pages: int, title: str) -> None:
        self.pages = pages
        self.page = 0
        self._title = title
        self._at = 0
        self._offsets: list[int] = []
        self._log = b""

    def begin(self) -> bytes:
        """The header, and what comes before the pages."""
        kids = " ".join(f"{FIRST + 3 * page} 0 R" for page in range(self.pages))
        title = (b"\xfe\xff" + self._title.encode("utf-16-be", "replace")).hex()
        return b"".join(
            [
                self._count(HEADER),
                self._object(CATALOG, f"<< /Type /Catalog /Pages {PAGES} 0 R >>"),
                self._object(PAGES, f"<< /Type /Pages /Count {self.pages} /Kids [{kids}] >>"),
                self._object(INFO, f"<< /Title <{title}> >>"),
            ]
        )

    def add_page(self, jpeg: bytes, *, size: tuple[int, int]) -> bytes:
        """An A4 page, longer if need be, with a JPEG of `size` pixels from its top."""
        number = FIRST + 3 * self.page
        drawn = round(WIDTH_PT * size[1] / size[0], 2)
        height = max(HEIGHT_PT, drawn)
        shown = f"q {WIDTH_PT} 0 0 {drawn} 0 {height - drawn:.2f} cm /Sheet Do Q".encode()
        before = len(self._offsets)
        written = [
            self._object(
                number,
                f"<< /Type /Page /Parent {PAGES} 0 R /MediaBox [0 0 {WIDTH_PT} {height}] /Contents {number + 1} 0 R"
                f" /Resources << /XObject << /Sheet {number + 2} 0 R >> >> >>",
            ),
            self._object(number + 1, f"<< /Length {len(shown)} >>", stream=shown),
            self._object(
                number + 2,
                f"<< /Type /XObject /Subtype /Image /Width {size[0]} /Height {size[1]} /ColorSpace /DeviceRGB"
                f" /BitsPerComponent 8 /Filter /DCTDecode /Length {len(jpeg)} >>",
                stream=jpeg,
            ),
        ]
        self._log = OFFSETS.pack(*self._offsets[before:])
        self.page += 1
        return b"".join(written)

    def place(self) -> tuple[Mapping[str, Any], bytes]:
        """State and log of a Mark behind the page that was just added."""
        return {"page": self.page, "at": self._at}, self._log

    def go_on(self, state: Mapping[str, Any], log: bytes) -> None:
        """Be where a PDF of the same pages was when it told `state`; `log` holds the logs of all pages before."""
        self.begin()
        self._offsets += [offset for page in OFFSETS.iter_unpack(log) for offset in page]
        self.page, self._at = state["page"], state["at"]

    def finish(self) -> bytes:
        """The table of objects."""
        table = "".join(f"{offset:010} 00000 n \n" for offset in self._offsets)
        count = len(self._offsets) + 1
        return (
            f"xref\n0 {count}\n0000000000 65535 f \n{table}"
            f"trailer\n<< /Size {count} /Root {CATALOG} 0 R /Info {INFO} 0 R >>\nstartxref\n{self._at}\n%%EOF\n"
        ).encode()

    def _object(self, number: int, dictionary: str, *, stream: bytes | None = None) -> bytes:
        self._offsets.append(self._at)
        body = b"" if stream is None else b"\nstream\n" + stream + b"\nendstream"
        return self._count(f"{number} 0 obj\n{dictionary}".encode() + body + b"\nendobj\n")

    def _count(self, written: bytes) -> bytes:
        self._at += len(written)
        return written
