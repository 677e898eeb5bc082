// Pictures by Chart.js: drawn only while they are on screen, and anew when the theme changes.
import { Chart, html, useEffect, useRef } from "./library.js";
import { binName, figure, moment, percent } from "./words.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const FONT = { family: "system-ui, sans-serif", size: 12 };

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// One observer for all pictures: a thousand features have a thousand of them.
const shown = new WeakMap();
const observer = new IntersectionObserver(
  (entries) => entries.forEach((entry) => shown.get(entry.target)?.(entry.isIntersecting)),
  { rootMargin: "200px" },
);

// What has come on screen is drawn a few milliseconds a frame, so that scrolling stays smooth.
const BUDGET = 8;
const waiting = new Set();

function soon(draw) {
  waiting.add(draw);
  if (waiting.size === 1) requestAnimationFrame(drawSome);
}

function drawSome() {
  const end = performance.now() + BUDGET;
  for (const draw of waiting) {
    waiting.delete(draw);
    draw();
    if (performance.now() > end) break;
  }
  if (waiting.size) requestAnimationFrame(drawSome);
}

// On paper everything is seen.
const pictures = new Set();
addEventListener("beforeprint", () => pictures.forEach((draw) => draw()));

/**
 * A chart.
 *
 * `make` returns Chart.js's configuration from `data`; it is asked again when `data` changes.
 * `label` says in words what is to be seen.
 */
export function Picture({ make, data, label, size }) {
  const box = useRef(null);
  const state = useRef({});
  state.current.make = () => make(data);
  useEffect(() => {
    const own = state.current;
    const canvas = box.current.firstElementChild;
    const draw = () => {
      own.chart?.destroy();
      own.chart = new Chart(canvas, own.make());
    };
    const start = () => own.chart ?? draw();
    const clear = () => {
      waiting.delete(start);
      own.chart?.destroy();
      own.chart = null;
    };
    own.redraw = () => own.chart && draw();
    shown.set(box.current, (visible) => (visible ? soon(start) : clear()));
    pictures.add(start);
    observer.observe(box.current);
    dark.addEventListener("change", own.redraw);
    return () => {
      observer.unobserve(canvas.parentElement);
      pictures.delete(start);
      dark.removeEventListener("change", own.redraw);
      clear();
    };
  }, []);
  useEffect(() => {
    const { chart } = state.current;
    if (!chart) return;
    const next = state.current.make();
    const same = next.data.datasets.length === chart.data.datasets.length;
    if (!same) return state.current.redraw();
    chart.data.labels = next.data.labels;
    chart.options = next.options;
    // Put into the old ones: Chart.js tells data sets apart by identity.
    next.data.datasets.forEach((one, i) => Object.assign(chart.data.datasets[i], one));
    chart.update("none");
  }, [data]);
  return html`<div ref=${box} class="picture ${size}"><canvas role="img" aria-label=${label} /></div>`;
}

// Live rows as slim bars before broad ones of training.
function pair(bins, hasLive) {
  const live = {
    label: "Live",
    data: bins.map((bin) => bin.share ?? 0),
    backgroundColor: colour("live"),
    barPercentage: 0.5,
    maxBarThickness: 18,
    order: 1,
  };
  const training = {
    label: "Training",
    data: bins.map((bin) => bin.training_share ?? 0),
    backgroundColor: colour("training"),
    barPercentage: 1,
    maxBarThickness: 36,
    order: 2,
  };
  const shared = { grouped: false, categoryPercentage: 0.86, borderRadius: 1.5 };
  return (hasLive ? [live, training] : [training]).map((one) => ({ ...shared, ...one }));
}

export function sparkline({ bins, rows }) {
  return {
    type: "bar",
    data: { labels: bins.map(() => ""), datasets: pair(bins, rows > 0) },
    options: {
      animation: false,
      maintainAspectRatio: false,
      events: [],
      plugins: { legend: { display: false }, tooltip: { enabled: false } },
      scales: { x: { display: false }, y: { display: false, beginAtZero: true } },
    },
  };
}

