// How good the model is: from labels, estimated before they come, and in training.
import { html, useState } from "./library.js";
import { Picture, axisTitle, line, lineChart } from "./charts.js";
import { Choice, Fold, Section, State, Table } from "./parts.js";
import { PerformanceCurves } from "./history.js";
import { NOTHING, count, figure, metricName, percent, score, shortened, signed } from "./words.js";

const SIDES = [
  ["realised", "From labels"],
  ["estimated", "Estimated"],
  ["baseline", "Training"],
];

function Value({ side }) {
  if (!side) return NOTHING;
  const bad = side.state === "alarm";
  return html`<span class=${bad ? "bad" : ""}>
    <b>${score(side.value)}</b>${side.error > 0 && html`<small> ± ${score(side.error)}</small>`}
  </span>`;
}

function fullName(metric) {
  const name = metricName(metric.metric);
  return metric.class === null ? name : `${name}, ${shortened(metric.class, 30)}`;
}

function Metrics({ metrics, name }) {
  const sides = SIDES.filter(([side]) => metrics.some((one) => one[side]));
  const judged = metrics.findIndex((one) => one.judged);
  return html`
    <${Table}
      caption=${name}
      head=${["Metric", ...sides.map(([, text]) => text), "Change"]}
      numbers=${[...sides.map((_, i) => i + 1), sides.length + 1]}
      marked=${(row) => row === judged}
      rows=${metrics.map((one) => [
        html`${fullName(one)}${one.judged && html` <span class="tag">judged</span>`}`,
        ...sides.map(([side]) => html`<${Value} side=${one[side]} />`),
        signed((one.realised ?? one.estimated)?.change),
      ])}
    />
  `;
}

// The main figure, large, for each side.
function Headline({ performance }) {
  const main = performance.metrics.find((one) => one.main);
  if (!main) return null;
  const rows = {
    realised: `${count(performance.labelled_rows)} labels`,
    estimated: `${count(performance.predicted_rows)} predictions`,
    baseline: performance.baseline_rows ? `${count(performance.baseline_rows)} rows, out of sample` : "out of sample",
  };
  return html`
    <dl class="tiles">
      ${SIDES.map(([side, text]) => html`
        <div class="tile ${main[side]?.state === "alarm" ? "alarm" : ""}">
          <dt>${metricName(main.metric)}, ${text.toLowerCase()}</dt>
          <dd>${main[side] ? score(main[side].value) : NOTHING}<small>${rows[side]}</small></dd>
        </div>
      `)}
    </dl>
  `;
}

