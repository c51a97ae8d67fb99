"""Who may do what in the broker: a user for each service, with the rights that it needs and no others.

Needed where the broker asks who comes (SASL) and checks it (an authorizer): docs/deploying.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from geo.errors import BadInput
from streams.kafka.connection import unavailable
from streams.kafka.topics import (
    CELL_OBSERVATIONS,
    CONDITIONS_TABLE,
    CROWD_TABLE,
    DEAD_LETTERS,
    DEVICE_TOPICS,
    DEVICES,
    EDGE_CONDITIONS,
    GPS_FIXES,
    REPORT_TOPICS,
    ROUTE_REQUESTS,
    ROUTE_UPDATES,
    WALKERS_TABLE,
    admin_client,
    changelog_topic,
    declared_topics,
)
from streams.settings import Settings

ITERATIONS = 4096  # of SCRAM: Kafka's own default
ANSWER_WITHIN_S = 30.0


class Right(NamedTuple):
    """One thing that a service may do: `on` a topic, or a group."""

    on: str
    name: str
    may: str  # as Kafka calls its operations, in small letters


def declared_rights(settings: Settings) -> dict[str, tuple[Right, ...]]:
    """What each service may do, by its user's name."""
    changelogs = [
        changelog_topic(settings, table) for table in (WALKERS_TABLE, CONDITIONS_TABLE, CROWD_TABLE)
    ]
    everything = [spec.name for spec in declared_topics(settings)]
    worker_reads = [*DEVICE_TOPICS, *REPORT_TOPICS, CELL_OBSERVATIONS, EDGE_CONDITIONS, *changelogs]
    worker_writes = [CELL_OBSERVATIONS, EDGE_CONDITIONS, ROUTE_UPDATES, DEAD_LETTERS, *changelogs]
    return {
        "worker": (
            *_topics(worker_reads, "read"),
            *_topics(worker_writes, "write"),
            *_topics(everything, "describe", "describe_configs"),  # it checks them before it starts
            Right("group", settings.group, "read"),
        ),
        "gateway": (
            *_topics([DEVICES, ROUTE_UPDATES, GPS_FIXES], "read"),
            *_topics([DEVICES, *DEVICE_TOPICS], "write"),
        ),
        "feeds": tuple(_topics([*REPORT_TOPICS, DEAD_LETTERS], "write")),
        "demo": tuple(_topics([GPS_FIXES, ROUTE_REQUESTS], "write")),
    }


def _topics(names: Iterable[str], *operations: str) -> list[Right]:
    return [Right("topic", name, operation) for name in names for operation in operations]


def ensure_access(settings: Settings, passwords: Path) -> int:
    """Give every service its user and its rights, and take rights away that are not declared.

    `passwords` is a folder with a file `kafka_NAME_password` for each. Returns how many rights were added or
    taken away. Raises BadInput without a password, Unavailable when the broker does not let us.
    """
    rights = declared_rights(settings)
    words = {user: _password(passwords / f"kafka_{user}_password") for user in rights}
    admin = admin_client(settings)
    try:
        how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
        changed = admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(user, how, word.encode()) for user, word in words.items()]
        )
        for user in changed.values():
            user.result(ANSWER_WITHIN_S)
        wanted = {_acl(user, right) for user, those in rights.items() for right in those}
        found = {acl for user in rights for acl in _found(admin, user)}
        _wait(admin.create_acls(list(wanted - found)).values() if wanted - found else ())
        _wait(admin.delete_acls([_exactly(acl) for acl in found - wanted]).values() if found - wanted else ())
    except (KafkaException, TimeoutError) as error:
        raise unavailable(
            settings, error, f"the rights at {settings.bootstrap} cannot be set: {error}"
        ) from error
    return len(wanted ^ found)


def _password(file: Path) -> str:
    try:
        word = file.read_text().rstrip("\r\n")
    except OSError as error:
        cannot = f"{file} cannot be read: {error.strerror}; compose/make-secrets.sh makes it"
        raise BadInput(cannot) from error
    if not word:
        raise BadInput(f"{file} is empty; compose/make-secrets.sh makes it")
    return word


def _acl(user: str, right: Right) -> AclBinding:
    return AclBinding(
        ResourceType[right.on.upper()],
        right.name,
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation[right.may.upper()],
        AclPermissionType.ALLOW,
    )


def _found(admin: AdminClient, user: str) -> Sequence[AclBinding]:
    # None stands for all, which the client's annotations do not know
    of_user = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, f"User:{user}", None,  # type: ignore[arg-type]
        AclOperation.ANY, AclPermissionType.ANY,
    )  # fmt: skip
    found: Sequence[AclBinding] = admin.describe_acls(of_user).result(ANSWER_WITHIN_S)
    return found


def _exactly(acl: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        acl.restype, acl.name, acl.resource_pattern_type, acl.principal, acl.host, acl.operation,
        acl.permission_type,
    )  # fmt: skip


def _wait(futures: Iterable[object]) -> None:
    for future in futures:
        future.result(ANSWER_WITHIN_S)  # type: ignore[attr-defined]  # the client does not say of what
