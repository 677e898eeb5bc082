// Puts the page together: of findings in the file itself, or of those that the service has now.
import { html, render, useCallback, useEffect, useState } from "./library.js";
import { Answers } from "./answers.js";
import { Features } from "./features.js";
import { Performance } from "./performance.js";
import { Health, Labels, Signals } from "./service.js";
import { Empty, Facts, Judged, Verdict, stateTitle } from "./top.js";
import { Controls, Freshness, TokenForm, useFindings } from "./live.js";
import { shortened } from "./words.js";

function Page({ findings, controls, freshness, warning, predictUrl }) {
  const [opened, setOpened] = useState(new Set());
  const toggle = useCallback((name, isOpen) => {
    setOpened((before) => {
      if (before.has(name) === isOpen) return before;
      const after = new Set(before);
      if (isOpen) after.add(name);
      else after.delete(name);
      return after;
    });
  }, []);
  useEffect(() => {
    document.title = stateTitle(findings);
  }, [findings]);
  const { model, rows } = findings;
  const isEmpty = !rows && findings.source.kind !== "file" && !findings.problems.length;
  const parts = [
    [findings.signals && !isEmpty, Signals],
    [findings.predictions.length, Answers],
    [true, Features],
    [findings.performance, Performance],
    [findings.labels, Labels],
    [true, Health],
  ];
  return html`
    <a class="skip" href="#features">To the features</a>
    <header class="top">
      <div class="title">
        <h1 title=${model.name}>${shortened(model.name)} <small>${shortened(model.version, 30)}</small></h1>
        ${freshness}
      </div>
      ${controls}
    </header>
    <main>
      ${warning && html`<p class="warning" role="alert">${warning}</p>`}
      ${isEmpty
        ? html`<${Empty} findings=${findings} predictUrl=${predictUrl} />`
        : html`<${Verdict} findings=${findings} />`}
      <${Facts} findings=${findings} />
      ${parts.map(([there, Part], i) => there && html`<${Part} key=${i} findings=${findings} opened=${opened} toggle=${toggle} />`)}
    </main>
    <${Judged} findings=${findings} />
  `;
}

function Live({ base }) {
  const live = useFindings(base);
  const { about, findings, error, refused } = live;
  if (refused !== null) return html`<${TokenForm} refused=${refused} enter=${live.enter} />`;
  if (!findings) {
    return html`<main class="middle"><p role="status">${error ?? "Asking the service …"}</p></main>`;
  }
  const { name, version } = findings.model;
  const route = about.models.find((one) => one.name === name && one.version === version)?.predict;
  const root = location.origin + location.pathname.replace(/\/$/, "").slice(0, -about.path.length);
  return html`<${Page}
    findings=${findings}
    controls=${html`<${Controls} live=${live} />`}
    freshness=${html`<${Freshness} live=${live} />`}
    warning=${error && `${error.replace(/[^.]$/, "$&.")} What is shown is what was known last.`}
    predictUrl=${route && root + route}
  />`;
}

const page = document.getElementById("page");
const inlined = document.getElementById("findings");
page.replaceChildren();
render(inlined ? html`<${Page} findings=${JSON.parse(inlined.textContent)} />` : html`<${Live} base=${page.dataset.base} />`, page);
