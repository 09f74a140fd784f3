"""What Haulier tells about itself: logs (metrics and traces come with a later issue)."""
