"""Haulier: downloads that take too long to prepare inside one HTTP request."""

__version__ = "0.1.0"
