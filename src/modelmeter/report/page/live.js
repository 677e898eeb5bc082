// Asks the service for findings, again and again, and remembers what the reader chose.
import { html, useCallback, useEffect, useRef, useState } from "./library.js";
import { Choice } from "./parts.js";
import { before, clock, shortened } from "./words.js";

const EVERY = 5000;
const LONGEST = 60000;
const TOKEN = "modelmeter token";

class Refused extends Error {}

// What is chosen is in the address, so that it can be sent to somebody.
function chosenBefore() {
  const given = new URLSearchParams(location.search);
  return {
    model: given.get("model") ?? "",
    window: given.get("window") ?? "",
    source: given.get("source") ?? "",
  };
}

function remember(chosen) {
  const given = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value));
  const text = given.toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
}

async function ask(path, parameters = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const given = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
  const answer = await fetch(`${path}?${given}`, {
    headers,
    cache: "no-store",
    signal: AbortSignal.timeout(LONGEST),
  });
  if (answer.status === 401) throw new Refused(token ? "That token is not the right one." : "");
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.detail ?? `The service answers ${answer.status}.`);
  return said;
}

/** Findings as they are now, and what the reader can do about them. */
export function useFindings(base) {
  const [state, setState] = useState({ about: null, findings: null, error: null, refused: null, at: 0 });
  const [chosen, setChosen] = useState(chosenBefore);
  const [paused, setPaused] = useState(false);
  const turn = useRef(0);
  const timer = useRef(0);
  const wait = useRef(EVERY);
  const release = useRef("");

  const look = useCallback(async () => {
    clearTimeout(timer.current);
    const own = ++turn.current;
    const began = performance.now();
    let next = {};
    try {
      const [about, findings] = await Promise.all([
        ask(`${base}about`),
        ask(`${base}findings`, chosen),
      ]);
      // Another release serves: its page fits its findings.
      if (release.current && release.current !== about.release) location.reload();
      release.current = about.release;
      next = { about, findings, error: null, refused: null, at: Date.now() };
      // What takes long to find out is asked for less often.
      wait.current = Math.min(Math.max(EVERY, 10 * (performance.now() - began)), LONGEST);
    } catch (error) {
      next = error instanceof Refused ? { refused: error.message } : { error: said(error) };
      wait.current = Math.min(1.5 * wait.current, LONGEST);
    }
    if (own !== turn.current) return; // something else was chosen meanwhile
    setState((before) => ({ ...before, ...next }));
    if (next.refused === null || next.error) timer.current = setTimeout(() => tick(), wait.current);
  }, [base, chosen]);

  // A page that nobody sees asks for nothing.
  const current = useRef({});
  current.current = { look, paused };
  const tick = useCallback(() => {
    const { look, paused } = current.current;
    if (!paused && !document.hidden) look();
  }, []);

  useEffect(() => {
    look();
    return () => clearTimeout(timer.current);
  }, [look]);
  useEffect(() => {
    document.addEventListener("visibilitychange", tick);
    return () => document.removeEventListener("visibilitychange", tick);
  }, []);

  const choose = (change) => {
    const now = { ...chosen, ...change };
    remember(now);
    setChosen(now);
  };
  const pause = (on) => {
    setPaused(on);
    current.current.paused = on;
    tick();
  };
  const enter = (token) => {
    sessionStorage.setItem(TOKEN, token);
    look();
  };
  return { ...state, chosen, choose, paused, pause, enter };
}

function said(error) {
  return error instanceof TypeError || error.name === "TimeoutError" ? "The service does not answer." : shortened(error.message, 300);
}

export function TokenForm({ refused, enter }) {
  const submit = (event) => {
    event.preventDefault();
    enter(event.currentTarget.elements.token.value.trim());
  };
  return html`
    <main class="middle">
      <form class="card token" onSubmit=${submit}>
        <h1>modelmeter</h1>
        <p>This service shows its findings to those who have its token: the one that Prometheus scrapes with.</p>
        <label for="token">Token</label>
        <input id="token" name="token" type="password" autocomplete="current-password" required autofocus />
        ${refused && html`<p class="bad" role="alert">${refused}</p>`}
        <button type="submit">Show</button>
        <p class="muted">It is kept in this tab until it is closed.</p>
      </form>
    </main>
  `;
}

export function Controls({ live }) {
  const { about, chosen, choose } = live;
  const models = about.models.map((one) => [`${one.name}/${one.version}`, `${one.name} ${one.version}`]);
  const windows = about.windows.map((one) => [one.window, one.text]);
  const asked = about.prometheus;
  const isOwn = chosen.source !== "prometheus" || !asked;
  const window = chosen.window || (isOwn ? windows[0][0] : asked.windows[0]);
  return html`
    <div class="controls">
      ${models.length > 1 && html`
        <label>
          <span class="hidden">Model</span>
          <select value=${chosen.model || models[0][0]} onChange=${(event) => choose({ model: event.currentTarget.value })}>
            ${models.map(([key, text]) => html`<option key=${key} value=${key}>${shortened(text)}</option>`)}
          </select>
        </label>
      `}
      ${asked && html`
        <${Choice}
          name="Source"
          options=${[["", "This service"], ["prometheus", "Prometheus"]]}
          value=${isOwn ? "" : "prometheus"}
          onChange=${(source) => choose({ source, window: "" })}
        />
      `}
      ${isOwn
        ? html`<${Choice} name="Window" options=${windows} value=${window} onChange=${(value) => choose({ window: value })} />`
        : html`<${Range} windows=${asked.windows} value=${window} onChange=${(value) => choose({ window: value })} />`}
    </div>
  `;
}

// Any range, of what Prometheus has.
function Range({ windows, value, onChange }) {
  const submit = (event) => {
    event.preventDefault();
    const text = event.currentTarget.elements.range.value.trim();
    if (text) onChange(text);
  };
  return html`
    <${Choice} name="Window" options=${windows.map((one) => [one, one])} value=${value} onChange=${onChange} />
    <form onSubmit=${submit}>
      <label><span class="hidden">Another window, such as 36h</span>
        <input
          name="range"
          class="range"
          placeholder="36h"
          pattern="([0-9]+(ms|s|m|h|d|w|y))+"
          title="A duration such as 36h or 3d"
          defaultValue=${windows.includes(value) ? "" : value}
        />
      </label>
    </form>
  `;
}

// Whether what is shown is of now.
export function Freshness({ live }) {
  const { at, error, paused, pause } = live;
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  let text = before(at / 1000, Math.max(now, at) / 1000);
  if (error) text = `not answering since ${clock(at)}`;
  else if (paused) text = `paused at ${clock(at)}`;
  return html`
    <div class="fresh ${error ? "stale" : paused ? "paused" : "live"}">
      <span class="beat" aria-hidden="true" />
      <span class="when">${text}</span>
      <button type="button" onClick=${() => pause(!paused)} aria-pressed=${String(paused)}>${paused ? "Resume" : "Pause"}</button>
    </div>
  `;
}
