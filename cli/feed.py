"""`flaneur feed`: publish traffic and weather from the files of a feed."""

from __future__ import annotations

import gzip
import logging
import signal
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from geo.errors import BadInput
from geo.graph import Graph, open_graph
from models.records import encode
from streams.feeds import FORMATS, Context, Format, Parsed, Report
from streams.feeds.common import MAX_DOCUMENT_BYTES, Unusable, point, time_of
from streams.feeds.move import first_ts, move_to, move_to_graph, shift_to
from streams.feeds.places import read_places
from streams.feeds.publish import Changes, Publisher, Sent, send_paced
from streams.feeds.serving import FeedHealth
from streams.settings import Settings
from streams.telemetry import logs

log = logging.getLogger(__name__)

POLL_S = 1.0
GONE_POLLS = 5
_PLACELESS = "datex2"  # its files lack coordinates that Fintraffic's JSON beside them has


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the options say about reading a document."""

    format: Format
    source: str
    context: Context
    shift: float | None
    target: tuple[float, float] | None
    target_graph: Graph | None


@dataclass(frozen=True, slots=True)
class Document:
    """One file as read."""

    path: Path
    parsed: Parsed

    def summary(self) -> dict[str, object]:
        reports = self.parsed.reports
        return {
            "file": str(self.path),
            "reports": len(reports),
            "kinds": dict(Counter(getattr(report, "kind", "weather") for report in reports)),
            "ignored": self.parsed.ignored,
            "problems": [
                {"position": p.position, "reason": p.reason, "detail": p.detail} for p in self.parsed.problems
            ],
            "first_valid": min((first_ts(report) for report in reports), default=None),
        }


class LatLon(click.ParamType):
    """`60.17,24.94` on the command line."""

    name = "LAT,LON"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        try:
            lat, lon = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not LAT,LON such as 60.17,24.94", param, ctx)
        if not (abs(lat) <= 90.0 and abs(lon) <= 180.0):
            self.fail(f"{value!r} is no place on the Earth; latitude comes first", param, ctx)
        return lat, lon


_EPILOG = """
\b
Formats:
{formats}

\b
Examples:
  flaneur feed met-norway forecast.json
  flaneur feed datex2 data/feeds/fintraffic --dry-run
  flaneur feed fintraffic data/feeds/fintraffic --shift-to now --move-to-graph .run/graph
  flaneur feed wzdx feed.geojson --follow --bootstrap broker:9092 --metrics-port 9465
  flaneur feed probes data/traces/porto/porto_taxi.csv.gz --graph .run/graph --shift-to now --speed 10
  flaneur feed gtfs-rt alerts.pb --places gtfs/stops.txt --dry-run --json

