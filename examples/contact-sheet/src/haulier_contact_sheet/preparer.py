"""What Haulier sees: the parameters, what the sheet is made of, and the two ways to make it.

A JPEG or PNG is encoded as a whole, so it is a `Stream`: an attempt that is interrupted begins anew. A PDF grows page
by page, so it is a `Resumable`: the next attempt goes on behind the last page that was kept.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import PurePath
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import PIL
from msgspec import Meta
from PIL import Image

from haulier.errors import AttemptError, BadRecipe, SourceMissing
from haulier.preparers import Build, Input, Mark, Preparer, Result, Resumable, Stream
from haulier.storage import ObjectInfo
from haulier_contact_sheet.drawing import Layout, Sheet, paste, sized, thumbnail
from haulier_contact_sheet.pdf import Pdf

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
CONTENT_TYPES = {"jpeg": "image/jpeg", "png": "image/png", "pdf": "application/pdf"}
ENDINGS = {"jpeg": "jpg", "png": "png", "pdf": "pdf"}

# What bounds memory: one image and one sheet at a time, 4 bytes a pixel.
MOST_IMAGE_BYTES = 32 * 2**20
MOST_FONT_BYTES = 32 * 2**20
MOST_SHEET_PIXELS = 40_000_000
MOST_SHEET_HEIGHT = 65_000  # JPEG ends at 65,535
MOST_ROW_PIXELS = 4_096
PIECE_BYTES = 2**18

# One thread for all sheets of a worker: however many jobs run, one image is decoded at a time.
DRAWING = ThreadPoolExecutor(max_workers=1, thread_name_prefix="contact-sheet")
Drawn = TypeVar("Drawn")


class SheetRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a catalogue rule says."""

    prefix: Annotated[str, Meta(description="The folder: all images below it, in key order.", min_length=1)]
    title: Annotated[str, Meta(description="A line above the images of each page.", max_length=120)] = ""
    font: Annotated[
        str, Meta(description="Key of a TrueType font for titles and names; without one they are plain ASCII.")
    ] = ""
    most: Annotated[int, Meta(description="More images than this fail the job.", ge=1, le=1_000)] = 200


class SheetChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a request may choose."""

    columns: Annotated[int, Meta(description="Images in a row.", ge=1, le=12)] = 4
    thumbnail: Annotated[int, Meta(description="Longer side of each image, in pixels.", ge=64, le=512)] = 192
    format: Annotated[
        Literal["jpeg", "png", "pdf"], Meta(description="jpeg and png are one long sheet, pdf has pages.")
    ] = "jpeg"

    def __post_init__(self) -> None:
        if self.columns * self.thumbnail > MOST_ROW_PIXELS:
            raise ValueError(f"columns times thumbnail must be at most {MOST_ROW_PIXELS} pixels")


class TooManyImages(AttemptError):
    """An error of our own: the sentence goes to the user, `permanent` says that another attempt is no use."""

    code, title, permanent = "too_many_images", "Too many images", True
    sentence = "There are more than {most} images below {prefix}, which is too many for one sheet."


class SheetTooLarge(AttemptError):
    code, title, permanent = "sheet_too_large", "Sheet too large", True
    sentence = "{images} images make too large a {format}. Ask for a pdf, for more columns or for smaller thumbnails."


async def prepare(build: Build) -> Result:
    """The sheet. Raises SourceMissing (no image there), TooManyImages, SheetTooLarge; SourceChanged while reading."""
    rule: SheetRule = build.params
    choice: SheetChoice = build.request_params
    build.report(done=0, stage="listing")
    images = await _images(build, rule)
    font = await _font(build, rule.font) if rule.font else None
    layout = Layout(columns=choice.columns, thumbnail=choice.thumbnail, title=rule.title, font=font[1] if font else b"")
    # The versions that were found: whoever asks for the same sheet of the same images shares one build.
    sources = [*images, *([font[0]] if font else [])]
    inputs = tuple(Input(name=source.key, etag=source.etag, size=source.size) for source in sources)
    file_name = f"{PurePath(build.file_name or 'contact-sheet').stem}.{ENDINGS[choice.format]}"
    drawing = Drawing(build, images, layout)
    if choice.format == "pdf":
        return Resumable(file_name=file_name, content_type=CONTENT_TYPES["pdf"], open=drawing.pdf_from, inputs=inputs)
    size = layout.size(len(images))
    if size[0] * size[1] > MOST_SHEET_PIXELS or size[1] > MOST_SHEET_HEIGHT:
        raise SheetTooLarge(images=len(images), format=choice.format)
    return Stream(
        file_name=file_name,
        content_type=CONTENT_TYPES[choice.format],
        chunks=drawing.encoded(choice.format),
        inputs=inputs,
    )


async def _images(build: Build, rule: SheetRule) -> list[ObjectInfo]:
    """The objects that are images by their name, at most as many as the rule allows."""
    found: list[ObjectInfo] = []
    async for each in build.storage.list(rule.prefix):
        if each.key.lower().endswith(SUFFIXES):
            found.append(each)
        if len(found) > rule.most:
            raise TooManyImages(most=rule.most, prefix=rule.prefix)
    if not found:
        raise SourceMissing(name=f"images below {rule.prefix}")
    return found


async def _font(build: Build, key: str) -> tuple[ObjectInfo, bytes]:
    """The font's object and its bytes. Raises SourceMissing; BadRecipe when it is no font: that is the rule's fault."""
    found = await build.storage.head(key)
    if found is None:
        raise SourceMissing(name=key)
    if found.size > MOST_FONT_BYTES:
        raise BadRecipe(reason=f"{key} is too large for a font")
    font = b"".join([chunk async for chunk in build.storage.read(key, etag=found.etag)])
    try:
        await in_thread(sized, font, 12)
    except OSError as error:
        raise BadRecipe(reason=f"{key} is not a TrueType font") from error
    return found, font


class Drawing:
    """Reads the images one after the other and draws them; whatever takes time runs in a thread."""

    def __init__(self, build: Build, images: Sequence[ObjectInfo], layout: Layout) -> None:
        self._build = build
        self._images = images
        self._layout = layout
        self._total = sum(image.size for image in images)

    async def encoded(self, kind: str) -> AsyncGenerator[bytes, None]:
        """One sheet with all images."""
        sheet = await self._sheet(0, len(self._images), rows=self._layout.rows(len(self._images)))
        self._build.report(done=self._total, total=self._total, stage="encoding")
        whole = memoryview(await in_thread(_encode, sheet, kind))
        for start in range(0, len(whole), PIECE_BYTES):
            yield bytes(whole[start : start + PIECE_BYTES])

    async def pdf_from(self, mark: Mark | None) -> AsyncGenerator[bytes | Mark, None]:
        """The PDF from its first page, or from behind the page that `mark` was set after."""
        per_page = self._layout.rows_of_page * self._layout.columns
        pdf = Pdf(pages=-(-len(self._images) // per_page), title=self._layout.title)
        if mark is None:
            yield pdf.begin()
        else:
            pdf.go_on(mark.state, mark.log)
        while pdf.page < pdf.pages:
            start = pdf.page * per_page
            sheet = await self._sheet(start, start + per_page, rows=self._layout.rows_of_page)
            jpeg = await in_thread(_encode, sheet, "jpeg")
            yield pdf.add_page(jpeg, size=sheet.size)
            yield Mark(*pdf.place())
        yield pdf.finish()

    async def _sheet(self, start: int, end: int, *, rows: int) -> Image.Image:
        sheet = Sheet(self._layout, rows=rows)
        done = sum(image.size for image in self._images[:start])
        for place, image in enumerate(self._images[start:end]):
            self._build.report(done=done, total=self._total, stage="drawing")
            await in_thread(paste, sheet, place, await self._thumbnail(image), name=PurePath(image.key).name)
            done += image.size
        return sheet.image

    async def _thumbnail(self, image: ObjectInfo) -> Image.Image | str:
        """The image made small, or why there is none."""
        if image.size > MOST_IMAGE_BYTES:
            return "too large"
        content = bytearray()
        # With the ETag of the listing: an image that changed meanwhile ends the attempt with SourceChanged.
        async for chunk in self._build.storage.read(image.key, etag=image.etag):
            content += chunk
        return await in_thread(thumbnail, content, side=self._layout.thumbnail)


async def in_thread(draw: Callable[..., Drawn], *given: Any, **named: Any) -> Drawn:
    """What `draw` answers, without holding up the event loop that the worker's other jobs share."""
    return await asyncio.get_running_loop().run_in_executor(DRAWING, partial(draw, *given, **named))


def _encode(image: Image.Image, kind: str) -> bytes:
    """The same bytes for the same picture: no times, no metadata."""
    encoded = BytesIO()
    if kind == "png":
        image.save(encoded, "PNG", compress_level=6)
    else:
        image.save(encoded, "JPEG", quality=88)
    return encoded.getvalue()


PREPARER = Preparer(
    name="contact-sheet",
    params=SheetRule,
    request_params=SheetChoice,
    prepare=prepare,
    description="All images of a folder on one sheet, as JPEG, PNG or PDF.",
    # Another Pillow may draw or compress differently: then what was built before is not the same any more.
    version=f"1+pillow{PIL.__version__}",
)
