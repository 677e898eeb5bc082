// The features, those first that matter most.
import { Component, html, useMemo, useRef, useState } from "./library.js";
import { Picture, sparkline, usedBins } from "./charts.js";
import { Detail, pictureWords } from "./detail.js";
import { Choice, Legend, Section, State } from "./parts.js";
import { NOTHING, count, figure, percent, score, shortened, stateWord } from "./words.js";

const HEAD = ["Feature", "State", "Distribution", "Drift", "Missing", "Unseen, out of range", "Importance"];
const OUTSIDE = ["unseen", "out_of_range"];

function Rate({ rate, name }) {
  if (!rate || rate.rate === null) {
    return html`<span class="cell rate"><span class="hidden">${name} </span>${NOTHING}</span>`;
  }
  const bad = rate.state === "alarm";
  return html`
    <span class="cell rate ${bad ? "bad" : rate.rate ? "" : "zero"}">
      <span class="label">${name}</span>
      <span class="value">${percent(rate.rate)}</span>
      ${(bad || rate.training_rate > 0) && html`<small>training ${percent(rate.training_rate)}</small>`}
    </span>
  `;
}

// Drift beside its threshold, which is at a third of the scale.
function Meter({ drift }) {
  const excess = drift.psi_excess;
  const known = drift.state === "alarm" || drift.state === "ok";
  if (excess === null || !known) {
    return html`<span class="cell drift"><span class="hidden">Drift </span>${NOTHING}</span>`;
  }
  const share = Math.min(Math.max(excess, 0) / (3 * drift.threshold), 1);
  return html`
    <span class="cell drift ${drift.state === "alarm" ? "bad" : ""}">
      <span class="label">Drift</span>
      <span class="value">${score(Math.max(excess, 0))}</span>
      <small>limit ${figure(drift.threshold)}</small>
      <span class="meter" aria-hidden="true"><span style=${{ width: `${100 * share}%` }} /></span>
    </span>
  `;
}

class Feature extends Component {
  // Most rows are as they were when the page is drawn again for another reason.
  shouldComponentUpdate(next) {
    return ["part", "opened", "history", "now"].some(
      (name) => next[name] !== this.props[name] && (name !== "now" || next.opened),
    );
  }

  render({ part, opened, toggle, history, now }) {
    const of = (check) => part.rates.find((one) => one.check === check);
    const outside = part.rates.find((one) => OUTSIDE.includes(one.check));
    return html`
      <li class="feature ${part.state}" data-feature=${part.name}>
        <details open=${opened} onToggle=${(event) => toggle(part.name, event.currentTarget.open)}>
          <summary>
            <h3 class="name" title=${part.name}>${shortened(part.name)}</h3>
            <${State} state=${part.state} text=${stateWord(part)} />
            <${Picture}
              make=${sparkline}
              data=${{ bins: usedBins(part), rows: part.rows }}
              label=${pictureWords(part)}
              size="spark"
            />
            <${Meter} drift=${part.drift} />
            <${Rate} rate=${of("missing")} name="Missing" />
            <${Rate} rate=${outside} name=${outside?.check === "unseen" ? "Unseen" : "Out of range"} />
            <span class="cell importance">
              <span class="label">Importance</span>
              <span class="value">${percent(part.importance)}</span>
            </span>
          </summary>
          ${opened && html`<${Detail} part=${part} history=${history} now=${now} />`}
        </details>
      </li>
    `;
  }
}

const FILTERS = {
  all: () => true,
  alarm: (part) => part.state === "alarm",
  unknown: (part) => part.state.startsWith("few"),
};

// Rows that hop about cannot be read: there is a new order when something else has changed, and
// even then not while the reader has opened a row or has the focus on one.
function useCalmOrder(features, isRead) {
  const kept = useRef({ changed: "", places: new Map() });
  return useMemo(() => {
    const names = features.map((part) => part.name);
    const changed = JSON.stringify(features.filter(FILTERS.alarm).map((part) => part.name).sort());
    const { places } = kept.current;
    const same = names.length === places.size && names.every((name) => places.has(name));
    if (!same || (changed !== kept.current.changed && !isRead())) {
      kept.current = { changed, places: new Map(names.map((name, i) => [name, i])) };
      return features;
    }
    return [...features].sort((a, b) => places.get(a.name) - places.get(b.name));
  }, [features]);
}

export function Features({ findings, opened, toggle }) {
  const [sought, setSought] = useState("");
  const [filter, setFilter] = useState("all");
  const { history } = findings;
  const isRead = () => opened.size > 0 || document.activeElement?.closest(".features");
  const features = useCalmOrder(findings.features, isRead);
  const now = Date.parse(findings.created) / 1000;
  const counts = Object.fromEntries(
    Object.entries(FILTERS).map(([name, holds]) => [name, features.filter(holds).length]),
  );
  const chosen = useMemo(() => {
    const text = sought.trim().toLowerCase();
    return features.filter((part) => FILTERS[filter](part) && part.name.toLowerCase().includes(text));
  }, [features, sought, filter]);
  const options = [
    ["all", `All ${count(counts.all)}`],
    ["alarm", `Changed ${count(counts.alarm)}`],
    ["unknown", `Insufficient data ${count(counts.unknown)}`],
  ].filter(([name]) => name === "all" || name === filter || counts[name]);
  const found = chosen.length === features.length ? "" : `${count(chosen.length)} of ${count(features.length)} shown`;
  return html`
    <${Section} id="features" title="Features" aside=${html`<${Legend} />`}>
      <div class="tools">
        <label class="search">
          <span class="hidden">Search features</span>
          <input
            type="search"
            placeholder="Search features"
            value=${sought}
            onInput=${(event) => setSought(event.currentTarget.value)}
          />
        </label>
        ${options.length > 1 && html`<${Choice} name="Show" options=${options} value=${filter} onChange=${setFilter} />`}
        <span class="muted" role="status">${found}</span>
      </div>
      <div class="card list ${features.some((part) => part.importance !== null) ? "" : "unweighted"}">
        <div class="feature-head" aria-hidden="true">
          ${HEAD.map((name) => html`<span>${name}</span>`)}
        </div>
        <ul class="features">
          ${chosen.map((part) => html`
            <${Feature}
              key=${part.name}
              part=${part}
              opened=${opened.has(part.name)}
              toggle=${toggle}
              history=${history}
              now=${now}
            />
          `)}
        </ul>
        ${!chosen.length && html`<p class="nothing">${features.length ? "No feature is like that." : "The model has no features."}</p>`}
      </div>
    <//>
  `;
}
