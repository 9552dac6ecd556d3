"""Figures as a table, as JSON and as a picture."""

import json
import os
import platform
import statistics
import subprocess

OURS = "gatehouse"


def machine():
    """What the figures were taken on, in one line."""
    model = "unknown processor"
    with open("/proc/cpuinfo") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    memory_gib = (os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
                  / 2**30)
    return (f"{os.cpu_count()} × {model}, {memory_gib:.0f} GiB, "
            f"Linux {platform.release()}")


def versions():
    """The peers' packages."""
    packages = ["haproxy", "nginx", "dovecot-core", "perdition"]
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version}, "] + packages,
        capture_output=True, text=True)
    return listed.stdout.rstrip(", ")


def medians(figures):
    """{row key: {proxy: [figures]}} -> {row key: {proxy: median}}."""
    return {key: {name: statistics.median(values)
                  for name, values in by_proxy.items() if values}
            for key, by_proxy in figures.items()}


def _number(value):
    if value is None:
        return ""
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def _target(row, by_proxy):
    """The target and by how much it is missed or met."""
    ours = by_proxy.get(OURS)
    peer = by_proxy.get(row.target[0]) if row.target else None
    if ours is None or peer is None:
        return ""
    wanted = peer * row.target[1]
    verdict = "met" if ours <= wanted else f"missed by {ours / wanted:.2f}×"
    return f"≤ {_number(wanted)} ({row.target[1]:.2f} × {row.target[0]}): {verdict}"


def _cell(name, by_proxy):
    """A peer's figure and, in brackets, how many times ours it is."""
    value, ours = by_proxy.get(name), by_proxy.get(OURS)
    if value is None or name == OURS or not ours:
        return _number(value)
    return f"{_number(value)} ({value / ours:.2f}×)"


def table(rows, names, figures):
    """Markdown; one line a row, one column a proxy."""
    by_row = medians(figures)
    lines = ["| what | unit | rounds | " + " | ".join(names) + " | target |",
             "| --- | --- | ---: |" + " ---: |" * len(names) + " --- |"]
    for row in rows:
        by_proxy = by_row.get(row.key, {})
        cells = [_cell(name, by_proxy) for name in names]
        rounds = max(map(len, figures.get(row.key, {}).values()), default=0)
        lines.append(f"| {row.title} | {row.unit} | {rounds} | "
                     + " | ".join(cells) + f" | {_target(row, by_proxy)} |")
    return "\n".join(lines) + "\n"


_COLOURS = ["#1b6ca8", "#e07a1f", "#e9b872", "#4c9f70", "#a7d3b5", "#8e5ea2",
            "#999999"]
_BAR, _GAP, _LEFT, _WIDTH = 13, 26, 130, 420


def plot(rows, names, figures):
    """Bars as SVG, each row in its own scale: its largest figure fills it."""
    parts, y = [], 30
    by_row = medians(figures)
    for row in rows:
        by_proxy = {name: by_row.get(row.key, {}).get(name) for name in names}
        shown = {name: v for name, v in by_proxy.items() if v is not None}
        if not shown:
            continue
        parts.append(f'<text x="10" y="{y}" font-weight="bold">{row.title}, '
                     f'{row.unit}</text>')
        largest = max(max(shown.values()), 1e-9)
        for name, value in shown.items():
            y += _BAR + 2
            width = max(1, _WIDTH * max(value, 0) / largest)
            colour = _COLOURS[names.index(name) % len(_COLOURS)]
            parts.append(
                f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{name}'
                f'</text><rect x="{_LEFT}" y="{y - 7}" width="{width:.1f}" '
                f'height="{_BAR}" fill="{colour}"/>'
                f'<text x="{_LEFT + width + 5:.1f}" y="{y + 4}">'
                f'{_number(value)}</text>')
        y += _GAP
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{y}"'
            ' font-family="sans-serif" font-size="11">'
            '<rect width="100%" height="100%" fill="white"/>'
            + "\n".join(parts) + "</svg>\n")


def write(folder, rows, names, figures, more):
    """`more` is a further table, in Markdown."""
    os.makedirs(folder, exist_ok=True)
    where = {"machine": machine(), "versions": versions()}
    with open(f"{folder}/results.json", "w") as file:
        json.dump({**where, "medians": medians(figures), "figures": figures},
                  file, indent=2)
    with open(f"{folder}/table.md", "w") as file:
        file.write(f"{where['machine']}; {where['versions']}; medians\n\n"
                   + table(rows, names, figures) + "\n" + more)
    with open(f"{folder}/plot.svg", "w") as file:
        file.write(plot(rows, names, figures))
