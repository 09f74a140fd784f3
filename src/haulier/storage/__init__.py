"""Object storage behind one small interface."""

from haulier.storage.port import ObjectInfo, Storage, Written

__all__ = ["ObjectInfo", "Storage", "Written"]
