"""What every error has."""

from typing import Any, ClassVar


class HaulierError(Exception):
    """Base of all errors that may reach a user. Subclasses state `code`, `status`, `title` and `sentence`."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    sentence: ClassVar[str] = "Something went wrong on our side. Try again; if it persists, report the request id."
    permanent: ClassVar[bool] = False
    retry_after_s: int | None = None

    def __init__(self, *, retry_after_s: int | None = None, **facts: Any) -> None:
        self.facts = facts
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s
        super().__init__(self.detail)

    @property
    def detail(self) -> str:
        """The sentence for the user."""
        return self.sentence.format(**self.facts)
