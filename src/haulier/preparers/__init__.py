"""Preparers: the functions that make artefacts. Built-in ones come through the same entry points as anybody's."""

from haulier.preparers.port import Build, Existing, Input, Inputs, Mark, Preparer, Result, Resumable, Stream

__all__ = ["Build", "Existing", "Input", "Inputs", "Mark", "Preparer", "Result", "Resumable", "Stream"]
