// What the model answers: its outputs, live against training.
import { html } from "./library.js";
import { Detail } from "./detail.js";
import { Legend, Section, State } from "./parts.js";
import { stateWord } from "./words.js";

const TITLES = { y_pred: "Predictions", y_score: "Scores" };

export function Answers({ findings }) {
  const { predictions, history, model } = findings;
  if (!predictions.length) return null;
  const now = Date.parse(findings.created) / 1000;
  const note = (part) => {
    if (part.name === "y_score") return "probability of the positive class";
    return model.classes.length ? "predicted class" : "predicted value";
  };
  return html`
    <${Section} id="answers" title="Predictions" aside=${html`<${Legend} />`}>
      <div class="cards">
        ${predictions.map((part) => html`
          <article class="card ${part.state}" key=${part.name}>
            <header class="card-head">
              <h3>${TITLES[part.name] ?? part.name} <small>${note(part)}</small></h3>
              <${State} state=${part.state} text=${stateWord(part)} />
            </header>
            <${Detail} part=${part} history=${history} now=${now} />
          </article>
        `)}
      </div>
    <//>
  `;
}
