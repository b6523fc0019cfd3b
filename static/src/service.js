// The service page: tabs, and the trend chart. Loaded nowhere else, for ECharts is large.

import { LineChart } from "echarts/charts";
import { GridComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { LabelLayout } from "echarts/features";
import { CanvasRenderer } from "echarts/renderers";

// The canvas renderer, for the SVG one writes style attributes that our Content-Security-Policy forbids.
use([LineChart, GridComponent, LabelLayout, MarkLineComponent, TooltipComponent, CanvasRenderer]);

const LABEL_LENGTH = 20;
const LETTER_PIXELS = 5.7;
// Where a limit's name may stand, best first: which end of its line, and which side of it.
const PLACES = [["Start", "Top"], ["End", "Top"], ["Start", "Bottom"], ["End", "Bottom"]];
const AXIS_PIXELS = 90;
// A narrower drawing has no room for the names of policies.
const ROOMY_PIXELS = 480;
// A step below this share of the size is no jump worth a name.
const JUMP_SHARE = 0.02;

for (const list of document.querySelectorAll("[role=tablist]")) prepareTabs(list);
for (const ladder of document.querySelectorAll(".ladder")) prepareLadder(ladder);
const element = document.getElementById("trend-chart");
if (element) prepareChart(element, JSON.parse(document.getElementById("trend-data").textContent));

/** Tabs after the ARIA authoring practices: arrows move, Home and End jump, one tab stop. */
function prepareTabs(list) {
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const select = (chosen) => {
    for (const tab of tabs) {
      const selected = tab === chosen;
      tab.setAttribute("aria-selected", selected);
      tab.classList.toggle("active", selected);
      tab.tabIndex = selected ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !selected;
    }
    document.dispatchEvent(new CustomEvent("plimsoll:tab"));
  };
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (!tab || opensElsewhere(event)) return;
    event.preventDefault();
    select(tab);
    remember(tab);
  });
  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(event.target.closest("[role=tab]"));
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const tab = tabs[(to + tabs.length) % tabs.length];
    select(tab);
    remember(tab);
    tab.focus();
  });
  select(tabs.find((tab) => tab.getAttribute("aria-selected") === "true") ?? tabs[0]);
}

/** The rungs are links, which work without this: here they open their Dockerfile in place. */
function prepareLadder(ladder) {
  const links = [...ladder.querySelectorAll("a[data-rung]")];
  ladder.addEventListener("click", (event) => {
    const chosen = event.target.closest("a[data-rung]");
    if (!chosen || opensElsewhere(event)) return;
    event.preventDefault();
    for (const link of links) {
      if (link === chosen) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
      document.getElementById(link.dataset.rung).hidden = link !== chosen;
    }
    remember(chosen);
    const offer = document.getElementById(chosen.dataset.rung);
    // What opens out of sight has not opened for whoever looks at the screen.
    if (offer.getBoundingClientRect().top > 0.75 * innerHeight) offer.scrollIntoView();
  });
}

/** The address names what is open, so that it can be sent to somebody. */
function remember({ href }) {
  if (href) history.replaceState(history.state, "", href);
}

function opensElsewhere({ ctrlKey, metaKey, shiftKey, altKey }) {
  return ctrlKey || metaKey || shiftKey || altKey;
}

function prepareChart(target, data) {
  const chart = init(target, null, { renderer: "canvas" });
  const draw = () => chart.setOption(options(data, getComputedStyle(document.documentElement), target), true);
  const fit = () => {
    if (!target.clientWidth) return; // the table is shown instead
    chart.resize();
    draw();
  };
  draw();
  document.addEventListener("plimsoll:theme", draw);
  document.addEventListener("plimsoll:tab", fit);
  new ResizeObserver(fit).observe(target);
}

