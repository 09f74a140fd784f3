"""What a preparer receives, for tests: the same that authors of plug-ins get."""

from haulier.preparers.testing import MODIFIED, DictStorage, FakeBuild, check_resumable, content, marks

__all__ = ["MODIFIED", "DictStorage", "FakeBuild", "check_resumable", "content", "marks"]
