"""`flaneur topics`: the topics as declared, checked against the broker."""

from __future__ import annotations

import sys

import click
import orjson

from streams.kafka.topics import check_topics, declared_topics, ensure_topics
from streams.settings import Settings


@click.command("topics")
@click.option("--create", is_flag=True, help="Create those that are missing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a topic.")
def command(create: bool, as_json: bool) -> None:
    """Check the broker's topics against what is declared; --create makes the missing ones.

    \b
    Examples:
      flaneur topics
      BOOTSTRAP=kafka-1:9092 flaneur topics --create
    """
    settings = Settings.from_env()
    if create:
        ensure_topics(settings, say=lambda text: click.echo(text, err=True))
    else:
        check_topics(settings)
    for spec in declared_topics(settings):
        if as_json:
            sys.stdout.write(
                orjson.dumps(
                    {"topic": spec.name, "partitions": spec.partitions, "cleanup": spec.cleanup}
                ).decode()
                + "\n"
            )
        else:
            click.echo(f"{spec.name:32} {spec.partitions:4} partitions  {spec.cleanup}")
