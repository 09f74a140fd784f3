"""The HTTP API. `haulier.api.serve` runs it, `haulier.api.app` assembles it over services that are open already.

Nothing is imported here, so that `haulier token` does not load a web server.
"""