function options(data, style, { clientWidth, clientHeight }) {
  const colour = (name) => style.getPropertyValue(name).trim();
  const text = { color: colour("--plimsoll-chart-text"), fontFamily: colour("--plimsoll-font"), fontSize: 12 };
  const axis = scale(data);
  const space = { axis, width: Math.max(clientWidth - AXIS_PIXELS, 1), height: Math.max(clientHeight - 60, 1) };
  return {
    animation: false,
    aria: { enabled: false }, // the table beside the chart is the accessible form
    grid: { left: 8, right: 24, top: 24, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    textStyle: text,
    tooltip: {
      trigger: "axis",
      className: "chart-tooltip",
      backgroundColor: colour("--plimsoll-surface"),
      borderColor: colour("--plimsoll-line"),
      formatter: (points) => tooltip(points),
    },
    xAxis: {
      type: "time",
      boundaryGap: ["2%", "3%"],
      axisLabel: { ...text, hideOverlap: true, formatter: { year: "{yyyy}", month: "{MMM}", day: "{d} {MMM}" } },
      axisLine: { lineStyle: { color: colour("--plimsoll-line") } },
      axisTick: { show: false },
    },
    yAxis: {
      type: "value",
      ...axis,
      axisLabel: { ...text, formatter: megabytes, hideOverlap: true },
      splitLine: { lineStyle: { color: colour("--plimsoll-grid") } },
    },
    series: [
      series("Compressed", "compressed_bytes", colour("--plimsoll-deep"), data, colour, space),
      series("Unpacked", "unpacked_bytes", colour("--plimsoll-muted"), data, colour, space),
    ].filter((each) => each.data.length),
  };
}

/** An axis that ends on a plain number, with room for every limit line. */
function scale(data) {
  const sizes = data.points.flatMap((point) => [point.compressed_bytes, point.unpacked_bytes ?? 0]);
  const highest = Math.max(...sizes, ...data.limits.map((limit) => limit.bytes), 1) * 1.05;
  const magnitude = 10 ** Math.floor(Math.log10(highest / 5));
  const interval = [1, 2, 2.5, 5, 10].find((step) => step * magnitude >= highest / 5) * magnitude;
  return { min: 0, max: Math.ceil(highest / interval) * interval, interval };
}

/** The releases that have a name in the drawing: first, last, and the largest jump. The rest have their tip. */
function landmarks(points) {
  const steps = points.map((point, at) => (at ? Math.abs(point.compressed_bytes - points[at - 1].compressed_bytes) : 0));
  const jump = steps.indexOf(Math.max(...steps));
  const named = [0, points.length - 1];
  if (steps[jump] > JUMP_SHARE * points[jump]?.compressed_bytes) named.push(jump);
  return new Set(named);
}

function limitLabel(limit, { width }) {
  return width < ROOMY_PIXELS ? limit.short_label : limit.label;
}

/** A place for each limit's name where neither the line of sizes, nor a release's name, nor another limit's is. */
function placeLimits(limits, points, space) {
  const { axis, width, height } = space;
  const named = landmarks(points);
  const times = points.map((point) => Date.parse(point.taken_at));
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const row = (18 / height) * axis.max;
  const taken = points.map((point, at) => ({
    x: to > from ? (times[at] - from) / (to - from) : 0.5,
    low: point.compressed_bytes - row / 3,
    high: point.compressed_bytes + (named.has(at) ? 1.4 * row : row / 3),
  }));
  return limits.map((limit) => {
    const share = Math.min((limitLabel(limit, space).length * LETTER_PIXELS) / width + 0.05, 1);
    const boxes = PLACES.map(([end, side]) => ({
      position: `inside${end}${side}`,
      left: end === "Start" ? 0 : 1 - share,
      right: end === "Start" ? share : 1,
      low: limit.bytes - (side === "Top" ? 0 : row),
      high: limit.bytes + (side === "Top" ? row : 0),
    }));
    const free = (box) => !taken.some(({ x, x2 = x, low, high }) => x <= box.right && x2 >= box.left && low < box.high && high > box.low);
    const box = boxes.find(free) ?? boxes[0];
    taken.push({ x: box.left, x2: box.right, low: box.low, high: box.high });
    return box.position;
  });
}

function series(name, key, colour, data, palette, space) {
  const named = landmarks(data.points);
  // The outermost names lean inwards, or the edge would cut them.
  const align = (at) => (data.points.length === 1 ? "center" : at === 0 ? "left" : at === data.points.length - 1 ? "right" : "center");
  const limits = data.limits.filter((limit) => limit.kind === name.toLowerCase());
  const positions = placeLimits(limits, data.points, space);
  return {
    name,
    type: "line",
    showSymbol: true,
    symbol: "circle",
    symbolSize: 7,
    lineStyle: { width: 2, color: colour },
    itemStyle: { color: colour },
    areaStyle: key === "compressed_bytes" ? { color: colour, opacity: 0.08 } : undefined,
    label: {
      show: key === "compressed_bytes",
      position: "top",
      distance: 8,
      color: palette("--plimsoll-chart-text"),
      fontSize: 11,
      formatter: ({ data: { release, named } }) => (!named ? "" : release.length > LABEL_LENGTH ? `${release.slice(0, LABEL_LENGTH)}…` : release),
    },
    labelLayout: { hideOverlap: true },
    data: data.points
      .map((point, at) => ({ value: [point.taken_at, point[key]], release: point.tag, cause: point.cause, named: named.has(at), label: { align: align(at) } }))
      .filter(({ value }) => value[1] !== null),
    markLine: {
      symbol: "none",
      silent: true,
      data: limits.map((limit, at) => ({
        yAxis: limit.bytes,
        lineStyle: { color: palette(limit.level === "fail" ? "--plimsoll-over" : "--plimsoll-warn"), type: "dashed", width: 1.5 },
        label: {
          formatter: () => limitLabel(limit, space),
          position: positions[at],
          color: palette(limit.level === "fail" ? "--plimsoll-over" : "--plimsoll-warn"),
          fontSize: 11,
        },
      })),
    },
  };
}

/** Built from nodes: a tag is text that someone else wrote, and a style attribute would not pass the policy. */
function tooltip(points) {
  const box = document.createElement("div");
  const [first] = points;
  const title = box.appendChild(document.createElement("strong"));
  title.textContent = first.data.release;
  const date = box.appendChild(document.createElement("div"));
  date.className = "text-secondary";
  date.textContent = new Date(first.data.value[0]).toLocaleString(document.documentElement.lang, {
    dateStyle: "medium",
    timeStyle: "short",
  });
  for (const point of points) {
    const line = box.appendChild(document.createElement("div"));
    line.textContent = `${point.seriesName}: ${megabytes(point.data.value[1])}`;
  }
  if (first.data.cause) {
    const cause = box.appendChild(document.createElement("div"));
    cause.className = "chart-cause";
    cause.textContent = first.data.cause;
  }
  return box;
}

function megabytes(bytes) {
  if (bytes >= 1e9) return `${trimmed(bytes / 1e9)} GB`;
  if (bytes >= 1e6) return `${trimmed(bytes / 1e6)} MB`;
  if (bytes >= 1e3) return `${trimmed(bytes / 1e3)} kB`;
  return `${bytes} B`;
}

function trimmed(value) {
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}
