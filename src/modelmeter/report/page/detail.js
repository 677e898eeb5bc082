// All that is known of one feature, or one output.
import { html } from "./library.js";
import { Picture, binChart, timeChart, usedBins } from "./charts.js";
import { Fold, Table } from "./parts.js";
import { CHECKS, binName, count, duration, figure, moment, percent } from "./words.js";

const STATISTICS = [
  ["psi_excess", "PSI beyond noise"],
  ["psi", "PSI"],
  ["kl", "Kullback-Leibler divergence"],
  ["js_distance", "Jensen-Shannon distance"],
  ["hellinger", "Hellinger distance"],
  ["tvd", "Total variation distance"],
  ["ks", "Kolmogorov-Smirnov"],
  ["wasserstein", "Wasserstein, in standard deviations"],
  ["g", "G"],
  ["z", "z of G"],
];

export function pictureWords(part) {
  if (!part.rows) return `${part.name}: training only, no live rows`;
  const moved = part.moved.slice(0, 3).map((place) => {
    const bin = part.bins[place];
    return `${binName(bin)} ${percent(bin.share)}, training ${percent(bin.training_share)}`;
  });
  return `${part.name}, live against training: ${moved.join("; ") || "no rows moved"}`;
}

export function Distribution({ part, size = "wide" }) {
  const bins = usedBins(part);
  const ordered = bins.some((bin) => bin.ord !== null);
  const high = ordered ? "" : bins.length > 9 ? "tall" : bins.length > 4 ? "" : "low";
  return html`<${Picture}
    make=${binChart}
    data=${{ bins, rows: part.rows }}
    label=${pictureWords(part)}
    size="${size} ${high}"
  />`;
}

// What there is to say of drift, in a sentence.
function DriftWords({ drift, rows }) {
  if (drift.state === "few_training_rows") {
    return html`<p>Training has too few rows to tell drift of so many bins, whatever comes.</p>`;
  }
  if (drift.state === "few_rows") {
    const needed = drift.rows_needed;
    const about = needed === null ? "" : `; about ${count(Number(needed.toPrecision(2)))} are needed`;
    return html`<p>${count(rows)} rows are too few to tell drift${about}.</p>`;
  }
  const real = drift.z > drift.z_threshold;
  const matters = drift.psi_excess > drift.threshold;
  return html`<p>
    PSI beyond noise is <b>${figure(drift.psi_excess)}</b>, which ${matters ? "matters" : "does not matter"}
    ${" "}(threshold ${figure(drift.threshold)}); z is <b>${figure(drift.z)}</b>,
    ${" "}${real ? "so it is no chance" : "so it may be chance"} (threshold ${figure(drift.z_threshold)}).
  </p>`;
}

function Moved({ part }) {
  const moved = part.moved.map((place) => part.bins[place]).filter((bin) => bin.rows || bin.training_rows);
  if (!part.rows || !moved.length) return null;
  return html`
    <div class="moved">
      <h4>Moved most</h4>
      <ul>
        ${moved.map((bin) => html`
          <li>
            <span class="name" title=${bin.label}>${binName(bin)}</span>
            <span class="from">${percent(bin.training_share)} → <b>${percent(bin.share)}</b></span>
          </li>
        `)}
      </ul>
    </div>
  `;
}

function Rates({ part }) {
  const known = part.rates.filter((rate) => rate.rate || rate.training_rate || rate.state === "alarm");
  if (!part.rows) return null;
  if (!known.length) {
    const words = part.rates.map((rate) => CHECKS[rate.check]);
    return html`<p class="muted">No value is ${words.slice(0, -1).join(", ")} or ${words.at(-1)}.</p>`;
  }
  return html`<${Table}
    caption=${`Rates of ${part.name}`}
    head=${["Rows", "Live", "Training", "z"]}
    numbers=${[1, 2, 3]}
    marked=${(row) => known[row].state === "alarm"}
    rows=${known.map((rate) => [
      CHECKS[rate.check],
      percent(rate.rate),
      percent(rate.training_rate),
      figure(rate.z),
    ])}
  />`;
}

function quantile(value, part) {
  return part.kind === "datetime" && value !== null ? moment(value) : figure(value);
}

function Quantiles({ part }) {
  if (!part.quantiles.length) return null;
  return html`
    <${Fold} summary="Quantiles">
      <${Table}
        caption=${`Quantiles of ${part.name}`}
        head=${["Quantile", "Live", "Training"]}
        numbers=${[1, 2]}
        rows=${part.quantiles.map((one) => [
          one.q === 0 ? "min" : one.q === 1 ? "max" : one.q === 0.5 ? "median" : percent(one.q),
          quantile(one.live, part),
          quantile(one.training, part),
        ])}
      />
    <//>
  `;
}

