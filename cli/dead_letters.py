"""`flaneur dead-letters`: what could not be used, and trying it again."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click
import orjson

from geo.errors import BadInput
from streams.kafka.dead_letters import Letter, read_letters, replay_letters
from streams.settings import Settings

SHOWN = 60


@click.group("dead-letters")
def command() -> None:
    """List, show and replay messages that could not be used.

    \b
    Examples:
      flaneur dead-letters list --reason not_json
      flaneur dead-letters show 17
      flaneur dead-letters replay 17 18
      flaneur dead-letters replay --reason internal_error
    """


def _as_object(letter: Letter) -> dict[str, object]:
    return {
        "number": letter.number,
        "at": letter.at,
        "topic": letter.letter.topic,
        "partition": letter.letter.partition,
        "offset": letter.letter.offset,
        "reason": letter.letter.reason,
        "key": None if letter.key is None else letter.key.decode(errors="replace"),
        "value": letter.value[:1_000_000].decode(errors="backslashreplace"),
    }


def _write(item: object) -> None:
    sys.stdout.write(orjson.dumps(item).decode() + "\n")


def _select(letters: list[Letter], topic: str | None, reason: str | None) -> list[Letter]:
    return [
        one
        for one in letters
        if (topic is None or one.letter.topic == topic)
        and (reason is None or one.letter.reason.split(":")[0] == reason)
    ]


@command.command("list")
@click.option("--topic", help="Only those that came from this topic.")
@click.option("--reason", help="Only those with this reason.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a letter.")
def list_letters(topic: str | None, reason: str | None, as_json: bool) -> None:
    """List them, oldest first, one line each."""
    letters = _select(list(read_letters(Settings.from_env())), topic, reason)
    for letter in letters:
        if as_json:
            _write(_as_object(letter))
            continue
        at = datetime.fromtimestamp(letter.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        value = letter.value[:SHOWN].decode(errors="backslashreplace").replace("\n", " ")
        click.echo(
            f"{letter.number:6} {at} {letter.letter.topic}/{letter.letter.partition}@{letter.letter.offset}"
            f" {letter.letter.reason[:SHOWN]} | {value}"
        )
    if not letters and not as_json:
        click.echo("no dead letters", err=True)


@command.command("show")
@click.argument("number", type=int)
def show(number: int) -> None:
    """Show one letter whole, as JSON."""
    for letter in read_letters(Settings.from_env()):
        if letter.number == number:
            _write(_as_object(letter))
            return
    raise BadInput(f"there is no dead letter {number}; `flaneur dead-letters list` shows those there are")


@command.command("replay")
@click.argument("numbers", type=int, nargs=-1)
@click.option("--topic", help="All that came from this topic.")
@click.option("--reason", help="All with this reason.")
def replay(numbers: tuple[int, ...], topic: str | None, reason: str | None) -> None:
    """Send letters back to the topics they came from."""
    if not numbers and topic is None and reason is None:
        raise BadInput("say which: numbers, --topic or --reason")
    settings = Settings.from_env()
    letters = _select(list(read_letters(settings)), topic, reason)
    if numbers:
        letters = [letter for letter in letters if letter.number in numbers]
        absent = set(numbers) - {letter.number for letter in letters}
        if absent:
            raise BadInput(f"there is no dead letter {min(absent)}")
    delivered = replay_letters(settings, letters)
    click.echo(f"{delivered} of {len(letters)} sent back")
    if delivered < len(letters):
        raise BadInput(f"{len(letters) - delivered} were not acknowledged by the broker")