Problems (what cannot be used) go to the topic dead-letters with position and reason; docs/feeds.md tells what
each format becomes.
""".format(formats="\n".join(f"  {one.name:<11} {one.about}" for one in FORMATS.values()))


@click.command(epilog=_EPILOG)
@click.argument("format_name", metavar="FORMAT", type=click.Choice(list(FORMATS)))
@click.argument("path", metavar="FILE_OR_DIR", type=click.Path(path_type=Path))
@click.option("--bootstrap", metavar="HOST:PORT", help="Kafka; else $BOOTSTRAP, else 127.0.0.1:9092.")
@click.option("--follow", is_flag=True, help="Go on: publish what changes in the file or directory.")
@click.option(
    "--shift-to", metavar="now|TIME", help="Shift all times so that the first validity starts then."
)
@click.option("--move-to", type=LatLon(), help="Move the middle of the document there, keeping its shape.")
@click.option(
    "--move-to-graph",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Spread the events over the streets of this graph; sources then end in ~moved.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0.0),
    default=0.0,
    help="Send this many times as fast as it happened; 0: at once.",
)
@click.option("--source", help="Name of the feed in the reports; the format's name if not given.")
@click.option(
    "--places",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="GTFS stops.txt or Fintraffic JSON with places.",
)
@click.option("--at", type=LatLon(), help="Place of a document that names none (Open-Meteo).")
@click.option(
    "--graph", "graph_dir", metavar="DIR", type=click.Path(path_type=Path), help="Graph that probes drove on."
)
@click.option(
    "--metrics-port", type=click.IntRange(1, 65535), help="Serve metrics and health there while it follows."
)
@click.option("--dry-run", is_flag=True, help="Read and show, publish nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    format_name: str,
    path: Path,
    bootstrap: str | None,
    follow: bool,
    shift_to: str | None,
    move_to: tuple[float, float] | None,
    move_to_graph: Path | None,
    speed: float,
    source: str | None,
    places: Path | None,
    at: tuple[float, float] | None,
    graph_dir: Path | None,
    metrics_port: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Publish the reports of a feed's file, or of all its files in a directory."""
    if move_to is not None and move_to_graph is not None:
        raise BadInput("--move-to and --move-to-graph exclude each other; give one of them")
    if follow and dry_run:
        raise BadInput("--follow and --dry-run exclude each other; give one of them")
    if metrics_port is not None and not follow:
        raise BadInput("--metrics-port is of use with --follow only: without it the feed ends at once")
    form = FORMATS[format_name]
    settings = Settings.from_env().at(bootstrap)
    if follow:  # it stays, so it keeps a log as the other services do
        logs.set_up(settings, "feed")
    health = FeedHealth(source or form.name)
    if metrics_port is not None:
        health.serve(settings, metrics_port)
    if form.needs_graph and graph_dir is None:
        graph_dir = move_to_graph or Path(settings.graph_dir)
    graph = None if graph_dir is None else open_graph(graph_dir)
    found = read_places(places) if places is not None else {}
    if places is None and format_name == _PLACELESS and path.is_dir():
        found = read_places(path)
    if at is not None:
        found = {**found, "": point(*at)}
    stamps = _stamps(path, form)  # before reading, so that no change is missed
    plan = Plan(
        form,
        source or form.name,
        Context(places=found, graph=graph),
        None if shift_to is None else _moment(shift_to),
        move_to,
        open_graph(move_to_graph) if move_to_graph is not None else graph if move_to is not None else None,
    )
    documents = [_read(file, plan) for file in _files(path, form, may_be_empty=follow)]
    if dry_run:
        _show(documents, plan, None, as_json)
        return
    sent = Sent()
    with Publisher(settings) as publisher:
        changes = Changes()
        _publish(documents, plan, publisher, changes, speed, sent, health)
        _show(documents, plan, sent, as_json)
        if follow:
            _follow(path, stamps, plan, publisher, changes, speed, sent, health)


def _moment(text: str) -> float:
    if text == "now":
        return time.time()
    try:
        return float(text) if text.replace(".", "", 1).isdecimal() else time_of(text, "--shift-to")
    except Unusable:
        raise BadInput(
            f"--shift-to is {text!r}; give now, seconds, or a time like 2025-06-01T12:00Z"
        ) from None


def _files(path: Path, form: Format, *, may_be_empty: bool = False) -> list[Path]:
    if path.is_dir():
        files = sorted(
            file for file in path.iterdir() if file.name.endswith(form.suffixes) and file.is_file()
        )
        if not files and not may_be_empty:
            raise BadInput(f"{path} has no file that ends in {' or '.join(form.suffixes)}")
        return files
    if not path.is_file():
        raise BadInput(f"there is no file or directory {path}")
    return [path]


def _read(path: Path, plan: Plan) -> Document:
    content = _content(path)
    parse = plan.format.parse
    if plan.shift is None:
        parsed = parse(content, plan.source, time.time(), plan.context)
    else:
        # Where a document leaves times to the reader's clock, that clock stands at its first validity.
        parsed = parse(content, plan.source, 1.0, plan.context)
        start = min((first_ts(report) for report in parsed.reports), default=1.0)
        parsed = parse(content, plan.source, start, plan.context)
    reports: list[Report] = parsed.reports
    if plan.shift is not None:
        reports = shift_to(reports, plan.shift)
    if plan.target is not None:
        reports = move_to(reports, *plan.target, plan.target_graph)
    elif plan.target_graph is not None:
        reports = move_to_graph(reports, plan.target_graph)
    return Document(path, replace(parsed, reports=reports))


