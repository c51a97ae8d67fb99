"""The kinds of panels our dashboards are made of, each a question with its queries, by Grafana's own library.

`WORKER`, `GATEWAY` and `CITY` select by the variables at the top of a dashboard. Colours come from the
objectives: a panel that is green keeps them.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from typing import Literal, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    geomap,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

ANSWER_WITHIN_S = 1.0  # objective: so soon after a fix reached the broker
ANSWERED_SHARE = 0.99  # are so many answered
CONDITIONS_AGE_S = 300.0  # objective: conditions in use are no older

WORKER = 'instance=~"$worker"'
GATEWAY = 'instance=~"$gateway"'
CITY = 'city=~"$city"'
RATE = "[$__rate_interval]"

SOURCE = common_models.DataSourceRef(type_val="prometheus", uid="${datasource}")
Query = tuple[str, str]  # what is asked, and what its series are called
Limits = Sequence[tuple[float, str]]  # from this value on this colour, rising; green below
Panel = Builder[models.Panel]
AnyPanel = TypeVar(
    "AnyPanel", bargauge.Panel, geomap.Panel, stat.Panel, table.Panel, timeseries.Panel
)  # fmt: skip


def lines(
    title: str,
    about: str,
    unit: str,
    *queries: Query,
    limits: Limits = (),
    stacked: bool = False,
    width: int = 12,
    high: float | None = None,
) -> Panel:
    """Curves over time; limits are drawn as dashed lines."""
    panel = _asked(timeseries.Panel(), title, about, unit, width, queries)
    panel = panel.min(0.0).line_width(1.0).fill_opacity(30.0 if stacked else 8.0)
    panel = panel.show_points(common_models.VisibilityMode.NEVER)
    panel = panel.tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
    if high is not None:
        panel = panel.max(high)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    if limits:
        dashed = common.GraphThresholdsStyleConfig().mode(common_models.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(_rising(limits)).thresholds_style(dashed)
    return panel


def events(title: str, about: str, *queries: Query, stacked: bool = True, width: int = 12) -> Panel:
    """How often something happened, as bars."""
    panel = _asked(timeseries.Panel(), title, about, "short", width, queries)
    panel = panel.min(0.0).draw_style(common_models.GraphDrawStyle.BARS).fill_opacity(60.0)
    panel = panel.tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
    mode = common_models.StackingMode.NORMAL if stacked else common_models.StackingMode.NONE
    return panel.stacking(common.StackingConfig().mode(mode))


def number(
    title: str,
    about: str,
    unit: str,
    query: str,
    *,
    limits: Limits = (),
    at_least: float | None = None,
    decimals: int | None = None,
    width: int = 4,
) -> Panel:
    """One number, coloured; `at_least`: red below, green from there on."""
    panel = _asked(stat.Panel(), title, about, unit, width, [(query, "")]).height(4)
    panel = panel.no_value("nothing yet").graph_mode(common_models.BigValueGraphMode.AREA)
    panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if decimals is not None:
        panel = panel.decimals(decimals)
    steps = _rising(limits) if at_least is None else _steps([(None, "red"), (at_least, "green")])
    return panel.thresholds(steps).color_mode(common_models.BigValueColorMode.VALUE)


def bars(title: str, about: str, unit: str, *queries: Query, limits: Limits = (), width: int = 12) -> Panel:
    """The newest value of each series, one beneath the other."""
    panel = _asked(bargauge.Panel(), title, about, unit, width, queries, instant=True)
    panel = panel.orientation(common_models.VizOrientation.HORIZONTAL).min(0.0)
    panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel.display_mode(common_models.BarGaugeDisplayMode.BASIC).thresholds(_rising(limits))


def rows(
    title: str, about: str, *columns: tuple[str, str, str, Limits], keys: Sequence[str], width: int = 24
) -> Panel:
    """A table with a row for each set of `keys`; columns: name, query, unit, limits."""
    panel = _asked(table.Panel(), title, about, "short", width, [(query, "") for _, query, _, _ in columns],
                   instant=True, form=PromQueryFormat.TABLE).height(11)  # fmt: skip
    values = {_value_field(i, len(columns)): name for i, (name, *_) in enumerate(columns)}
    order = {name: i for i, name in enumerate([*keys, *values])}
    panel = panel.with_transformation(models.DataTransformerConfig("merge", options={}))
    tidy = {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": values}
    panel = panel.with_transformation(models.DataTransformerConfig("organize", options=tidy))
    for name, _, unit, limits in columns:
        told = [models.DynamicConfigValue("unit", unit)]
        if limits:
            told.append(models.DynamicConfigValue("thresholds", _rising(limits).build()))
            told.append(models.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
        panel = panel.override_by_name(name, told)
    return panel


def places(title: str, about: str, unit: str, *layers: tuple[str, str, str], width: int = 24) -> Panel:
    """A map with a dot a series, at its labels `lat` and `lon`; layers: name, query, colour or `by value`."""
    queries = [(query, name) for name, query, _ in layers]
    panel = _asked(
        geomap.Panel(), title, about, unit, width, queries, instant=True, form=PromQueryFormat.TABLE
    )
    panel = panel.height(14).min(0.0).color_scheme(dashboard.FieldColor().mode(
        models.FieldColorModeId.CONTINUOUS_RD_YL_GR))  # fmt: skip
    numbers = [{"targetField": name, "destinationType": "number"} for name in ("lat", "lon")]
    fields = {"conversions": numbers, "fields": {}}
    panel = panel.with_transformation(models.DataTransformerConfig("convertFieldType", options=fields))
    panel = panel.view(geomap.MapViewConfig().id("fit").all_layers(True).zoom(10))
    panel = panel.basemap(common.MapLayerOptions().type("default").name("Base map"))
    where = common.FrameGeometrySource().mode(common_models.FrameGeometrySourceMode.COORDS)
    where = where.latitude("lat").longitude("lon")
    drawn: list[Builder[common_models.MapLayerOptions]] = [
        common.MapLayerOptions()
        .type("markers")
        .name(name)
        .config(_marks(_value_field(i, len(layers)), colour))
        .location(where)
        .filter_data({"id": "byRefId", "options": string.ascii_uppercase[i]})
        .tooltip(True)
        for i, (name, _, colour) in enumerate(layers)
    ]
    return panel.layers(drawn)


def _marks(field: str, colour: str) -> dict[str, object]:
    """How a layer's dots look: coloured by their value, or of one colour and as large as it."""
    by_value = colour == "by value"
    return {
        "showLegend": True,
        "style": {
            "color": {"field": field, "fixed": "green"} if by_value else {"fixed": colour},
            "opacity": 0.6,
            "size": {"fixed": 12} if by_value else {"field": field, "fixed": 8, "min": 4, "max": 24},
            "symbol": {"fixed": "img/icons/marker/circle.svg", "mode": "fixed"},
            "text": {"field": field, "fixed": "", "mode": "field"},
            "textConfig": {"fontSize": 11, "offsetX": 0, "offsetY": 0, "textAlign": "center",
                           "textBaseline": "middle"},
        },
    }  # fmt: skip


