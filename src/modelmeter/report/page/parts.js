// Small things that every section is made of.
import { html, useState } from "./library.js";
import { STATES } from "./words.js";

export function Section({ id, title, aside, children }) {
  return html`
    <section id=${id} aria-labelledby=${`${id}-title`}>
      <header class="section-head">
        <h2 id=${`${id}-title`}>${title}</h2>
        ${aside && html`<div class="aside">${aside}</div>`}
      </header>
      ${children}
    </section>
  `;
}

export function State({ state, text }) {
  return html`<span class="state ${state}"><span class="dot" aria-hidden="true" />${text ?? STATES[state]}</span>`;
}

// A number with its name above and an explanation below.
export function Tile({ name, value, note, alarm }) {
  return html`
    <div class="tile ${alarm ? "alarm" : ""}">
      <dt>${name}</dt>
      <dd>${value}${note && html`<small>${note}</small>`}</dd>
    </div>
  `;
}

export function Tiles({ children }) {
  return html`<dl class="tiles">${children}</dl>`;
}

// The two colours, once a section.
export function Legend() {
  return html`<span class="legend"
    ><span class="key live" aria-hidden="true" />live <span class="key training" aria-hidden="true" />training</span
  >`;
}

/**
 * A table. `head` are the names of its columns, `rows` their cells; columns named in `numbers`
 * stand to the right.
 */
export function Table({ caption, head, rows, numbers = [], marked = () => false }) {
  const place = (i) => (numbers.includes(i) ? "number" : undefined);
  return html`
    <div class="scroll" role="region" aria-label=${caption} tabindex="0">
      <table>
        <caption class="hidden">${caption}</caption>
        <thead>
          <tr>${head.map((name, i) => html`<th scope="col" class=${place(i)}>${name}</th>`)}</tr>
        </thead>
        <tbody>
          ${rows.map((cells, row) => html`
            <tr class=${marked(row) ? "marked" : undefined}>
              ${cells.map((cell, i) =>
                i ? html`<td class=${place(i)}>${cell}</td>` : html`<th scope="row" class=${place(i)}>${cell}</th>`,
              )}
            </tr>
          `)}
        </tbody>
      </table>
    </div>
  `;
}

// A few choices of which one holds; `options` are pairs of value and text.
export function Choice({ name, options, value, onChange }) {
  return html`
    <div class="choice" role="group" aria-label=${name}>
      ${options.map(([key, text]) => html`
        <button type="button" aria-pressed=${String(key === value)} onClick=${() => onChange(key)}>${text}</button>
      `)}
    </div>
  `;
}

// What is built only once it has been opened.
export function Fold({ summary, children, open = false }) {
  const [opened, setOpened] = useState(open);
  return html`
    <details class="fold" open=${opened} onToggle=${(event) => setOpened(event.currentTarget.open)}>
      <summary>${summary}</summary>
      ${opened && html`<div class="folded">${children}</div>`}
    </details>
  `;
}
