"""Drawing with Pillow: the layout of a sheet, one image made small, and its place on the sheet. No I/O."""

import unicodedata
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont, ImageOps

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")  # and never those that start other programs
MOST_IMAGE_PIXELS = 40_000_000  # 160 MB while it is decoded
GAP = 12
LABEL_HEIGHT = 20
TITLE_HEIGHT = 40
A4 = 297 / 210

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

WHITE, INK, GREY, PALE = (255, 255, 255), (32, 32, 32), (150, 150, 150), (240, 240, 240)


class Layout(NamedTuple):
    """Where things go, in pixels. `font` is a TrueType or OpenType file; without one Pillow's own has to do."""

    columns: int
    thumbnail: int
    title: str
    font: bytes = b""

    @property
    def width(self) -> int:
        return GAP + self.columns * (self.thumbnail + GAP)

    @property
    def top(self) -> int:
        return GAP + (TITLE_HEIGHT if self.title else 0)

    @property
    def row_height(self) -> int:
        return self.thumbnail + LABEL_HEIGHT + GAP

    @property
    def rows_of_page(self) -> int:
        """Rows on a page with the shape of A4; at least one."""
        return max(1, int(self.width * A4 - self.top) // self.row_height)

    def rows(self, images: int) -> int:
        return -(-images // self.columns)

    def size(self, images: int) -> tuple[int, int]:
        """Width and height of one sheet with all of them."""
        return self.width, self.top + self.rows(images) * self.row_height


class Sheet:
    """A white sheet with room for `rows` rows, and its title."""

    def __init__(self, layout: Layout, *, rows: int) -> None:
        self.layout = layout
        self.image = Image.new("RGB", (layout.width, layout.top + rows * layout.row_height), WHITE)
        self.draw = ImageDraw.Draw(self.image)
        self.label_font = sized(layout.font, 12)
        if layout.title:
            font = sized(layout.font, 20)
            title = shortened(self.legible(layout.title), font, most=layout.width - 2 * GAP)
            self.draw.text((GAP, GAP), title, fill=INK, font=font)

    def legible(self, text: str) -> str:
        """`text` on one line, in letters that there are: Pillow's own font has none beyond ASCII."""
        text = "".join(character if character.isprintable() else " " for character in text)[:1_000]
        if self.layout.font:
            return text
        plain = (letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
        return "".join(letter if letter.isascii() else "?" for letter in plain)


def sized(font: bytes, size: int) -> Font:
    """The font, or Pillow's own for b"". Raises OSError for what is no font."""
    if not font:
        return ImageFont.load_default(size=size)
    # The simple layout is there on every machine, and gives the same bytes on each.
    return ImageFont.truetype(BytesIO(font), size=size, layout_engine=ImageFont.Layout.BASIC)


def thumbnail(content: bytes | bytearray, *, side: int) -> Image.Image | str:
    """The image upright and on white, its longer side at most `side` pixels; or in a few words why there is none."""
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MOST_IMAGE_PIXELS:
                return "too many pixels"
            image.thumbnail((side, side), Image.Resampling.LANCZOS)  # a JPEG is decoded at a scale near that
            coloured = ImageOps.exif_transpose(image).convert("RGBA")  # small by now: no second large copy
    except MemoryError:
        raise
    except Exception:  # Pillow's readers raise whatever a broken file leads to
        return "not readable"
    flat = Image.new("RGB", coloured.size, WHITE)
    flat.paste(coloured, mask=coloured)
    return flat


def paste(sheet: Sheet, place: int, picture: Image.Image | str, *, name: str) -> None:
    """Draw `picture`, or a placeholder that says why there is none, at the place counted from 0, and its name below."""
    layout, side = sheet.layout, sheet.layout.thumbnail
    left = GAP + place % layout.columns * (side + GAP)
    top = layout.top + place // layout.columns * layout.row_height
    if isinstance(picture, str):
        sheet.draw.rectangle((left, top, left + side - 1, top + side - 1), fill=PALE, outline=GREY)
        words = shortened(picture, sheet.label_font, most=side - 8)
        sheet.draw.text((left + side / 2, top + side / 2), words, fill=INK, font=sheet.label_font, anchor="mm")
    else:
        sheet.image.paste(picture, (left + (side - picture.width) // 2, top + (side - picture.height) // 2))
    label = shortened(sheet.legible(name), sheet.label_font, most=side)
    sheet.draw.text((left + side / 2, top + side + 3), label, fill=INK, font=sheet.label_font, anchor="ma")


def shortened(text: str, font: Font, *, most: int) -> str:
    """`text` in at most `most` pixels; what is too long loses its middle."""
    kept, shown = len(text), text
    while kept > 1 and font.getlength(shown) > most:
        kept -= 1
        shown = f"{text[: kept - kept // 2]}...{text[len(text) - kept // 2 :]}"
    return shown
