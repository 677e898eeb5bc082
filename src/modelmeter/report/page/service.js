// The service: golden signals, labels, and whether what serves is what was trained.
import { html } from "./library.js";
import { Fold, Section, Table, Tile, Tiles } from "./parts.js";
import { Traffic } from "./history.js";
import { before, bytes, count, duration, percent, perSecond } from "./words.js";

export function Signals({ findings }) {
  const { signals, history } = findings;
  if (!signals) return null;
  const now = Date.parse(findings.created) / 1000;
  const failing = findings.problems.some((one) => one.check === "errors");
  const { latency, model_latency: model, prediction_error_ratio: failed, workers } = signals;
  return html`
    <${Section} id="signals" title="Service">
      <${Tiles}>
        <${Tile} name="Requests" value=${perSecond(signals.requests_per_second)} note=${`${count(signals.requests)} answered`} />
        <${Tile} name="Failed requests" value=${percent(signals.error_ratio)} note="status 500 and above" alarm=${failing && signals.error_ratio > 0} />
        <${Tile} name="Latency" value=${duration(latency.p50)} note=${`p95 ${duration(latency.p95)}, p99 ${duration(latency.p99)}`} />
        <${Tile} name="In progress" value=${count(signals.in_progress)} note="requests, now" />
        <${Tile}
          name="Rows predicted"
          value=${perSecond(signals.predictions_per_second)}
          note=${failed ? `${percent(failed)} failed in the model` : `last row ${before(signals.last_prediction, now)}`}
          alarm=${failing && failed > 0}
        />
        <${Tile} name="Time in the model" value=${duration(model.p50)} note=${`p95 ${duration(model.p95)}, per call`} />
      <//>
      <${Traffic} history=${history} />
      ${workers.length > 0 && html`
        <${Fold} summary=${workers.length > 1 ? `${workers.length} workers` : "The process"}>
          <${Table}
            caption="Workers"
            head=${["Worker", "Up", "Memory", "Event loop lag", "Threads busy"]}
            numbers=${[1, 2, 3, 4]}
            rows=${workers.map((one) => [
              one.worker || "0",
              one.started ? duration(Math.max(now - one.started, 0)) : "–",
              bytes(one.resident_bytes),
              duration(one.event_loop_lag_seconds),
              percent(one.threadpool_busy_ratio),
            ])}
          />
        <//>
      `}
    <//>
  `;
}

const OUTCOMES = {
  duplicate: "Duplicates",
  orphan: "Without a prediction",
  contradiction: "Contradict an earlier one",
  invalid: "Invalid",
  expired: "Expired",
};

export function Labels({ findings }) {
  const { labels } = findings;
  if (!labels) return null;
  const now = Date.parse(findings.created) / 1000;
  const others = Object.entries(labels.outcomes).filter(([name, n]) => name !== "counted" && n > 0);
  return html`
    <${Section} id="labels" title="Labels">
      <${Tiles}>
        <${Tile} name="Labels counted" value=${count(labels.arrived)} note=${labels.last_label ? `last ${before(labels.last_label, now)}` : "none yet"} />
        <${Tile} name="Come after" value=${duration(labels.lag_p50_seconds)} note=${`p95 ${duration(labels.lag_p95_seconds)}`} />
        <${Tile} name="Waiting for a label" value=${count(labels.pending)} note=${labels.oldest_pending ? `oldest ${before(labels.oldest_pending, now)}` : "predictions"} />
        ${others.map(([name, n]) => html`<${Tile} key=${name} name=${OUTCOMES[name] ?? name} value=${count(n)} />`)}
      <//>
      ${labels.coverage.length > 0 && html`
        <${Fold} summary="How many predictions have a label, by their age">
          <${Table}
            caption="Coverage by age"
            head=${["Age of the prediction", "Predictions", "Labels", "Share"]}
            numbers=${[1, 2, 3]}
            rows=${labels.coverage.map((one) => [one.age, count(one.predictions), count(one.labels), percent(one.ratio)])}
          />
        <//>
      `}
    <//>
  `;
}

const LEVELS = ["the same", "another patch", "another minor version", "another major version"];

export function Health({ findings }) {
  const { skew, monitoring, model } = findings;
  const { canary, libraries, schema, profile_hash: hash } = skew;
  const other = libraries.filter((one) => one.mismatch > 0);
  const lost = [...monitoring.failures, ...monitoring.dropped];
  const asked = canary && canary.equal + canary.different + canary.failed;
  const rows = [];
  const add = (what, said, bad = false) => rows.push([what, said, bad]);
  if (hash) {
    const same = hash === model.profile_hash;
    add("Profile", same ? "the one that serves" : `another one serves: ${hash}`, !same);
  }
  if (canary) {
    const same = canary.equal === asked;
    const other = `${count(canary.different)} of ${count(asked)} answered otherwise, ${count(canary.failed)} failed`;
    add("Rows asked again", same ? `all ${count(asked)} answered as in training` : other, !same);
  }
  if (libraries.length && !other.length) add("Libraries", `${libraries.length} as in training`);
  for (const one of other) {
    const versions = `${one.serving}, trained with ${one.training}`;
    add(one.library, `${versions}: ${LEVELS[one.mismatch]}`, one.mismatch > 1);
  }
  if (skew.schema_checks && !schema.length) add("Columns", "as in training");
  for (const one of schema) add(one.feature || "Columns", `${one.check}, ${count(one.count)} times`, true);
  for (const one of lost) {
    const what = one.reason ? `dropped (${one.reason})` : "failures";
    add(`Monitoring: ${one.where}`, `${count(one.count)} ${what}`, true);
  }
  if (!rows.length) return null;
  return html`
    <${Section} id="health" title="Serving as trained">
      <div class="card">
        <dl class="checks">
          ${rows.map(([what, said, bad]) => html`<div><dt>${what}</dt><dd class=${bad ? "bad" : ""}>${said}</dd></div>`)}
        </dl>
      </div>
    <//>
  `;
}
