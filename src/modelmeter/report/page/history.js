// Curves over time, where Prometheus has them.
import { html } from "./library.js";
import { Picture, timeChart } from "./charts.js";
import { metricName, perSecond } from "./words.js";

const COLOURS = { realised: "live", estimated: "estimated" };

export function Traffic({ history }) {
  const curve = history?.curves.find((one) => one.name === "predictions_per_second");
  if (!curve?.points.length) return null;
  const { since, until } = history;
  return html`
    <article class="card">
      <header class="card-head"><h3>Predictions over time</h3></header>
      <${Picture}
        make=${timeChart}
        data=${{
          since,
          until,
          format: perSecond,
          lines: [{ label: "Predictions", points: curve.points, name: "live" }],
        }}
        label="Predictions per second over time"
        size="low"
      />
    </article>
  `;
}

export function PerformanceCurves({ history, metrics }) {
  const curves = (history?.curves ?? []).filter((one) => one.source && one.points.length);
  const names = [...new Set(curves.map((one) => one.name))];
  if (!names.length) return null;
  return html`
    <div class="cards">
      ${names.map((name) => {
        const lines = curves
          .filter((one) => one.name === name)
          .map((one) => ({ label: one.source, points: one.points, name: COLOURS[one.source] ?? "live" }));
        const own = metrics.find((one) => one.metric === name && one.class === null);
        const data = {
          since: history.since,
          until: history.until,
          lines,
          level: own?.baseline?.value ?? null,
          levelName: "Training",
          fromZero: false,
        };
        return html`
          <article class="card" key=${name}>
            <header class="card-head">
              <h3>${metricName(name)} over time</h3>
              <span class="legend">
                ${lines.map((one) => html`<span class="key ${one.name}" aria-hidden="true" />${one.label} `)}
              </span>
            </header>
            <${Picture}
              make=${timeChart}
              data=${data}
              label=${`${metricName(name)} over time`}
              size="low"
            />
          </article>
        `;
      })}
    </div>
  `;
}
