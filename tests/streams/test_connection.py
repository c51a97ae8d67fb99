"""Settings that are secret, and how clients of Kafka are told to sign in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from faust.auth import SASLCredentials, SSLCredentials

from geo.errors import BadInput
from streams.kafka.connection import aiokafka_options, client_options
from streams.settings import SECRETS, Settings
from streams.worker.credentials import faust_credentials


def test_secrets_come_from_files_and_are_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    for name in sorted(SECRETS):
        secret.write_text("hidden\n")
        settings = Settings.from_env({f"{name.upper()}_FILE": str(secret)})
        assert getattr(settings, name) == "hidden"
        assert "hidden" not in repr(settings)
        with pytest.raises(BadInput, match=f"both {name.upper()} and {name.upper()}_FILE"):
            Settings.from_env({name.upper(): "x", f"{name.upper()}_FILE": str(secret)})
        assert Settings.from_env({f"{name.upper()}_FILE": str(secret)} | settings.environment()) == settings
        secret.write_text("\n")
        with pytest.raises(BadInput, match=r"_FILE is .*secret, which is empty"):
            Settings.from_env({f"{name.upper()}_FILE": str(secret)})
    with pytest.raises(BadInput, match="REDIS_URL_FILE is /nowhere, which cannot be read"):
        Settings.from_env({"REDIS_URL_FILE": "/nowhere"})


def test_kafka_is_signed_in_to_whole_or_not_at_all() -> None:
    assert Settings().kafka_security_protocol == "PLAINTEXT"
    assert client_options(Settings()).keys() == {"bootstrap.servers", "log_level"}
    assert faust_credentials(Settings()) is None
    with pytest.raises(BadInput, match="set KAFKA_USER, and KAFKA_PASSWORD or KAFKA_PASSWORD_FILE"):
        Settings(kafka_security_protocol="SASL_SSL", kafka_user="worker")
    with pytest.raises(BadInput, match="KAFKA_SECURITY_PROTOCOL is 'TLS', it must be one of PLAINTEXT, SSL"):
        Settings(kafka_security_protocol="TLS")
    signed = Settings(kafka_security_protocol="SASL_PLAINTEXT", kafka_user="u", kafka_password="p")
    assert client_options(signed)["sasl.mechanism"] == "SCRAM-SHA-512"
    assert aiokafka_options(signed)["ssl_context"] is None
    credentials = faust_credentials(signed)
    assert isinstance(credentials, SASLCredentials)
    assert (credentials.protocol.value, credentials.mechanism.value) == ("SASL_PLAINTEXT", "SCRAM-SHA-512")
    encrypted = Settings(kafka_security_protocol="SSL")
    assert isinstance(faust_credentials(encrypted), SSLCredentials)
    with pytest.raises(BadInput, match="KAFKA_CA_FILE is /nowhere: there is no such file"):
        client_options(replace(encrypted, kafka_ca_file="/nowhere"))
    with pytest.raises(BadInput, match="holds no certificate in PEM"):
        aiokafka_options(replace(encrypted, kafka_ca_file=__file__))
