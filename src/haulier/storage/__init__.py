"""Object storage behind one small interface."""

from haulier.storage.open import open_storage
from haulier.storage.port import ObjectInfo, Storage, Written

__all__ = ["ObjectInfo", "Storage", "Written", "open_storage"]