// The bins that hold anything, or may be expected to.
export function usedBins(part) {
  return part.bins.filter(
    (bin) => bin.rows || bin.training_rows || ["interval", "category"].includes(bin.kind),
  );
}

function tooltip(callbacks) {
  return {
    backgroundColor: colour("text"),
    titleColor: colour("card"),
    bodyColor: colour("card"),
    titleFont: FONT,
    bodyFont: FONT,
    padding: 8,
    cornerRadius: 6,
    boxPadding: 4,
    usePointStyle: true,
    callbacks,
  };
}

function axis(more = {}) {
  const { ticks, grid, ...rest } = more;
  return {
    border: { display: false },
    grid: { color: colour("line"), drawTicks: false, ...grid },
    ticks: { color: colour("muted"), font: FONT, padding: 6, maxRotation: 0, ...ticks },
    ...rest,
  };
}

export function axisTitle(text) {
  return { display: true, text, color: colour("muted"), font: FONT };
}

export function binChart({ bins, rows }) {
  const ordered = bins.some((bin) => bin.ord !== null);
  const names = bins.map(binName);
  const shares = axis({
    beginAtZero: true,
    ticks: { callback: (value) => percent(value), maxTicksLimit: 5 },
  });
  const labels = axis({
    grid: { display: false },
    // Every category has its name; of intervals some will do.
    ticks: { autoSkip: ordered, callback: (_, i) => names[i] },
  });
  return {
    type: "bar",
    data: { labels: bins.map((bin) => bin.label), datasets: pair(bins, rows > 0) },
    options: {
      animation: false,
      maintainAspectRatio: false,
      indexAxis: ordered ? "x" : "y",
      interaction: { mode: "index", intersect: false, axis: ordered ? "x" : "y" },
      plugins: {
        legend: { display: false },
        tooltip: tooltip({
          label: (item) => `${item.dataset.label} ${percent(item.raw)}`,
        }),
      },
      scales: ordered ? { x: labels, y: shares } : { x: shares, y: labels },
    },
  };
}

export function line(label, points, name, more = {}) {
  const drawn = colour(name);
  return {
    label,
    data: points,
    borderColor: drawn,
    backgroundColor: drawn,
    borderWidth: 2,
    pointRadius: 3,
    pointHoverRadius: 4,
    spanGaps: true,
    ...more,
  };
}

// Lines over numbers; `x` and `y` are more options of the axes.
export function lineChart({ lines, x, y, said }) {
  return {
    type: "line",
    data: { datasets: lines() },
    options: {
      animation: false,
      maintainAspectRatio: false,
      parsing: false,
      interaction: { mode: "nearest", intersect: false },
      plugins: {
        legend: { display: false },
        tooltip: tooltip({ title: () => "", label: said }),
      },
      scales: {
        x: axis({ type: "linear", ...x, grid: { display: false } }),
        y: axis(y),
      },
    },
  };
}

/**
 * Lines over time. `level` is a value to compare with, drawn as a dashed line named `levelName`;
 * shares and scores that are far from zero are drawn without it (`fromZero`).
 */
export function timeChart(chart) {
  const { lines, since, until, format = figure, level = null, levelName = "", fromZero = true } = chart;
  const across = level === null ? [] : [[since, level], [until, level]];
  const quarters = [0, 1, 2, 3, 4].map((part) => ({ value: since + (part * (until - since)) / 4 }));
  return lineChart({
    lines: () => [
      ...lines.map(({ label, points, name }) =>
        line(label, points.map(([at, value]) => ({ x: at, y: value })), name, { pointRadius: 0 }),
      ),
      line(levelName, across.map(([at, value]) => ({ x: at, y: value })), "muted", {
        borderDash: [4, 4],
        borderWidth: 1,
        pointRadius: 0,
      }),
    ],
    x: {
      min: since,
      max: until,
      afterBuildTicks: (scale) => {
        scale.ticks = quarters;
      },
      ticks: { callback: (at) => moment(at), align: "inner" },
    },
    y: { beginAtZero: fromZero, ticks: { callback: (value) => format(value), maxTicksLimit: 5 } },
    said: (item) => `${item.dataset.label} ${format(item.parsed.y)}, ${moment(item.parsed.x)}`,
  });
}