function Bins({ part }) {
  return html`
    <${Fold} summary="All bins">
      <${Table}
        caption=${`Bins of ${part.name}`}
        head=${["Bin", "Live", "Training", "Live rows", "Part of PSI"]}
        numbers=${[1, 2, 3, 4]}
        rows=${part.bins.map((bin) => [
          bin.label,
          percent(bin.share),
          percent(bin.training_share),
          count(bin.rows),
          figure(bin.contribution),
        ])}
      />
    <//>
  `;
}

function Statistics({ name, drift }) {
  const known = STATISTICS.filter(([key]) => drift[key] !== null);
  if (!known.length) return null;
  return html`
    <${Fold} summary="All statistics">
      <${Table}
        caption=${`Statistics of ${name}`}
        head=${["Statistic", "Value"]}
        numbers=${[1]}
        rows=${known.map(([key, text]) => [text, figure(drift[key])])}
      />
    <//>
  `;
}

const PROPER = { missing: 1, unseen: 1, out_of_range: 1, invalid: 1 };

function Curves({ part, history }) {
  const own = (history?.curves ?? []).filter((one) => one.feature === part.name && one.points.length);
  const drift = own.find((one) => one.name === "psi_excess");
  const rates = own.filter((one) => one.name in PROPER && one.points.some(([, value]) => value > 0));
  if (!drift && !rates.length) return null;
  const { since, until } = history;
  return html`
    <div class="curves">
      ${drift && html`
        <div>
          <h4>PSI beyond noise over time</h4>
          <${Picture}
            make=${timeChart}
            data=${{
              since,
              until,
              level: part.drift.threshold,
              levelName: "Threshold",
              lines: [{ label: "PSI beyond noise", points: drift.points, name: "live" }],
            }}
            label=${`PSI beyond noise of ${part.name} over time`}
            size="low"
          />
        </div>
      `}
      ${rates.map((one) => html`
        <div key=${one.name}>
          <h4>Share ${CHECKS[one.name]} over time</h4>
          <${Picture}
            make=${timeChart}
            data=${{
              since,
              until,
              format: percent,
              lines: [{ label: CHECKS[one.name], points: one.points, name: "live" }],
            }}
            label=${`Share of ${part.name} ${CHECKS[one.name]} over time`}
            size="low"
          />
        </div>
      `)}
    </div>
  `;
}

function Times({ part, now }) {
  const said = [];
  if (part.last_value) said.push(`last value ${duration(Math.max(now - part.last_value, 0))} ago`);
  if (part.last_change) said.push(`last change ${duration(Math.max(now - part.last_change, 0))} ago`);
  if (part.drift.natural) said.push(`days drift by ${figure(part.drift.natural)} by themselves`);
  if (part.importance !== null) said.push(`importance ${percent(part.importance)}`);
  return html`<p class="muted">
    ${part.kind}${part.dtype && ` (${part.dtype})`}, ${count(part.rows)} live and
    ${" "}${count(part.training_rows)} training rows${said.map((text) => `; ${text}`)}
  </p>`;
}

// An output: the picture, and the rest behind it.
export function Output({ part, history, now }) {
  return html`
    <div class="detail">
      <${Distribution} part=${part} />
      <${DriftWords} drift=${part.drift} rows=${part.rows} />
      <${Curves} part=${part} history=${history} />
      <${Fold} summary="Details">
        <div class="facts">
          <${Moved} part=${part} />
          <${Rates} part=${part} />
        </div>
        <div class="folds">
          <${Bins} part=${part} />
          <${Quantiles} part=${part} />
          <${Statistics} name=${part.name} drift=${part.drift} />
        </div>
        <${Times} part=${part} now=${now} />
      <//>
    </div>
  `;
}

// A feature: everything, side by side where there is room.
export function Detail({ part, history, now }) {
  return html`
    <div class="detail">
      <div class="columns">
        <div>
          <${Distribution} part=${part} />
          <${Curves} part=${part} history=${history} />
        </div>
        <div class="facts">
          <${DriftWords} drift=${part.drift} rows=${part.rows} />
          <${Moved} part=${part} />
          <${Rates} part=${part} />
        </div>
      </div>
      <div class="folds">
        <${Bins} part=${part} />
        <${Quantiles} part=${part} />
        <${Statistics} name=${part.name} drift=${part.drift} />
      </div>
      <${Times} part=${part} now=${now} />
    </div>
  `;
}
