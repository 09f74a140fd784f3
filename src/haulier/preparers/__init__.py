"""Preparers: the functions that make artefacts. Built-in ones come through the same entry points as anybody's."""

from haulier.preparers.port import Build, Existing, Mark, Preparer, Result, Resumable, Stream
from haulier.provenance import Input, Inputs

__all__ = ["Build", "Existing", "Input", "Inputs", "Mark", "Preparer", "Result", "Resumable", "Stream"]
