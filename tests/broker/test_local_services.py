"""The broker and Redis that run without Docker: real starts and answers, nothing of others touched."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka import Consumer, Producer

from geo.errors import Unavailable
from streams.local.processes import (
    LocalProcess,
    RunFolder,
    RunState,
    any_port,
    choose_port,
    is_free,
    is_running,
    spawn,
    stop,
)
from streams.local.services import (
    broker_answers,
    redis_answers,
    run_folder,
    start_broker,
    start_redis,
    wait_for_redis,
)
from streams.settings import Settings

SLEEPER = "import time; time.sleep(600)"


def sleeper(folder: Path, marker: str = SLEEPER) -> LocalProcess:
    command = [sys.executable, "-c", SLEEPER]
    return spawn("sleeper", command, folder=folder, log=folder / "log", marker=marker)


def test_what_is_sent_to_the_broker_comes_back(services: Any, new_topic: Any) -> None:
    topic = new_topic(2)
    producer = Producer({"bootstrap.servers": services.bootstrap})
    for number in range(50):
        producer.produce(topic, value=str(number), key=str(number))
    assert producer.flush(20) == 0
    consumer = Consumer(
        {"bootstrap.servers": services.bootstrap, "group.id": topic, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    got: set[bytes] = set()
    for _ in range(50):
        got |= {message.value() for message in consumer.consume(50, timeout=1.0) if not message.error()}
        if len(got) == 50:
            break
    consumer.close()
    assert got == {str(number).encode() for number in range(50)}


def test_both_listen_on_loopback_only(services: Any) -> None:
    for process in (services.broker, services.redis):
        listening = [
            one.laddr.ip
            for one in psutil.Process(process.pid).net_connections("inet")
            if one.status == psutil.CONN_LISTEN
        ]
        assert listening
        assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_both_answer_and_others_do_not(services: Any) -> None:
    assert broker_answers(Settings(bootstrap=services.bootstrap))
    assert redis_answers(services.redis_url)
    nobody = any_port()
    assert not broker_answers(Settings(bootstrap=f"127.0.0.1:{nobody}"), 0.5)
    assert not redis_answers(f"redis://127.0.0.1:{nobody}/0")


def test_the_suites_processes_are_recognised_by_command_and_folder(services: Any) -> None:
    for process in (services.broker, services.redis):
        assert is_running(process)
        elsewhere = LocalProcess(process.name, process.pid, process.marker, "/")
        assert not is_running(elsewhere)
        assert not stop(elsewhere)
        assert is_running(process)


def test_a_second_redis_takes_the_next_free_port(services: Any, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    second = start_redis(folder, usual_port=services.redis.port)
    try:
        assert second.port is not None
        assert second.port > services.redis.port
        assert wait_for_redis(second, folder).endswith(f":{second.port}/0")
    finally:
        assert stop(second)
    assert not is_running(second)


def test_a_demanded_port_that_is_taken_is_an_error(services: Any, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=f"port {services.broker.port} for the broker is taken"):
        start_broker(RunFolder(tmp_path), port=services.broker.port, libraries=run_folder().broker_libraries)
    with pytest.raises(Unavailable, match=f"port {services.redis.port} for Redis is taken"):
        start_redis(RunFolder(tmp_path), port=services.redis.port)


def test_without_the_libraries_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="make setup"):
        start_broker(RunFolder(tmp_path))


def test_a_redis_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "appendonlydir").write_text("a file where a folder belongs")
    folder = RunFolder(tmp_path)
    process = start_redis(folder, port=any_port())
    with pytest.raises(Unavailable, match=r"redis ended while starting; the end of .*redis\.log"):
        wait_for_redis(process, folder, within_s=20)


def test_stop_ends_ours_and_reaps_it(tmp_path: Path) -> None:
    process = sleeper(tmp_path)
    assert is_running(process)
    assert stop(process)
    assert not is_running(process)
    assert not psutil.pid_exists(process.pid)
    assert not stop(process)


def test_stop_leaves_a_process_alone_that_only_has_the_number(tmp_path: Path) -> None:
    process = sleeper(tmp_path)
    try:
        stranger = LocalProcess("kafka", process.pid, "kafka.Kafka", process.folder)
        assert not stop(stranger)
        assert is_running(process)
    finally:
        stop(process)


def test_a_process_that_ignores_the_request_is_ended(tmp_path: Path) -> None:
    deaf = "import signal as s, time; s.signal(15, s.SIG_IGN); print(1, flush=True); time.sleep(600)"
    log = tmp_path / "log"
    process = spawn("deaf", [sys.executable, "-c", deaf], folder=tmp_path, log=log, marker=deaf)
    while not log.read_text():  # until it is deaf
        assert is_running(process)
    assert stop(process, grace_s=0.3)
    assert not is_running(process)


def test_state_survives_the_file_and_a_broken_file_is_nothing(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert folder.load() == RunState()
    process = LocalProcess("kafka", 1, "kafka.Kafka x", "/nowhere", 9092)
    state = RunState("127.0.0.1:9092", None).with_process(process)
    folder.save(state)
    assert folder.load() == state
    assert folder.load().running() == ()
    again = LocalProcess("kafka", 2, "kafka.Kafka x", "/nowhere", 9093)
    assert state.with_process(again).processes == (again,)
    folder.state_file.write_text('{"processes": 3')
    assert folder.load() == RunState()


def test_only_one_holds_the_lock(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with folder.locked() as first, folder.locked() as second:
        assert (first, second) == (True, False)
    with folder.locked() as third:
        assert third


def test_ports() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        assert choose_port("x", port) > port
        with pytest.raises(Unavailable, match=f"port {port} for x is taken"):
            choose_port("x", 1, demanded=port)
    assert is_free(port)
    assert choose_port("x", 1, demanded=port) == port
