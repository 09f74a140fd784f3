"""The contact sheet as its author tests it: with Haulier's FakeBuild, without any server."""

import re
import struct
import zlib
from io import BytesIO
from typing import Any

import msgspec
import pytest
from PIL import Image, ImageFont

from haulier.errors import BadRecipe, InvalidRequest, SourceChanged, SourceMissing
from haulier.preparers import Resumable, Stream
from haulier.preparers.testing import DictStorage, FakeBuild, check_resumable, chosen, content, marks
from haulier_contact_sheet import preparer
from haulier_contact_sheet.drawing import Layout, Sheet
from haulier_contact_sheet.preparer import (
    PREPARER,
    SheetChoice,
    SheetRule,
    SheetTooLarge,
    TooManyImages,
)

RED, BLUE = (200, 30, 30), (30, 30, 200)


def picture(
    colour: tuple[int, ...], *, size: tuple[int, int] = (300, 200), kind: str = "JPEG", **options: Any
) -> bytes:
    encoded = BytesIO()
    Image.new("RGBA" if len(colour) == 4 else "RGB", size, colour).save(encoded, kind, **options)
    return encoded.getvalue()


def album(**objects: bytes) -> DictStorage:
    """A store with these objects in the folder `album/`; the last `_` of a name is the dot of its suffix."""
    return DictStorage({f"album/{'.'.join(name.rsplit('_', 1))}": each for name, each in objects.items()})


def build(
    storage: DictStorage, *, title: str = "", font: str = "", most: int = 200, file_name: str = "", **choice: Any
) -> FakeBuild:
    return FakeBuild(
        SheetRule(prefix="album/", title=title, font=font, most=most),
        request_params=msgspec.convert(choice, SheetChoice),
        storage=storage,
        file_name=file_name,
    )


async def sheet(made: FakeBuild) -> Image.Image:
    return Image.open(BytesIO(await content(await PREPARER.prepare(made))))


async def test_each_image_has_its_place() -> None:
    drawn = await sheet(
        build(album(a_png=picture(RED, kind="PNG"), b_png=picture(BLUE, kind="PNG")), columns=2, format="png")
    )
    assert drawn.size == (12 + 2 * 204, 12 + 224)
    assert [drawn.getpixel((12 + 96 + shift, 12 + 96)) for shift in (0, 204)] == [RED, BLUE]


@pytest.mark.parametrize(("kind", "ending", "shown"), [("jpeg", "jpg", "JPEG"), ("png", "png", "PNG")])
async def test_the_format_decides_over_bytes_name_and_type(kind: str, ending: str, shown: str) -> None:
    result = await PREPARER.prepare(build(album(a_jpg=picture(RED)), format=kind, file_name="My album.jpg"))
    assert isinstance(result, Stream)
    assert (result.file_name, result.content_type) == (f"My album.{ending}", f"image/{kind}")
    assert Image.open(BytesIO(await content(result))).format == shown


async def test_what_is_no_image_by_its_name_is_left_out() -> None:
    result = await PREPARER.prepare(build(album(a_jpg=picture(RED), notes_txt=b"x", B_JPEG=picture(RED))))
    assert [each.name for each in result.inputs or ()] == ["album/B.JPEG", "album/a.jpg"]


async def test_the_inputs_are_the_versions_that_were_found() -> None:
    storage = album(a_jpg=picture(RED))
    [found] = (await PREPARER.prepare(build(storage))).inputs or ()
    assert (found.etag, found.size) == (storage.info("album/a.jpg").etag, len(storage.objects["album/a.jpg"]))


@pytest.mark.parametrize("kind", ["jpeg", "png", "pdf"])
async def test_the_same_images_give_the_same_bytes(kind: str) -> None:
    storage = album(a_jpg=picture(RED), b_gif=picture(BLUE, kind="GIF"), c_jpg=b"broken")
    first, second = [
        await content(await PREPARER.prepare(build(storage, title="Äpfel", format=kind))) for _ in range(2)
    ]
    assert first == second


@pytest.mark.parametrize("broken", [b"", b"not an image", picture(RED)[:400], b"%!PS-Adobe-3.0 EPSF-3.0\n"])
async def test_an_unreadable_image_is_a_placeholder(broken: bytes) -> None:
    drawn = await sheet(build(album(a_jpg=broken, b_png=picture(BLUE, kind="PNG")), columns=2, format="png"))
    assert drawn.getpixel((20, 20)) == (240, 240, 240)
    assert drawn.getpixel((12 + 204 + 96, 12 + 96)) == BLUE


async def test_a_bomb_is_not_decoded() -> None:
    header = struct.pack("!2I5B", 20_000, 20_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack("!I", len(body)) + kind + body + struct.pack("!I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1_000))), (b"IEND", b""))
    )
    assert (await sheet(build(album(a_png=bomb), format="png"))).getpixel((20, 20)) == (240, 240, 240)


async def test_a_file_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparer, "MOST_IMAGE_BYTES", 100)
    storage = album(a_jpg=picture(RED))
    await sheet(build(storage))
    assert storage.most_opened == 0


