// Numbers, durations and states as a reader takes them in; as in report/words.py.

export const NOTHING = "–";

export function percent(share) {
  if (share === null || share === undefined) return NOTHING;
  const points = 100 * share;
  if (points > 0 && points < 0.1) return "< 0.1\u00a0%";
  if (points > 99.9 && points < 100) return "> 99.9\u00a0%";
  const digits = (points > 0 && points < 1) || (points > 99 && points < 100) ? 1 : 0;
  return `${points.toFixed(digits)}\u00a0%`;
}

export function count(rows) {
  return rows === null || rows === undefined ? NOTHING : Math.round(rows).toLocaleString("en-US");
}

export function figure(value) {
  if (value === null || value === undefined) return NOTHING;
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  if (size > 0 && size < 0.001) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}

// A score beside others of its kind: as many digits as they have.
export function score(value) {
  if (value === null || value === undefined) return NOTHING;
  return Math.abs(value) < 10 ? value.toFixed(3).replace("-", "−") : figure(value);
}

export function signed(value) {
  if (value === null || value === undefined) return NOTHING;
  return value > 0 ? `+${score(value)}` : score(value);
}

export function perSecond(rate) {
  if (rate === null || rate === undefined) return NOTHING;
  if (rate > 0 && rate < 1 / 60) return `${figure(rate * 3600)} / h`;
  return rate > 0 && rate < 1 ? `${figure(rate * 60)} / min` : `${figure(rate)} / s`;
}

export function duration(seconds) {
  if (!Number.isFinite(seconds)) return NOTHING;
  if (seconds === 0) return "0 s";
  if (seconds < 1) {
    return seconds >= 0.001 ? `${figure(seconds * 1000)}\u00a0ms` : `${figure(seconds * 1e6)}\u00a0µs`;
  }
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const [unit, name] = units.find(([size]) => seconds >= size);
  return `${Number((seconds / unit).toPrecision(3))}\u00a0${name}`;
}

export function bytes(size) {
  if (size === null || size === undefined) return NOTHING;
  return size >= 1e9 ? `${figure(size / 1e9)} GB` : `${figure(size / 1e6)} MB`;
}

// How long before another point in time, both in Unix time.
export function before(time, now) {
  if (!time) return NOTHING;
  return now - time < 1.5 ? "just now" : `${duration(Math.round(now - time))} ago`;
}

export function moment(time) {
  if (time === null || time === undefined) return NOTHING;
  const [date, now] = [new Date(time * 1000), new Date()];
  const hour = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const day = { day: "numeric", month: "short" };
  if (date.toDateString() === now.toDateString()) return date.toLocaleTimeString("en-GB", hour);
  const year = date.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return date.toLocaleString("en-GB", { ...day, ...year, ...hour });
}

export function clock(milliseconds) {
  return new Date(milliseconds).toLocaleTimeString("en-GB", { hourCycle: "h23" });
}

export const STATES = {
  alarm: "Changed",
  ok: "As in training",
  few_rows: "Insufficient data",
  few_training_rows: "Insufficient training data",
};

export const CHECKS = {
  missing: "missing",
  unseen: "unseen",
  out_of_range: "out of range",
  invalid: "invalid",
  absent: "absent",
};

// Which of its questions a feature fails: "drift, missing".
export function failing(part) {
  const rates = part.rates.filter((one) => one.state === "alarm").map((one) => CHECKS[one.check]);
  return [...(part.drift.state === "alarm" ? ["drift"] : []), ...rates];
}

export function stateWord(part) {
  const failed = failing(part);
  if (!failed.length) return STATES[part.state];
  const text = failed.join(", ").replace("drift", "drifted");
  return text[0].toUpperCase() + text.slice(1);
}

const METRICS = { mae: "MAE", rmse: "RMSE", mcc: "MCC", f1: "F1", r2: "R²", ece: "ECE" };
const SPELT = {
  roc_auc: "ROC AUC",
  macro_f1: "Macro F1",
  log_loss: "Log loss",
  ece_excess: "ECE beyond noise",
};

export function metricName(metric) {
  const known = METRICS[metric] ?? SPELT[metric];
  return known ?? metric[0].toUpperCase() + metric.slice(1).replaceAll("_", " ");
}

// A bin's name as short as a chart needs it: the numbers of an interval in three digits.
export function binName(bin) {
  if (bin.kind !== "interval") return shortened(bin.label, 24);
  return bin.label.replace(/-?\d+(\.\d+)?(e[+-]?\d+)?/gi, (text) => {
    const value = Number(text);
    return Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-3)
      ? value.toExponential(1)
      : String(Number(value.toPrecision(Math.abs(value) >= 1000 ? 5 : 3)));
  });
}

// A sentence in which no number is parted from its unit.
export function sentence(text) {
  return text.replaceAll(" %", "\u00a0%");
}

export function shortened(text, most = 60) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
