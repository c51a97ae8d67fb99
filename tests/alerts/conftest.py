"""The table at the end of the drill."""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    rows = [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties
        if name == "drill"
    ]
    if not rows:
        return
    terminalreporter.section("alerts provoked")
    terminalreporter.write_line(f"{'alert':20} {'cause':36} {'to firing':>10} {'to resolved':>12}")
    for alert, cause, firing_s, resolved_s in rows:
        times = [f"{value:.1f} s" if value is not None else "-" for value in (firing_s, resolved_s)]
        terminalreporter.write_line(f"{alert:20} {cause:36} {times[0]:>10} {times[1]:>12}")