def _content(path: Path) -> bytes:
    """The bytes, unzipped if the name ends in .gz; at most one more than a format reads, so it refuses."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return file.read(MAX_DOCUMENT_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"cannot read {path}: {error}") from error


def _publish(
    documents: list[Document],
    plan: Plan,
    publisher: Publisher,
    changes: Changes,
    speed: float,
    sent: Sent,
    health: FeedHealth,
) -> None:
    reports: list[Report] = []
    before = replace(sent)
    for document in documents:
        whole = not document.parsed.problems
        fresh, ended = changes.of(str(document.path), document.parsed.reports, time.time(), whole)
        reports += [*fresh, *ended]
        sent.withdrawn += len(ended)
        for problem in document.parsed.problems:
            publisher.send_problem(problem, plan.format.topic, plan.source)
            sent.problems += 1
    with _progress(len(reports)) as advance:
        sent.reports += send_paced(publisher, reports, speed, health.sleep, advance)
    publisher.flush()
    health.count(sent.reports - before.reports, sent.problems - before.problems)


def _stamps(path: Path, form: Format) -> dict[Path, tuple[int, int]]:
    """When each file was last written and its size; a file that vanishes meanwhile is left out."""
    stamps = {}
    for file in _files(path, form, may_be_empty=True) if path.exists() else []:
        try:
            stat = file.stat()
        except FileNotFoundError:
            continue
        stamps[file] = (stat.st_mtime_ns, stat.st_size)
    return stamps


def _follow(
    path: Path,
    stamps: dict[Path, tuple[int, int]],
    plan: Plan,
    publisher: Publisher,
    changes: Changes,
    speed: float,
    sent: Sent,
    health: FeedHealth,
) -> None:
    """Publish changes until SIGINT or SIGTERM.

    A file that is away for a moment is being replaced: what it said is withdrawn only after a while.
    """
    missing: Counter[Path] = Counter()
    # not by KeyboardInterrupt: raised inside a callback of Kafka's client it would be swallowed
    stop = threading.Event()
    before_signals = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        while not stop.wait(POLL_S):
            try:
                current = _stamps(path, plan.format)
            except BadInput:  # a directory that is empty for now
                current = {}
            before = replace(sent)
            changed = [file for file, stamp in current.items() if stamps.get(file) != stamp]
            _publish([_read(file, plan) for file in changed], plan, publisher, changes, speed, sent, health)
            for file in stamps.keys() - current.keys():
                missing[file] += 1
                if missing[file] >= GONE_POLLS:
                    _withdraw(file, publisher, changes, sent)
                    del missing[file], stamps[file]
            for file in current:
                missing.pop(file, None)
            stamps |= current
            health.looked(publisher)
            if sent != before:
                log.info(
                    "%d reports, %d of them withdrawn, %d problems",
                    sent.reports - before.reports,
                    sent.withdrawn - before.withdrawn,
                    sent.problems - before.problems,
                )
    finally:
        for number, handler in before_signals.items():
            signal.signal(number, handler)
    log.info("stopped following")


def _withdraw(file: Path, publisher: Publisher, changes: Changes, sent: Sent) -> None:
    _, ended = changes.of(str(file), [], time.time())
    for report in ended:
        publisher.send(report)
    publisher.flush()
    sent.reports += len(ended)
    sent.withdrawn += len(ended)


def _show(documents: list[Document], plan: Plan, sent: Sent | None, as_json: bool) -> None:
    moved = plan.target is not None or plan.target_graph is not None
    if as_json:
        shown: dict[str, object] = {
            "format": plan.format.name,
            "topic": plan.format.topic,
            "source": plan.source,
            "moved": moved,
            "documents": [document.summary() for document in documents],
        }
        if sent is not None:
            shown["published"] = {
                "reports": sent.reports,
                "withdrawn": sent.withdrawn,
                "dead_letters": sent.problems,
            }
        else:
            shown["reports"] = [
                orjson.Fragment(encode(report))
                for document in documents
                for report in document.parsed.reports
            ]
        sys.stdout.buffer.write(orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()
        return
    for document in documents:
        kinds = Counter(getattr(report, "kind", "weather") for report in document.parsed.reports)
        told = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())) or "nothing"
        click.echo(f"{document.path.name}: {told}; {document.parsed.ignored} ignored")
        reasons = Counter(problem.reason for problem in document.parsed.problems)
        for reason, n in reasons.most_common():
            one = next(p for p in document.parsed.problems if p.reason == reason)
            click.echo(f"  {n} × {reason}, first at {one.position}: {one.detail}")
    if moved:
        click.echo("moved to another place: the sources end in ~moved")
    if sent is None:
        click.echo("nothing was published (--dry-run)")
    else:
        click.echo(f"published {sent.reports} reports to {plan.format.topic}, {sent.problems} dead letters")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Tells a bar on stderr how many reports are sent, if stderr is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal or total < 100:
        yield lambda _: None
        return
    columns = (TextColumn("publishing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda n: bar.update(task, completed=n)
