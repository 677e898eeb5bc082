// What the model answers: its outputs, live against training.
import { html } from "./library.js";
import { Output } from "./detail.js";
import { Legend, Section, State } from "./parts.js";
import { stateWord } from "./words.js";

export function Answers({ findings }) {
  const { predictions, history, model } = findings;
  if (!predictions.length) return null;
  const now = Date.parse(findings.created) / 1000;
  const titles = {
    y_pred: model.classes.length ? "Predicted class" : "Predicted value",
    y_score: "Score",
  };
  return html`
    <${Section} id="answers" title="Predictions" aside=${html`<${Legend} />`}>
      <div class="cards">
        ${predictions.map((part) => html`
          <article class="card ${part.state}" key=${part.name}>
            <header class="card-head">
              <h3>${titles[part.name] ?? part.name} <small>${part.name}</small></h3>
              <${State} state=${part.state} text=${stateWord(part)} />
            </header>
            <${Output} part=${part} history=${history} now=${now} />
          </article>
        `)}
      </div>
    <//>
  `;
}
