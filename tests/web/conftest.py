"""A deployment on the bundled cities, one real browser, and people with pages in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from confluent_kafka.admin import AdminClient
from playwright.sync_api import Browser

from gateway.web import DIST
from tests.broker.conftest import clear_topics
from tests.web.pages import Phone, browser
from tests.web.stack import Running, deployed


@pytest.fixture(scope="module")
def running(services: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A worker and a gateway that serves the built app."""
    assert (DIST / "index.html").is_file(), "the web app is not built: run `make web`"
    clear_topics(AdminClient({"bootstrap.servers": services.bootstrap, "log_level": 0}))
    with deployed(services.bootstrap, services.redis_url, tmp_path_factory.mktemp("web")) as one:
        yield one


@pytest.fixture(scope="module")
def launched() -> Iterator[Browser]:
    """The browser."""
    with browser() as one:
        yield one


@pytest.fixture
def phone(running: Running, launched: Browser) -> Iterator[Callable[..., Phone]]:
    """Makes people; in the end no page had an error, and none asked anybody but the gateway for anything."""
    made: list[Phone] = []

    def make(**options: Any) -> Phone:
        made.append(Phone(launched, running.url, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
        assert one.hosts() == {urlsplit(running.url).netloc}
        assert one.errors == [], one.errors


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which looks for what people with a disability could not use."""
    return (Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text()
