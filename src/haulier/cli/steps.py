"""When a line of text is due where no bar is drawn."""

EVERY_PERCENT = 25


class Steps:
    """Which states and quarters of the way were told."""

    def __init__(self) -> None:
        self._told: tuple[str, int] | None = None

    def is_news(self, state: str, percent: int) -> bool:
        """Whether the state is another one, or another 25 % are done; counts as told then."""
        now = (state, percent // EVERY_PERCENT)
        news, self._told = now != self._told, now
        return news
