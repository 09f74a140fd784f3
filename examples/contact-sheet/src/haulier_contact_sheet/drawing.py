"""Drawing with Pillow: the layout of a sheet, one image made small, and its place on the sheet. No I/O."""

from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont, ImageOps

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")  # and never those that start other programs
MOST_IMAGE_PIXELS = 40_000_000  # 160 MB while it is decoded
GAP = 12
LABEL_HEIGHT = 20
TITLE_HEIGHT = 40
A4 = 297 / 210

WHITE, INK, GREY, PALE = (255, 255, 255), (32, 32, 32), (150, 150, 150), (240, 240, 240)


class Layout(NamedTuple):
    """Where things go, in pixels."""

    columns: int
    thumbnail: int
    title: str

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
        self.label_font = ImageFont.load_default(size=12)
        if layout.title:
            font = ImageFont.load_default(size=20)
            title = shortened(layout.title, font, most=layout.width - 2 * GAP)
            self.draw.text((GAP, GAP), title, fill=INK, font=font)


def thumbnail(content: bytes | bytearray, *, side: int) -> Image.Image | str:
    """The image upright and on white, its longer side at most `side` pixels; or in a few words why there is none."""
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MOST_IMAGE_PIXELS:
                return "too many pixels"
            image.draft("RGB", (side, side))  # a JPEG is decoded at the next larger of its own scales
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((side, side), Image.Resampling.LANCZOS)
            coloured = upright.convert("RGBA")
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
    label = shortened(name, sheet.label_font, most=side)
    sheet.draw.text((left + side / 2, top + side + 3), label, fill=INK, font=sheet.label_font, anchor="ma")


def shortened(text: str, font: "ImageFont.ImageFont | ImageFont.FreeTypeFont", *, most: int) -> str:
    """`text` on one line of at most `most` pixels; what is too long loses its middle."""
    text = "".join(character if character.isprintable() else " " for character in text)[:1_000]
    kept, shown = len(text), text
    while kept > 1 and font.getlength(shown) > most:
        kept -= 1
        shown = f"{text[: kept - kept // 2]}...{text[len(text) - kept // 2 :]}"
    return shown
