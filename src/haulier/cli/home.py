"""The environment of a running `haulier up`, for commands that would rather use it than ask for settings."""

import os
from collections.abc import Mapping
from pathlib import Path


def home_environment(home: Path) -> dict[str, str]:
    """`HAULIER_…` of the `up` that runs on `home`; empty when none runs there, or it belongs to another user."""
    return _looked_up(home)[0] if home.is_dir() else {}  # without an import where there is nothing


def why_none(home: Path) -> str:
    """Why there is no such environment; empty when there is one."""
    return _looked_up(home)[1]


def _looked_up(home: Path) -> tuple[dict[str, str], str]:
    from haulier.embedded.home import running_environment
    from haulier.errors import ConfigurationError

    try:
        return running_environment(home), ""
    except ConfigurationError as error:
        return {}, error.detail
    except OSError as error:
        return {}, f"home {home}: it cannot be read: {error.strerror or error}"


def surroundings(home: Path) -> Mapping[str, str]:
    """This process's environment; what it does not set comes from the running home."""
    return home_environment(home) | {name: value for name, value in os.environ.items() if value.strip()}
