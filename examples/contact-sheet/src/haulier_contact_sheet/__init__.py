"""A preparer for Haulier: all images of a folder on one sheet, as JPEG, PNG or PDF."""

from haulier_contact_sheet.preparer import PREPARER

__all__ = ["PREPARER"]
