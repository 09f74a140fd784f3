"""Fixtures of the API's tests: services over real servers, the application, and a client that checks every answer."""

import httpx
import pytest

from haulier.api.app import create_app
from haulier.api.services import open_services
from tests.api_client import ApiClient


@pytest.fixture
async def services(settings):
    """The API's services over the test's own installation."""
    async with open_services(settings) as services:
        yield services


@pytest.fixture
async def api(services):
    """A client of the application, without a network in between."""
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url=services.settings.base_url) as http:
        yield ApiClient(http, secret=services.settings.jwt_secret)
