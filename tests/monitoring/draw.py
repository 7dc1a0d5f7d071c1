#!/usr/bin/env python3
"""Draws the dashboard with the answers of a Prometheus: reads the JSON that the integration test `monitoring` records, writes SVG."""
import html
import json
import re
import sys

COLUMN, ROW, GAP = 56, 30, 6
COLORS = ["#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#37872d", "#8ab8ff", "#fade2a", "#c4162a"]


def text(x, y, words, size=11, color="#ccccdc", anchor="start", weight="normal"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{html.escape(words)}</text>"
    )


def legend(target, labels):
    """What Grafana writes for a series."""
    form = target.get("legendFormat") or ""
    return re.sub(r"{{\s*(\w+)\s*}}", lambda found: labels.get(found[1], ""), form) or labels.get("__name__", "value")


def number(value, unit):
    if unit == "s":
        for size, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
            if abs(value) >= size:
                return f"{value / size:.3g} {name}"
        return f"{value * 1000:.3g} ms"
    if unit == "ns":
        return number(value / 1e9, "s")
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    shown = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return shown + (" /s" if unit in ("ops", "reqps") else "")


def series(panel):
    for target in panel.get("targets", []):
        for found in target.get("answer", []):
            points = [(at, float(value)) for at, value in found["values"] if value not in ("NaN", "+Inf", "-Inf")]
            if points:
                yield legend(target, found["metric"]), found["metric"], points


def stat(panel, x, y, width, height, unit):
    found = list(series(panel))
    shown = found[0][1].get("version") if panel["title"] == "Version" and found else None
    value = found[0][2][-1][1] if found else 0.0
    if panel["fieldConfig"]["defaults"].get("decimals") == 0:
        value = round(value)
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
    color = {"green": "#37872d", "red": "#c4162a", "blue": "#1f60c4"}.get(
        next((step["color"] for step in reversed(steps) if step["value"] is None or value >= step["value"]), ""), "#1f60c4"
    )
    yield f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3" fill="{color}"/>'
    yield text(x + width / 2, y + height / 2 + 16, shown or number(value, unit), 26, "#ffffff", "middle", "bold")


def table(panel, x, y, width, height):
    rows = [metric for _, metric, points in series(panel) if points[-1][1] == 1]
    for place, metric in enumerate(rows[: int((height - 30) / 18)]):
        kind = metric["__name__"].removesuffix("_status_condition")
        name = "/".join(part for part in (metric.get("namespace"), metric.get("name")) if part)
        yield text(x + 10, y + 42 + 18 * place, kind)
        yield text(x + 220, y + 42 + 18 * place, name)


def lines(panel, x, y, width, height, unit):
    found = list(series(panel))
    if not found:
        return
    left, right, top, bottom = x + 56, x + width - 10, y + 30, y + height - 34
    begin = min(points[0][0] for _, _, points in found)
    end = max(points[-1][0] for _, _, points in found)
    low = min(0.0, min(value for _, _, points in found for _, value in points))
    high = max(value for _, _, points in found for _, value in points)
    high = high if high > low else low + 1
    for part in range(4):
        at = bottom - (bottom - top) * part / 3
        yield f'<line x1="{left}" y1="{at:.1f}" x2="{right}" y2="{at:.1f}" stroke="#2c3235"/>'
        yield text(left - 5, at + 4, number(low + (high - low) * part / 3, unit), 9, "#8e8e99", "end")
    words = x + 10
    for place, (name, _, points) in enumerate(found):
        color = COLORS[place % len(COLORS)]
        path = " ".join(
            f"{left + (right - left) * (at - begin) / max(end - begin, 1):.1f},{bottom - (bottom - top) * (value - low) / (high - low):.1f}"
            for at, value in points
        )
        yield f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.5"/>'
        long = 14 + 5.6 * len(name)
        if words + long < x + width:
            yield f'<rect x="{words}" y="{y + height - 19}" width="9" height="3" fill="{color}"/>'
            yield text(words + 13, y + height - 14, name, 10, "#8e8e99")
            words += long + 12


def draw(dashboard):
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"]) * ROW
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * COLUMN} {height}" font-family="Inter, Helvetica, Arial, sans-serif">'
    yield f'<rect width="{24 * COLUMN}" height="{height}" fill="#111217"/>'
    for panel in dashboard["panels"]:
        grid = panel["gridPos"]
        x, y = grid["x"] * COLUMN + GAP / 2, grid["y"] * ROW + GAP / 2
        width, tall = grid["w"] * COLUMN - GAP, grid["h"] * ROW - GAP
        if panel["type"] == "row":
            yield text(x + 6, y + 18, panel["title"], 14, weight="bold")
            continue
        unit = panel["fieldConfig"]["defaults"].get("unit", "")
        yield f'<rect x="{x}" y="{y}" width="{width}" height="{tall}" rx="3" fill="#181b1f" stroke="#2c3235"/>'
        if panel["type"] == "stat":
            yield from stat(panel, x, y, width, tall, unit)
        elif panel["type"] == "table":
            yield from table(panel, x, y, width, tall)
        else:
            yield from lines(panel, x, y, width, tall, unit)
        yield text(x + 8, y + 18, panel["title"], 12, "#ffffff", weight="bold")
    yield "</svg>"


print("\n".join(draw(json.load(sys.stdin))))