def _value_field(index: int, of: int) -> str:
    """What Grafana calls the value of a query that is answered as a table."""
    return "Value" if of == 1 else f"Value #{string.ascii_uppercase[index]}"


def _asked(
    panel: AnyPanel, title: str, about: str, unit: str, width: int, queries: Iterable[Query],
    *, instant: bool = False, form: PromQueryFormat = PromQueryFormat.TIME_SERIES,
) -> AnyPanel:  # fmt: skip
    """A panel with what all kinds have."""
    panel = panel.title(title).description(about).datasource(SOURCE).unit(unit).span(width).height(8)
    for ref, (expr, legend) in zip(string.ascii_uppercase, queries, strict=False):
        target = prometheus.Dataquery().ref_id(ref).expr(expr).legend_format(legend or "__auto").format(form)
        panel = panel.with_target(target.instant() if instant else target.range())
    return panel


def _rising(limits: Limits) -> dashboard.ThresholdsConfig:
    return _steps([(None, "green"), *limits])


def _steps(steps: Iterable[tuple[float | None, str]]) -> dashboard.ThresholdsConfig:
    found = [models.Threshold(value, colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(found)


Variable = Literal["worker", "gateway", "city", "of"]
# what a variable's values are, and what it is called
_VARIABLES: dict[Variable, tuple[str, str]] = {
    "worker": ("label_values(flaneur_assigned_partitions, instance)", "Workers"),
    "gateway": ("label_values(flaneur_gateway_trips, instance)", "Gateways"),
    "city": ("label_values(flaneur_cells, city)", "Cities"),
}
_KNOWN_OF = ("weather", "air", "traffic", "crowd")


def board(
    name: str,
    title: str,
    about: str,
    variables: Sequence[Variable],
    sections: Sequence[tuple[str, Sequence[Panel]]],
) -> models.Dashboard:
    """A dashboard: `name` is its file's and, after `flaneur-`, its address; sections have a heading each."""
    made = dashboard.Dashboard(f"Flaneur: {title}").uid(f"flaneur-{name}").description(about)
    made = made.tags(["flaneur"]).readonly().refresh("10s").time("now-30m", "now").timezone("browser")
    made = made.tooltip(models.DashboardCursorSync.CROSSHAIR)
    made = made.link(
        dashboard.DashboardLink("Flaneur").type(models.DashboardLinkType.DASHBOARDS).tags(["flaneur"])
        .as_dropdown(True).include_vars(True).keep_time(True)
    )  # fmt: skip
    made = made.with_variable(
        dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    )
    for variable in variables:
        made = made.with_variable(_variable(variable))
    number = 0
    for heading, panels in sections:
        made = made.with_row(dashboard.Row(heading))
        for panel in panels:
            number += 1
            panel.build().id_val = number
            made = made.with_panel(panel)
    return made.build()


def _variable(name: Variable) -> Builder[models.VariableModel]:
    if name == "of":
        options = [models.VariableOption(text=of, value=of, selected=of == _KNOWN_OF[0]) for of in _KNOWN_OF]
        chosen = dashboard.CustomVariable("of").label("Coverage of").values(",".join(_KNOWN_OF))
        return chosen.options(options).current(options[0])
    query, label = _VARIABLES[name]
    everything = models.VariableOption(text="All", value="$__all", selected=True)
    asked = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(query).definition(query)
    asked = asked.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(
        models.VariableSort.ALPHABETICAL_ASC
    )
    return asked.multi(True).include_all(True).current(everything)


def quantile(share: float, histogram: str, where: str, by: str = "") -> str:
    """The value that this share of a histogram's observations do not exceed."""
    grouped = f"le, {by}" if by else "le"
    return f"histogram_quantile({share:g}, sum by ({grouped}) (rate({histogram}_bucket{{{where}}}{RATE})))"
