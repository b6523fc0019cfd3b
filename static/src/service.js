// The service page: tabs, and the trend chart. Loaded nowhere else, for ECharts is large.

import { LineChart } from "echarts/charts";
import { GridComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { LabelLayout } from "echarts/features";
import { CanvasRenderer } from "echarts/renderers";

// The canvas renderer, for the SVG one writes style attributes that our Content-Security-Policy forbids.
use([LineChart, GridComponent, LabelLayout, MarkLineComponent, TooltipComponent, CanvasRenderer]);

const LABEL_LENGTH = 14;

for (const list of document.querySelectorAll("[role=tablist]")) prepareTabs(list);
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
    if (tab) select(tab);
  });
  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(event.target.closest("[role=tab]"));
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const tab = tabs[(to + tabs.length) % tabs.length];
    select(tab);
    tab.focus();
  });
  select(tabs.find((tab) => tab.getAttribute("aria-selected") === "true") ?? tabs[0]);
}

function prepareChart(target, data) {
  const chart = init(target, null, { renderer: "canvas" });
  const draw = () => chart.setOption(options(data, getComputedStyle(document.documentElement)), true);
  draw();
  document.addEventListener("plimsoll:theme", draw);
  document.addEventListener("plimsoll:tab", () => chart.resize());
  new ResizeObserver(() => chart.resize()).observe(target);
}

function options(data, style) {
  const colour = (name) => style.getPropertyValue(name).trim();
  const text = { color: colour("--plimsoll-chart-text"), fontFamily: colour("--plimsoll-font"), fontSize: 12 };
  return {
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    animationDuration: 400,
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
      axisLabel: { ...text, hideOverlap: true },
      axisLine: { lineStyle: { color: colour("--plimsoll-line") } },
      axisTick: { show: false },
    },
    yAxis: {
      type: "value",
      ...scale(data),
      axisLabel: { ...text, formatter: megabytes, hideOverlap: true },
      splitLine: { lineStyle: { color: colour("--plimsoll-grid") } },
    },
    series: [
      series("Compressed", "compressed_bytes", colour("--plimsoll-deep"), data, colour),
      series("Unpacked", "unpacked_bytes", colour("--plimsoll-muted"), data, colour),
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

function series(name, key, colour, data, palette) {
  const limits = data.limits.filter((limit) => limit.kind === name.toLowerCase());
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
      formatter: ({ data: { release } }) => (release.length > LABEL_LENGTH ? `${release.slice(0, LABEL_LENGTH)}…` : release),
    },
    labelLayout: { hideOverlap: true },
    data: data.points
      .filter((point) => point[key] !== null)
      .map((point) => ({ value: [point.taken_at, point[key]], release: point.tag })),
    markLine: {
      symbol: "none",
      silent: true,
      data: limits.map((limit) => ({
        yAxis: limit.bytes,
        lineStyle: { color: palette(limit.level === "fail" ? "--plimsoll-over" : "--plimsoll-warn"), type: "dashed", width: 1.5 },
        label: {
          formatter: limit.label,
          position: "insideStartTop",
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