function Confusion({ confusion, classes }) {
  const known = SIDES.filter(([side]) => confusion[side]);
  const [chosen, choose] = useState(null);
  if (!known.length) return null;
  const side = confusion[chosen] ? chosen : known[0][0];
  const table = confusion[side];
  const names = classes.map((name) => shortened(name, 24));
  return html`
    <article class="card">
      <header class="card-head">
        <h3>Confusion matrix</h3>
        ${known.length > 1 && html`<${Choice} name="Confusion matrix" options=${known} value=${side} onChange=${choose} />`}
      </header>
      <div class="scroll" role="region" aria-label="Confusion matrix" tabindex="0">
        <table class="confusion">
          <caption class="hidden">Rows by true class (down) and predicted class (across)</caption>
          <thead>
            <tr>
              <td class="corner">true ↓ predicted →</td>
              ${names.map((name) => html`<th scope="col">${name}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${table.map((cells, true_) => {
              const total = cells.reduce((sum, cell) => sum + cell, 0);
              return html`
                <tr>
                  <th scope="row">${names[true_]}</th>
                  ${cells.map((cell, said) => {
                    const share = total ? cell / total : 0;
                    return html`<td
                      class=${said === true_ ? "right" : "wrong"}
                      style=${{ "--share": share.toFixed(3) }}
                    >${count(cell)}<small>${percent(total ? share : null)}</small></td>`;
                  })}
                </tr>
              `;
            })}
          </tbody>
        </table>
      </div>
      <p class="muted">Percentages are of the true class.</p>
    </article>
  `;
}

function reliabilityChart(bins) {
  const points = (name) =>
    bins.filter((bin) => bin[name] !== null && bin.score !== null).map((bin) => ({ x: bin.score, y: bin[name], bin }));
  const shares = { min: 0, max: 1, ticks: { callback: (value) => percent(value), maxTicksLimit: 6 } };
  return lineChart({
    lines: () => [
      line("Live", points("positive_ratio"), "live"),
      line("Training", points("training_ratio"), "training-line", { pointRadius: 0 }),
      line("Ideal", [{ x: 0, y: 0 }, { x: 1, y: 1 }], "line-strong", {
        borderDash: [4, 4],
        borderWidth: 1,
        pointRadius: 0,
        pointHitRadius: 0,
      }),
    ],
    x: { ...shares, title: axisTitle("Score") },
    y: { ...shares, title: axisTitle("Share of positive outcomes") },
    said: ({ dataset, parsed, raw }) => {
      const rows = dataset.label === "Live" ? ` of ${count(raw.bin.rows)} rows` : "";
      return `${dataset.label}: score ${percent(parsed.x)}, outcome ${percent(parsed.y)}${rows}`;
    },
  });
}

function Reliability({ bins }) {
  const known = bins.filter((bin) => bin.rows);
  return html`
    <article class="card">
      <header class="card-head">
        <h3>Reliability <small>does a score of 30 % come true in 30 % of cases?</small></h3>
      </header>
      <${Picture} make=${reliabilityChart} data=${bins} label="Reliability curve, see the table below" size="square" />
      <${Fold} summary="As a table">
        <${Table}
          caption="Reliability"
          head=${["Score", "Labelled", "Positive", "Training"]}
          numbers=${[1, 2, 3]}
          rows=${known.map((bin) => [
            bin.label,
            count(bin.rows),
            html`${percent(bin.positive_ratio)}${bin.error > 0 && html` <small>± ${percent(bin.error)}</small>`}`,
            percent(bin.training_ratio),
          ])}
        />
      <//>
    </article>
  `;
}

function Errors({ bins }) {
  return html`
    <article class="card whole">
      <header class="card-head"><h3>Errors by predicted value</h3></header>
      <${Table}
        caption="Errors by predicted value"
        head=${["Predicted", "Labelled", "MAE", "Training", "Bias", "Training"]}
        numbers=${[1, 2, 3, 4, 5]}
        rows=${bins.map((bin) => [
          bin.label,
          count(bin.rows),
          figure(bin.mae),
          figure(bin.training_mae),
          signed(bin.bias),
          signed(bin.training_bias),
        ])}
      />
    </article>
  `;
}

function Segments({ segments }) {
  if (!segments.length) return null;
  const main = segments[0].metrics.find((one) => one.main)?.metric;
  const of = (segment) => segment.metrics.find((one) => one.metric === main && one.class === null);
  return html`
    <article class="card whole">
      <header class="card-head"><h3>Segments${main && html` <small>${metricName(main)}</small>`}</h3></header>
      <${Table}
        caption="Performance by segment"
        head=${["Segment", "Rows", "Labelled", ...SIDES.map(([, text]) => text)]}
        numbers=${[1, 2, 3, 4, 5]}
        rows=${segments.map((one) => [
          one.segment,
          count(one.rows),
          count(one.labelled_rows),
          ...SIDES.map(([side]) => html`<${Value} side=${of(one)?.[side]} />`),
        ])}
      />
    </article>
  `;
}

export function Performance({ findings }) {
  const { performance, model, history } = findings;
  if (!performance) return null;
  const { confusion, reliability, error_bins: errors } = performance;
  const rank = (one) => (one.main ? 0 : one.judged ? 1 : 2);
  const metrics = [...performance.metrics].sort((a, b) => rank(a) - rank(b));
  const judged = metrics.find((one) => one.judged);
  const state = (judged?.realised ?? judged?.estimated)?.state;
  const name = judged && metricName(judged.metric);
  const words = {
    alarm: `${name} is worse than in training`,
    ok: "As good as in training",
    few_rows: `Too few rows to judge ${name}`,
    few_training_rows: `Too few training rows to judge ${name}`,
  };
  return html`
    <${Section}
      id="performance"
      title="Performance"
      aside=${state && html`<${State} state=${state} text=${words[state]} />`}
    >
      ${performance.unmeasured && html`<p class="muted">No baseline: ${performance.unmeasured}.</p>`}
      <${Headline} performance=${performance} />
      <${PerformanceCurves} history=${history} metrics=${metrics} />
      <div class="cards">
        ${confusion && html`<${Confusion} confusion=${confusion} classes=${model.classes} />`}
        ${reliability?.some((bin) => bin.rows) && html`<${Reliability} bins=${reliability} />`}
        ${errors?.some((bin) => bin.rows) && html`<${Errors} bins=${errors} />`}
        ${metrics.length > 0 && html`
          <article class="card whole">
            <header class="card-head"><h3>All metrics</h3></header>
            <${Metrics} metrics=${metrics} name="All metrics" />
            ${performance.method && html`<p class="muted">Training was measured out of sample: ${performance.method}.</p>`}
          </article>
        `}
        <${Segments} segments=${performance.segments} />
      </div>
    <//>
  `;
}
