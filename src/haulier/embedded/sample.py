"""The demo's files: real ones, the same bytes on every machine, made in about a second."""

import hashlib
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping

PHOTOS = (
    "Zürich – Großmünster",
    "東京タワー",
    "São Paulo, Praça da Sé",
    "Αθήνα",
    "Київ",
    "🏔 Matterhorn",
    "القاهرة",
    "Kraków",
    "Reykjavík",
    "Hà Nội",
    "서울",
    "Malmö",
)
PHOTO_WIDTH, PHOTO_HEIGHT = 1_200, 800
STATIONS = ("Tromsø", "Genève", "Nairobi", "Lima", "Perth", "Łódź")


def sample_files() -> Mapping[str, Callable[[], bytes]]:
    """Keys of the store and how each one's content is made: 66 MB in all."""
    photos = {f"demo/photos/{number:02} {name}.png": _photo(name) for number, name in enumerate(PHOTOS, start=1)}
    months = {f"demo/reports/{month:02}/measurements.csv": _measurements(2025, month) for month in range(1, 7)}
    return {
        "downloads/70000.zip": handbook,
        **photos,
        **months,
        "demo/reports/readme – lies mich.txt": lambda: logbook(300_000),
        "demo/reports/logbook.txt": lambda: logbook(6_000_000),
        "demo/reports/events.json": events,
        "demo/reports/raw/sensor.bin": lambda: noise("sensor", 6_000_000),
    }


def noise(seed: str, size: int) -> bytes:
    """Bytes that no compression makes smaller."""
    return hashlib.shake_128(seed.encode()).digest(size)


def measurements(year: int, month: int, *, days: int = 28) -> bytes:
    """A CSV file of one reading a minute of each station, 0.38 MB a day; it compresses well."""
    rng = random.Random(f"{year}-{month}")  # noqa: S311 # the same numbers on every machine, nothing secret
    rows = [
        f"@date,{minute // 60:02}:{minute % 60:02},{station},"
        f"{rng.gauss(12, 6):.2f},{rng.gauss(1013, 8):.1f},{rng.random():.4f}"
        for minute in range(24 * 60)
        for station in STATIONS
    ]
    day = "\n".join(rows).encode() + b"\n"
    header = b"date,time,station,temperature_c,pressure_hpa,humidity\n"
    return header + b"".join(day.replace(b"@date", f"{year}-{month:02}-{n:02}".encode()) for n in range(1, days + 1))


def logbook(size: int) -> bytes:
    """Plain text of about `size` bytes."""
    rng = random.Random(size)  # noqa: S311
    words = ("cargo", "harbour", "crane", "ledger", "tide", "crew", "manifest", "Ölfass", "anchor", "pilot", "quai")
    lines = [f"{' '.join(rng.choices(words, k=14)).capitalize()}.\n" for _ in range(2_000)]
    page = "".join(lines).encode()
    return b"".join(f"Page {number}\n".encode() + page for number in range(1, 1 + max(1, size // len(page))))


def events() -> bytes:
    """A JSON array of 20,000 objects."""
    rng = random.Random("events")  # noqa: S311
    entries = (
        {"id": number, "kind": rng.choice(("arrival", "departure")), "berth": rng.randint(1, 40), "port": "Göteborg"}
        for number in range(20_000)
    )
    return json.dumps(list(entries), ensure_ascii=False, indent=1).encode()


def handbook() -> bytes:
    """A real ZIP: what file 70000 is without any rule."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in (("handbook.txt", logbook(2_000_000)), ("drawings.bin", noise("drawings", 4_000_000))):
            entry = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED if name.endswith(".txt") else zipfile.ZIP_STORED
            archive.writestr(entry, content, compresslevel=1)
    return buffer.getvalue()


def _measurements(year: int, month: int) -> Callable[[], bytes]:
    return lambda: measurements(year, month, days=6)


def _photo(name: str) -> Callable[[], bytes]:
    return lambda: photo(name, width=PHOTO_WIDTH, height=PHOTO_HEIGHT)


def photo(seed: str, *, width: int, height: int) -> bytes:
    """A valid PNG of coloured noise, stored uncompressed in it: as incompressible as a photograph."""
    row_bytes = 3 * width
    pixels = memoryview(noise(seed, row_bytes * height))
    rows = b"".join(b"\0" + pixels[row * row_bytes : (row + 1) * row_bytes] for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, level=0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
