"""All settings in one frozen object, read from the environment in one place and passed in."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from geo.errors import BadInput

#: What is never shown, and better not in an environment: NAME_FILE may name a file that holds it.
SECRETS = frozenset({"redis_url", "kafka_password", "gateway_token_keys", "gateway_operator_key"})
KAFKA_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
LOG_FORMATS = ("auto", "json", "text")
KAFKA_MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")


@dataclass(frozen=True, kw_only=True, repr=False)
class Settings:
    """What can be set; the environment variable is the field's name in capitals.

    The defaults are those of `make run` on one machine. `SECRETS` may come from files, and are never shown.
    """

    bootstrap: str = "127.0.0.1:9092"  # Kafka brokers, host:port[,host:port]
    kafka_security_protocol: str = "PLAINTEXT"  # or SSL, SASL_PLAINTEXT, SASL_SSL
    kafka_sasl_mechanism: str = "SCRAM-SHA-512"  # or SCRAM-SHA-256, PLAIN
    kafka_user: str = ""  # whom SASL signs in
    kafka_password: str = ""
    kafka_ca_file: str = ""  # PEM of who signed the brokers' certificates; empty: whom the system trusts
    redis_url: str = "redis://127.0.0.1:6379/0"  # the online store; rediss:// is TLS
    graph_dir: str = ".run/graph"  # what `flaneur import-osm` made
    data_dir: str = ""  # a folder whose disk a worker's metrics tell of, such as the broker's on this machine
    group: str = "flaneur"  # consumer group and prefix of the changelog topics
    worker_id: str = ""  # stable name of this worker: a restarted one takes its partitions back at once
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 9464
    partitions: int = 4  # of every topic keyed by device
    replication: int = 1
    buckets: int = 64  # of walkers in each partition's checkpoint
    checkpoint_s: float = 1.0  # at most this much is replayed after a crash
    forget_s: float = 86_400.0  # a walker of whom nothing has come for so long is forgotten
    online_store_s: float = 1.0  # how often changed features go to Redis
    observe_s: float = 30.0  # how often passages of walkers go to cell-observations
    max_block_fixes: int = 8_192  # a block is processed in one go: bounds the time the loop is held
    session_timeout_s: float = 8.0
    drain_s: float = 25.0  # a worker that is told to end checkpoints and hands over within that, or just ends
    leave_on_stop: bool = True  # others take its partitions at once; else they wait a session for its return
    watchdog_s: float = 30.0  # lag grows and nothing is checkpointed for so long: exit and be restarted
    accept_loss: bool = False  # go on with a damaged changelog though the input for it is gone
    ingest_only: bool = False  # windows only, no matching and no trips (for measuring)
    log_level: str = "INFO"
    trace_sample_ratio: float = 0.0  # of requests and publications that are traced, 0 to 1; 0: tracing is off
    trace_endpoint: str = "http://127.0.0.1:4318/v1/traces"  # of the collector, OTLP over HTTP
    log_format: str = "auto"  # json, text, or auto: text where standard error is a terminal

    gateway_host: str = "127.0.0.1"
    gateway_port: int = 8080
    gateway_token_keys: str = ""  # name:secret[,name:secret...]; the first signs, all are accepted
    gateway_token_s: float = 900.0  # how long a token is good for
    gateway_operator_key: str = ""  # who may watch all walkers; empty: nobody
    gateway_demo: bool = False  # one machine, one person: everybody may watch, keys are made up
    gateway_origins: str = ""  # of web pages elsewhere that may ask, https://host[,https://host...]
    gateway_tls_cert: str = ""  # PEM files; with them the gateway speaks TLS
    gateway_tls_key: str = ""
    gateway_requests_per_s: float = 10.0  # of one device, over time
    gateway_request_burst: int = 100  # and so many at once
    gateway_fixes_per_s: float = 20.0  # of one device, over time
    gateway_fix_burst: int = 20_000  # a phone that was offline sends a day at once
    gateway_registrations_per_s: float = 0.5  # from one address, over time
    gateway_registration_burst: int = 50
    gateway_max_body_bytes: int = 1_048_576
    gateway_planners: int = 1  # processes that plan by request
    gateway_planner_queue: int = 16  # requests that may wait for each; more are told to come again
    gateway_history_s: float = 21_600.0  # of route-updates that are read: a trip silent for longer is gone
    gateway_ack_s: float = 10.0  # Kafka must acknowledge within that, else the client is told to come again

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from the environment; raises BadInput that names the variable."""
        env = os.environ if environ is None else environ
        values: dict[str, object] = {}
        for one in fields(cls):
            name = one.name.upper()
            text = _secret(name, env) if one.name in SECRETS else env.get(name, "")
            if text == "":
                continue
            values[one.name] = _convert(name, str(one.type), text)
        return cls(**values)  # type: ignore[arg-type]  # each was converted to its field's type

    def __repr__(self) -> str:
        shown = [one.name for one in fields(self) if one.name not in SECRETS]
        return f"Settings({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def at(self, bootstrap: str | None) -> Settings:
        """The same with the brokers that an option names, if it names some."""
        return replace(self, bootstrap=bootstrap) if bootstrap else self

    def environment(self) -> dict[str, str]:
        """From these variables `from_env` of another process makes the same settings."""
        values = {one.name.upper(): str(getattr(self, one.name)) for one in fields(self)}
        return values | {f"{name.upper()}_FILE": "" for name in SECRETS}

    def __post_init__(self) -> None:
        if self.partitions < 1:
            raise BadInput(f"PARTITIONS is {self.partitions}, it must be 1 or more")
        if self.buckets < 1:
            raise BadInput(f"BUCKETS is {self.buckets}, it must be 1 or more")
        if not 0.05 <= self.checkpoint_s <= 60.0:
            raise BadInput(f"CHECKPOINT_S is {self.checkpoint_s}, it must lie between 0.05 and 60 seconds")
        if not 0.0 <= self.trace_sample_ratio <= 1.0:
            raise BadInput(f"TRACE_SAMPLE_RATIO is {self.trace_sample_ratio}, it must lie between 0 and 1")
        _check_choice("LOG_FORMAT", self.log_format, LOG_FORMATS)
        _check_choice("KAFKA_SECURITY_PROTOCOL", self.kafka_security_protocol, KAFKA_PROTOCOLS)
        _check_choice("KAFKA_SASL_MECHANISM", self.kafka_sasl_mechanism, KAFKA_MECHANISMS)
        if self.kafka_signs_in and not (self.kafka_user and self.kafka_password):
            raise BadInput(
                f"KAFKA_SECURITY_PROTOCOL is {self.kafka_security_protocol}: set KAFKA_USER, and"
                " KAFKA_PASSWORD or KAFKA_PASSWORD_FILE"
            )

    @property
    def kafka_signs_in(self) -> bool:
        """Whether brokers want a user and a password."""
        return self.kafka_security_protocol.startswith("SASL_")

    @property
    def kafka_encrypts(self) -> bool:
        """Whether brokers are talked to by TLS."""
        return self.kafka_security_protocol.endswith("SSL")

    @property
    def instance_id(self) -> str:
        """The static membership name of this worker in its consumer group."""
        return self.worker_id or f"{socket.gethostname()}-{os.getpid()}"

    @property
    def graph_path(self) -> Path:
        return Path(self.graph_dir)


def _secret(name: str, env: Mapping[str, str]) -> str:
    """The variable's value, or what the file holds that NAME_FILE names, without the line's end."""
    text, file = env.get(name, ""), env.get(f"{name}_FILE", "")
    if text and file:
        raise BadInput(f"both {name} and {name}_FILE are set: unset one of them")
    if not file:
        return text
    try:
        text = Path(file).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{name}_FILE is {file}, which cannot be read: {error}") from error
    if not text:
        raise BadInput(f"{name}_FILE is {file}, which is empty")
    return text


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise BadInput(f"{name} is {value!r}, it must be one of {', '.join(choices)}")


def _convert(name: str, kind: str, text: str) -> object:
    if kind == "str":
        return text
    if kind == "bool":
        if text.lower() in {"1", "true", "yes", "on"}:
            return True
        if text.lower() in {"0", "false", "no", "off"}:
            return False
        raise BadInput(f"{name} is {text!r}, it must be true or false")
    try:
        return int(text) if kind == "int" else float(text)
    except ValueError as error:
        raise BadInput(f"{name} is {text!r}, it must be a number") from error