async def test_turned_and_transparent_images_are_drawn_as_people_see_them() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    turned = picture(RED, size=(300, 100), kind="PNG", exif=exif)
    clear = picture((0, 0, 0, 0), size=(300, 300), kind="PNG")
    drawn = await sheet(build(album(a_png=turned, b_png=clear), columns=2, format="png"))
    assert drawn.getpixel((12 + 96, 20)) == RED
    assert drawn.getpixel((20, 12 + 96)) == (255, 255, 255)
    assert drawn.getpixel((12 + 204 + 96, 12 + 96)) == (255, 255, 255)


async def test_one_image_is_open_at_a_time_and_progress_counts_bytes() -> None:
    storage = album(a_jpg=picture(RED), b_jpg=picture(BLUE), c_jpg=picture(RED))
    made = build(storage)
    await sheet(made)
    assert storage.most_opened == 1
    told = [(report.done, report.stage) for report in made.reports]
    size = sum(map(len, storage.objects.values()))
    assert told[:2] == [(0, "listing"), (0, "drawing")]
    assert (told[-1], made.reports[-1].total) == ((size, "encoding"), size)


async def test_an_image_that_changes_meanwhile_ends_the_attempt() -> None:
    storage = album(a_jpg=picture(RED))
    result = await PREPARER.prepare(build(storage))
    storage.objects["album/a.jpg"] = picture(BLUE)
    with pytest.raises(SourceChanged):
        await content(result)


def test_letters_that_the_font_lacks_are_replaced() -> None:
    assert Sheet(Layout(columns=1, thumbnail=64, title=""), rows=1).legible("Grüße\n東京.jpg") == "Gru?e ??.jpg"


async def test_a_font_of_the_store_is_a_source_like_the_images() -> None:
    storage = album(a_jpg=picture(RED))
    storage.objects["fonts/a.ttf"] = ImageFont.load_default(size=12).font_bytes
    made = await PREPARER.prepare(build(storage, font="fonts/a.ttf", title="Größe"))
    assert [each.name for each in made.inputs or ()] == ["album/a.jpg", "fonts/a.ttf"]
    assert await content(made)
    with pytest.raises(BadRecipe, match=r"album/a\.jpg is not a TrueType font"):
        await PREPARER.prepare(build(storage, font="album/a.jpg"))
    with pytest.raises(SourceMissing, match=r"fonts/b\.ttf"):
        await PREPARER.prepare(build(storage, font="fonts/b.ttf"))


async def test_no_image_too_many_and_too_large_a_sheet_are_told() -> None:
    with pytest.raises(SourceMissing, match="images below album/"):
        await PREPARER.prepare(build(album(notes_txt=b"x")))
    with pytest.raises(TooManyImages, match="more than 1 images below album/"):
        await PREPARER.prepare(build(album(a_jpg=b"", b_jpg=b""), most=1))
    many = DictStorage({f"album/{number:04}.png": b"" for number in range(150)})
    with pytest.raises(SheetTooLarge, match="Ask for a pdf"):
        await PREPARER.prepare(build(many, columns=1, thumbnail=512))


async def test_a_pdf_has_pages_and_goes_on_behind_each_of_them() -> None:
    storage = album(**{f"p{number:02}_png": picture((9 * number, 50, 90), kind="PNG") for number in range(14)})
    result = await PREPARER.prepare(build(storage, title="Ünter Größen", columns=2, thumbnail=64, format="pdf"))
    assert isinstance(result, Resumable)
    assert (result.file_name, result.content_type) == ("contact-sheet.pdf", "application/pdf")
    whole = await check_resumable(result)
    assert len(pages_of(whole)) == len(await marks(result)) == 7


async def test_the_table_of_a_pdf_points_at_its_objects() -> None:
    storage = album(a_png=picture(RED, kind="PNG"), b_png=picture(BLUE, kind="PNG"))
    whole = await content(await PREPARER.prepare(build(storage, columns=1, thumbnail=64, format="pdf")))
    start = int(re.findall(rb"startxref\n(\d+)\n%%EOF\n$", whole)[0])
    offsets = re.findall(rb"(\d{10}) 00000 n \n", whole[start:])
    for number, offset in enumerate(offsets, start=1):
        assert whole[int(offset) :].startswith(b"%d 0 obj\n" % number)
    assert [page.size for page in pages_of(whole)] == [(88, 108)] * 2


def pages_of(pdf: bytes) -> list[Image.Image]:
    found = re.findall(rb"/Filter /DCTDecode /Length \d+ >>\nstream\n(.*?)\nendstream", pdf, re.DOTALL)
    return [Image.open(BytesIO(jpeg)) for jpeg in found]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"columns": 0}, ("/params/columns", "must be a whole number from 1 to 12")),
        ({"columns": "6"}, ("/params/columns", "must be a whole number from 1 to 12; it is text")),
        ({"format": "gif"}, ("/params/format", "must be jpeg, pdf or png")),
        ({"colour": 6}, ("/params/colour", "is unknown (this file takes columns, thumbnail, format)")),
        ({"columns": 12, "thumbnail": 512}, ("/params", "columns times thumbnail must be at most 4096 pixels")),
    ],
)
def test_wrong_choices_are_told_to_the_client(given: dict[str, Any], problem: tuple[str, str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        chosen(SheetChoice, given)
    assert caught.value.problems == (problem,)
