"""`flaneur topics`: the topics as declared, checked against the broker, and who may use them."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import orjson

from streams.kafka.access import ensure_access
from streams.kafka.topics import check_topics, declared_topics, ensure_topics
from streams.settings import Settings


@click.command("topics")
@click.option("--create", is_flag=True, help="Create those that are missing.")
@click.option(
    "--access", metavar="DIR", type=click.Path(path_type=Path),
    help="Give each service its rights, and its user with the password in DIR/kafka_NAME_password.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object a topic.")
def command(create: bool, access: Path | None, as_json: bool) -> None:
    """Check the broker's topics against what is declared; --create makes the missing ones.

    \b
    Examples:
      flaneur topics
      BOOTSTRAP=kafka-1:9092 flaneur topics --create
      KAFKA_USER=admin KAFKA_PASSWORD_FILE=... flaneur topics --create --access compose/secrets
    """
    settings = Settings.from_env()
    if create:
        ensure_topics(settings, say=lambda text: click.echo(text, err=True))
    else:
        check_topics(settings)
    if access is not None:
        changed = ensure_access(settings, access)
        click.echo(f"rights: {changed} changed" if changed else "rights: as declared", err=True)
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
