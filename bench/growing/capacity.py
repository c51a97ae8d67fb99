"""What a number of walkers needs, from what one of everything was measured to take.

Pure arithmetic. `Measured` comes from `bench.growing.scale`; `Demand` and `Assumptions` are nobody's
measurement: prices, and what a broker can do, are round numbers to be replaced by one's own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import ceil

from geo.errors import BadInput
from models.routes.taste_metrics import KEPT
from streams.kafka.topics import CELL_OBSERVATIONS, GPS_FIXES, ROUTE_UPDATES, declared_topics
from streams.settings import Settings

HOURS_A_MONTH = 730.0
MIN_BROKERS = 3  # so that one may be away
GB = 1e9


@dataclass(frozen=True)
class Measured:
    """Per unit, in seconds of CPU time and bytes; walkers sent one fix a second."""

    fix_cpu_s: float  # of a worker, for a fix of a walker without a trip, checkpoints included
    trip_fix_cpu_s: float  # the same with a trip
    idle_cpu_share: float  # of a core that a worker without walkers takes
    broker_fix_cpu_s: float  # of the broker, all that a fix leads to, one copy
    fix_bytes: float  # in gps-fixes
    update_bytes: float  # in route-updates, for each fix
    observation_bytes: float  # in cell-observations, for each fix
    changelog_bytes: float  # for each walker without a trip and second, at the load that was measured
    trip_changelog_bytes: float
    worker_bytes: float  # memory of a worker without walkers
    walker_bytes: float  # memory of a walker without a trip
    trip_walker_bytes: float
    city_bytes: float  # memory of an open city, its mapped graph left out
    metric_bytes: float  # of one taste in it
    condition_cpu_s: float  # for every condition that a worker hears of
    condition_city_cpu_s: float  # and for every city that it has open
    condition_bytes: float
    costs_cpu_s: float  # a new version of the costs of one open city
    assign_cpu_s: float  # of the group's leader in a rebalance, for each partition and worker


@dataclass(frozen=True)
class Demand:
    """Who walks at once, and what is told of the world."""

    walkers: int
    fixes_per_s: float = 1.0  # of each walker
    trip_share: float = 0.5
    walkers_per_city: int = 50_000
    conditions_per_s: float = 1.0  # edge-conditions of one city
    changes_per_s: float = 0.02  # new versions of the costs that one city's news lead to

    def __post_init__(self) -> None:
        if self.walkers < 1 or self.walkers_per_city < 1 or self.fixes_per_s <= 0:
            raise BadInput("walkers, walkers per city and fixes per second must be more than nothing")
        if not 0.0 <= self.trip_share <= 1.0:
            raise BadInput(f"the share of walkers with a trip is {self.trip_share}, it lies between 0 and 1")


@dataclass(frozen=True)
class Assumptions:
    """What is not measured here. Prices in dollars."""

    utilisation: float = 0.5  # of every core, so that a rebalance can be caught up
    partitions_per_worker: int = 4
    replication: int = 3
    retention_h: float = 24.0  # of gps-fixes and route-updates
    observations_h: float = 6.0
    worker_cores: float = 1.0  # that one worker can use: its loop is one thread
    broker_cores: float = 8.0
    broker_memory_gb: float = 32.0
    broker_network_mb_s: float = 500.0  # each way: 10 Gbit/s, two fifths used
    broker_write_mb_s: float = 250.0
    broker_disk_tb: float = 4.0
    replicas_per_broker: int = 4_000  # of partitions; Kafka's own advice of 2018
    replicas_per_cluster: int = 200_000
    core_hour: float = 0.04
    memory_gb_hour: float = 0.005
    disk_gb_month: float = 0.08
    traffic_gb: float = 0.01  # between zones; two thirds of all traffic crosses one
    traffic_share: float = 2.0 / 3.0

    def __post_init__(self) -> None:
        if not 0.0 < self.utilisation <= 1.0:
            raise BadInput(f"the utilisation is {self.utilisation}, it lies between 0 and 1")
        if self.partitions_per_worker < 1 or self.replication < 1:
            raise BadInput("there is one partition a worker and one copy at least")


@dataclass(frozen=True)
class Capacity:
    """What it takes, of all clusters together unless it says otherwise. Money in dollars a month."""

    clusters: int
    cities: int
    workers: int
    partitions: int  # of gps-fixes
    replicas: int  # of partitions of all topics
    worker_cores: float
    worker_memory_gb: float
    news_share: float  # of each worker's core for news of the world
    brokers: int
    network_in_gbit_s: float  # into all brokers, copies included
    network_out_gbit_s: float
    disk_tb: float
    changelog_share: float  # of what is produced
    recovery_mb: float  # of changelog, to open one partition; more where checkpoints are rarer than a second
    assign_s: float  # CPU time of a group's leader in a rebalance
    money_compute: float
    money_disk: float
    money_traffic: float
    limits: tuple[str, ...]  # where it is no longer linear, in words

    @property
    def money(self) -> float:
        return self.money_compute + self.money_disk + self.money_traffic


def capacity(measured: Measured, demand: Demand, assumed: Assumptions, clusters: int = 1) -> Capacity:
    """The needs of `demand` in so many equal clusters with cities of their own; raises BadInput for none."""
    if clusters < 1:
        raise BadInput(f"{clusters} clusters cannot hold anybody")
    part = replace(demand, walkers=ceil(demand.walkers / clusters))
    one = _one_cluster(measured, part, assumed)
    whole = ("clusters", "cities", "workers", "partitions", "replicas", "worker_cores", "worker_memory_gb",
             "brokers", "network_in_gbit_s", "network_out_gbit_s", "disk_tb",
             "money_compute", "money_disk", "money_traffic")  # fmt: skip
    return replace(one, **{name: clusters * getattr(one, name) for name in whole})


def _one_cluster(measured: Measured, demand: Demand, assumed: Assumptions) -> Capacity:
    cities = ceil(demand.walkers / demand.walkers_per_city)
    news_share = cities * (
        # a device may be in any partition, so every worker has all cities open, and tells and renews them all
        demand.conditions_per_s * (measured.condition_cpu_s + cities * measured.condition_city_cpu_s)
        + demand.changes_per_s * cities * measured.costs_cpu_s
    )
    free_share = assumed.utilisation * assumed.worker_cores - measured.idle_cpu_share - news_share
    limits = []
    fixes_s = demand.walkers * demand.fixes_per_s
    busy = fixes_s * _mean(measured.fix_cpu_s, measured.trip_fix_cpu_s, demand.trip_share)
    if free_share <= 0.0:
        limits.append(f"news of {cities:,} cities take {news_share:.1f} cores of every worker")
        free_share = assumed.utilisation * assumed.worker_cores  # what it would take without them
    workers = max(2, ceil(busy / free_share))
    partitions = workers * assumed.partitions_per_worker
    replicas = assumed.replication * sum(
        spec.partitions for spec in declared_topics(Settings(partitions=partitions))
    )
    if replicas > assumed.replicas_per_cluster:
        limits.append(f"{replicas:,} replicas of partitions in one cluster")
    assign_s = measured.assign_cpu_s * partitions * workers
    if assign_s > Settings().session_timeout_s:
        limits.append(f"the leader assigns partitions for {assign_s:,.0f} s, longer than a session")
    walker_bytes = _mean(measured.walker_bytes, measured.trip_walker_bytes, demand.trip_share)
    per_worker_bytes = measured.worker_bytes + cities * measured.city_bytes + KEPT * measured.metric_bytes
    memory_gb = (workers * per_worker_bytes + demand.walkers * walker_bytes) / GB
    flows = _flows(measured, demand, assumed, workers)
    brokers = _brokers(measured, flows, assumed, replicas, fixes_s)
    compute = (workers * assumed.worker_cores + brokers * assumed.broker_cores) * assumed.core_hour
    compute += (memory_gb + brokers * assumed.broker_memory_gb) * assumed.memory_gb_hour
    traffic_gb = (flows.into_s + flows.out_s) / GB * 3600.0 * HOURS_A_MONTH
    return Capacity(
        clusters=1,
        cities=cities,
        workers=workers,
        partitions=partitions,
        replicas=replicas,
        worker_cores=workers * assumed.worker_cores,
        worker_memory_gb=memory_gb,
        news_share=news_share,
        brokers=brokers,
        network_in_gbit_s=flows.into_s * 8 / GB,
        network_out_gbit_s=flows.out_s * 8 / GB,
        disk_tb=flows.disk_bytes / 1e12,
        changelog_share=flows.changelog_s / flows.produced_s,
        recovery_mb=flows.state_bytes / partitions / 1e6,
        assign_s=assign_s,
        money_compute=compute * HOURS_A_MONTH,
        money_disk=flows.disk_bytes / GB * assumed.disk_gb_month,
        money_traffic=traffic_gb * assumed.traffic_share * assumed.traffic_gb,
        limits=tuple(limits),
    )


@dataclass(frozen=True)
class _Flows:
    """Bytes, a second where it says so."""

    produced_s: float
    changelog_s: float
    into_s: float  # brokers, copies included
    out_s: float
    state_bytes: float  # of the changelog once it is compacted
    disk_bytes: float


def _flows(measured: Measured, demand: Demand, assumed: Assumptions, workers: int) -> _Flows:
    fixes_s = demand.walkers * demand.fixes_per_s
    cities = ceil(demand.walkers / demand.walkers_per_city)
    state_bytes = demand.walkers * _mean(
        measured.changelog_bytes, measured.trip_changelog_bytes, demand.trip_share
    )
    changelog_s = state_bytes  # a second's: all of a bucket is written if one in it walks
    kept_h = {
        GPS_FIXES: (measured.fix_bytes, assumed.retention_h),
        ROUTE_UPDATES: (measured.update_bytes, assumed.retention_h),
        CELL_OBSERVATIONS: (measured.observation_bytes, assumed.observations_h),
    }
    messages_s = fixes_s * sum(size for size, _ in kept_h.values())
    conditions_s = cities * demand.conditions_per_s * measured.condition_bytes
    produced_s = messages_s + changelog_s + conditions_s
    log_bytes = fixes_s * sum(size * hours * 3600.0 for size, hours in kept_h.values())
    return _Flows(
        produced_s=produced_s,
        changelog_s=changelog_s,
        into_s=assumed.replication * produced_s,
        # changelogs are read after crashes only; every worker reads all conditions
        out_s=(assumed.replication - 1) * produced_s + messages_s + conditions_s * workers,
        state_bytes=state_bytes,
        # compaction runs behind: as much again
        disk_bytes=assumed.replication * (log_bytes + 2.0 * state_bytes),
    )


def _brokers(measured: Measured, flows: _Flows, assumed: Assumptions, replicas: int, fixes_s: float) -> int:
    cpu = (
        fixes_s * measured.broker_fix_cpu_s * assumed.replication
    )  # a copy taken to cost what the first does
    return max(
        MIN_BROKERS,
        assumed.replication,
        ceil(cpu / (assumed.broker_cores * assumed.utilisation)),
        ceil(max(flows.into_s, flows.out_s) / (assumed.broker_network_mb_s * 1e6)),
        ceil(flows.into_s / (assumed.broker_write_mb_s * 1e6)),
        ceil(flows.disk_bytes / (assumed.broker_disk_tb * 1e12)),
        ceil(replicas / assumed.replicas_per_broker),
    )


def _mean(without: float, with_trip: float, trip_share: float) -> float:
    return without * (1.0 - trip_share) + with_trip * trip_share


def assume(texts: tuple[str, ...], demand: Demand, assumed: Assumptions) -> tuple[Demand, Assumptions]:
    """Both with what NAME=VALUE texts say instead; raises BadInput for a name or a value that is none."""
    for text in texts:
        name, _, value = text.partition("=")
        known = {field.name for thing in (demand, assumed) for field in fields(thing)} - {"walkers"}
        if name not in known:
            raise BadInput(f"{name!r} is no assumption: choose from {', '.join(sorted(known))}")
        try:
            number = float(value)
        except ValueError as error:
            raise BadInput(f"{text!r} does not say a number, as in {name}=1") from error
        if name in vars(demand):
            demand = replace(demand, **{name: type(getattr(demand, name))(number)})
        else:
            assumed = replace(assumed, **{name: type(getattr(assumed, name))(number)})
    return demand, assumed
