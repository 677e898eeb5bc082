// What stands first: which model, since when, and the verdict.
import { html } from "./library.js";
import { Fold } from "./parts.js";
import { CHECKS, STATES, count, duration, figure, moment, sentence, shortened } from "./words.js";

const SOURCES = {
  process: "counted by this service",
  file: "read from a file",
  url: "asked of a service",
  prometheus: "asked of Prometheus, all replicas",
};

const HEADLINES = {
  alarm: "Something changed",
  ok: "As in training",
  few_rows: "Not enough rows to tell",
  few_training_rows: "Not enough training rows to tell",
};

export function Verdict({ findings }) {
  const { state, verdict, problems } = findings;
  return html`
    <section class="verdict ${state}" aria-label="Verdict">
      <p class="headline"><span class="dot" aria-hidden="true" />${HEADLINES[state]}</p>
      <p class="sentence">${sentence(verdict)}.</p>
      ${problems.length > 0 && html`
        <${Fold} summary=${problems.length > 1 ? `${count(problems.length)} problems, the worst first` : "The problem"}>
          <ol class="problems">
            ${problems.map((one) => html`
              <li>
                <span class="tag">${CHECKS[one.check] ?? one.check}</span>
                <span>${sentence(one.text)}</span>
              </li>
            `)}
          </ol>
        <//>
      `}
    </section>
  `;
}

function between(window) {
  const { since, until } = window;
  if (since === null) return window.text;
  const end = until === null ? "" : ` to ${moment(until)}`;
  return `${window.text}: ${moment(since)}${end}`;
}

export function Facts({ findings }) {
  const { model, window, rows, source } = findings;
  const where = source.where ? `: ${shortened(source.where, 80)}` : "";
  return html`
    <dl class="facts-line">
      <div><dt>Rows</dt><dd>${count(rows)}</dd></div>
      <div><dt>Window</dt><dd>${between(window)}${window.seconds ? ` (${duration(window.seconds)})` : ""}</dd></div>
      <div><dt>Source</dt><dd>${SOURCES[source.kind]}${where}</dd></div>
      <div><dt>Training</dt><dd>${count(model.training_rows)} rows${trained(model)}</dd></div>
      ${model.class_name && html`<div><dt>Model</dt><dd>${model.class_name.split(".").at(-1)}, ${model.task}</dd></div>`}
    </dl>
  `;
}

function trained(model) {
  const { training_since: since, training_until: until, profile_created: created } = model;
  if (since !== null && until !== null) return `, ${day(since * 1000)} to ${day(until * 1000)}`;
  return created ? `, measured ${day(Date.parse(created))}` : "";
}

function day(milliseconds) {
  return new Date(milliseconds).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

export function Judged({ findings }) {
  const { judging, modelmeter, created } = findings;
  const short = judging.under_a_day ? " The window is under a day, so the time of day may show as drift." : "";
  return html`
    <footer class="foot">
      <p>
        A change alarms when it is no chance (z above ${figure(judging.z_threshold)}, so that of${" "}
        ${count(judging.tests)} questions no more false alarms a month are expected than${" "}
        ${figure(judging.alarms_per_month)}) and when it matters (PSI beyond noise above${" "}
        ${figure(judging.psi_excess)} or ${figure(judging.variation_factor)} times what days drift by
        ${" "}themselves; a rate by ${figure(100 * judging.rate_difference)} points).${short}
      </p>
      <p>modelmeter ${modelmeter}, ${moment(Date.parse(created) / 1000)}</p>
    </footer>
  `;
}

// A value that training would not wonder at, for the request of the empty page.
function usual(part) {
  const median = part.quantiles.find((one) => one.q === 0.5);
  if (part.kind === "datetime") return median ? new Date(median.training * 1000).toISOString() : null;
  if (median) return Number(median.training.toPrecision(4));
  const [most] = part.bins
    .filter((bin) => bin.kind === "category")
    .sort((a, b) => b.training_rows - a.training_rows);
  if (!most) return null;
  return part.kind === "boolean" ? most.label.toLowerCase() === "true" : most.label;
}

// The most that is written into an example.
const MOST_FEATURES = 30;

function example(findings, url) {
  const row = Object.fromEntries(findings.features.slice(0, MOST_FEATURES).map((part) => [part.name, usual(part)]));
  const body = JSON.stringify(row).replaceAll("'", "'\\''");
  return `curl ${url} -H 'Content-Type: application/json' \\\n  -d '${body}'`;
}

export function Empty({ findings, predictUrl }) {
  return html`
    <section class="card empty" aria-labelledby="empty-title">
      <h2 id="empty-title">No predictions yet</h2>
      <p>
        The first rows will show here within seconds; drift can be told after some hundreds.
        ${" "}${predictUrl ? "Send one:" : "Send a request to the route that predicts, or call predict() of the watched model."}
      </p>
      ${predictUrl && html`<pre tabindex="0"><code>${example(findings, predictUrl)}</code></pre>`}
    </section>
  `;
}

export function stateTitle({ state, model }) {
  return `${state === "alarm" ? "● " : ""}${model.name} ${model.version}: ${STATES[state]}`;
}
