"""Object storage behind one small interface."""

from haulier.storage.open import open_own_links, open_storage
from haulier.storage.port import Link, ObjectInfo, Part, Storage, Upload, Written

__all__ = ["Link", "ObjectInfo", "Part", "Storage", "Upload", "Written", "open_own_links", "open_storage"]
