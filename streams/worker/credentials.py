"""How Faust's own clients sign in to Kafka: the settings as Faust's credentials."""

from __future__ import annotations

from faust.auth import SASLCredentials, SSLCredentials

from streams.kafka.connection import tls_context
from streams.settings import Settings


def faust_credentials(settings: Settings) -> SASLCredentials | SSLCredentials | None:
    """None for a broker that anybody may talk to; raises BadInput without the CA file."""
    context = tls_context(settings)
    if settings.kafka_signs_in:
        return SASLCredentials(
            username=settings.kafka_user,
            password=settings.kafka_password,
            ssl_context=context,
            mechanism=settings.kafka_sasl_mechanism,
        )
    return None if context is None else SSLCredentials(context)
