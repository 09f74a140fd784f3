"""Live updates: announcements of changes, and snapshots of jobs that follow them. One `Snapshots` per process."""

from haulier.live.announcements import Announcements, open_announcements
from haulier.live.snapshots import Snapshots, open_snapshots

__all__ = ["Announcements", "Snapshots", "open_announcements", "open_snapshots"]
