"""How every client of Kafka connects: the settings as options of its clients; and what went wrong.

Faust's own clients get theirs by `streams.worker.credentials`.
"""

from __future__ import annotations

import re
import ssl
import time
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from geo.errors import BadInput, Unavailable
from streams.settings import Settings

EXPLAINED_WITHIN_S = 3.0
#: A user that may not do what was asked.
_NOT_ALLOWED = frozenset(
    {
        *(KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED),
        *(KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
    }
)


def client_options(settings: Settings) -> dict[str, Any]:
    """Of a producer, consumer or admin client of confluent-kafka; raises BadInput without the CA file."""
    # log_level 0: what goes wrong comes as an error, and a broker that is away would fill the log
    options: dict[str, Any] = {"bootstrap.servers": settings.bootstrap, "log_level": 0}
    if settings.kafka_security_protocol == "PLAINTEXT":
        return options
    options["security.protocol"] = settings.kafka_security_protocol
    if ca := _ca_file(settings):
        options["ssl.ca.location"] = ca
    if settings.kafka_signs_in:
        options |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_user,
            "sasl.password": settings.kafka_password,
        }
    return options


def aiokafka_options(settings: Settings) -> dict[str, Any]:
    """Of a client of aiokafka; raises BadInput without the CA file."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap,
        "security_protocol": settings.kafka_security_protocol,
        "ssl_context": tls_context(settings),
    }
    if settings.kafka_signs_in:
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_user,
            "sasl_plain_password": settings.kafka_password,
        }
    return options


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """What a client checks a broker's certificate with; None where there is no TLS; raises BadInput."""
    if not settings.kafka_encrypts:
        return None
    ca = _ca_file(settings)
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise BadInput(f"KAFKA_CA_FILE is {ca}, which holds no certificate in PEM: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _ca_file(settings: Settings) -> str | None:
    if not settings.kafka_encrypts or not settings.kafka_ca_file:
        return None
    if not Path(settings.kafka_ca_file).is_file():
        raise BadInput(f"KAFKA_CA_FILE is {settings.kafka_ca_file}: there is no such file")
    return settings.kafka_ca_file


def unavailable(settings: Settings, error: BaseException, otherwise: str) -> Unavailable:
    """What to raise for a client's error: one sentence that names the setting at fault, or else `otherwise`.

    A client only says that it got no answer; why, it tells on the side. So one more is made, and heard out.
    """
    cause = error.args[0] if error.args else None
    if isinstance(cause, KafkaError) and cause.code() in _NOT_ALLOWED:
        user = settings.kafka_user or "without a name"
        return Unavailable(
            f"the broker at {settings.bootstrap} does not let the user {user} do that ({cause.str()}):"
            " docs/deploying.md says how each service gets its rights"
        )
    return Unavailable(_refusal(settings) or otherwise)


def _refusal(settings: Settings) -> str | None:
    """Why brokers do not take us for who we are, or we them; None where that is not what is wrong."""
    heard: dict[int, str] = {}  # what was said first under each code

    def hear(error: KafkaError) -> None:
        heard.setdefault(error.code(), error.str())

    options: dict[str, Any] = {**client_options(settings), "error_cb": hear}
    admin = AdminClient(options)
    give_up = time.monotonic() + EXPLAINED_WITHIN_S
    while time.monotonic() < give_up:
        admin.poll(0.1)
        if KafkaError._AUTHENTICATION in heard:
            return (
                f"the broker at {settings.bootstrap} refuses the user {settings.kafka_user}: check"
                f" KAFKA_USER, KAFKA_PASSWORD and KAFKA_SASL_MECHANISM ({settings.kafka_sasl_mechanism})"
            )
        if said := heard.get(KafkaError._SSL):
            return (
                f"no TLS connection to the broker at {settings.bootstrap}: {_heart(said)};"
                " check KAFKA_CA_FILE, and that the broker's certificate names that host"
            )
        if heard.keys() & {KafkaError._TRANSPORT, KafkaError._RESOLVE} or _answers(admin):
            return None
    if KafkaError._ALL_BROKERS_DOWN in heard:  # it took the connection each time, and ended it
        return (
            f"the broker at {settings.bootstrap} hangs up at once: is KAFKA_SECURITY_PROTOCOL"
            f" ({settings.kafka_security_protocol}) what it speaks there?"
        )
    return None


def _answers(admin: AdminClient) -> bool:
    try:
        return bool(admin.list_topics(timeout=0.3).brokers)
    except KafkaException:
        return False


def _heart(said: str) -> str:
    """What OpenSSL found, out of all that librdkafka says around it."""
    return re.sub(r".*?(certificate verify failed[^,(]*).*", r"\1", said)
