/** What the page says about itself: the self-test's verdict, problems, and its colours. */

const ENGINES = { wasm: "WebAssembly", webgpu: "WebGPU" };

/** While a model loads. */
export function showOpening({ status, verdict, gauge, about }) {
  write(status, "Loading the models…", "busy");
  verdict.textContent = "The model's drawn test faces run here first. It answers only when its outputs match.";
  gauge.hidden = true;
  about.replaceChildren();
}

/** The verdict of the self-test, with its figures. */
export function showCheck({ status, verdict, gauge, about }, info, check, site) {
  const tested = check.deviation !== null;
  write(status, check.note ? `Ready, with ${info.name}` : tested ? "Ready, self-test passed" : "Ready, not self-tested", check.note ? "note" : "ok");
  const passed = `Passed. On the model's test faces this browser's outputs match the original net's, within the tolerance measured when the file was made.`;
  verdict.textContent = check.note ? `Note: ${check.note}.` : passed;
  gauge.hidden = !tested;
  if (tested) gauge.firstElementChild.style.transform = `scaleX(${Math.min(1, check.deviation / check.tolerance)})`;
  const accuracy = info.figures?.test_accuracy, rows = {
    "Deviation": tested && `${check.deviation.toPrecision(2)} of ${check.tolerance} allowed`,
    "Model": `${info.name}, ${info.precision}, ${(info.params / 1e6).toFixed(2)} million weights`,
    "Test accuracy": accuracy && `${(100 * accuracy).toFixed(1)} % of ${info.figures.test_faces?.toLocaleString("en")} faces`,
    "Runs on": `${ENGINES[check.engine]}, ONNX Runtime ${site.onnxruntime}`,
    "WebGPU": check.difference !== undefined && `agrees with WebAssembly: probabilities within ${check.difference.toFixed(4)}`,
  };
  about.replaceChildren(...Object.entries(rows).filter(([, text]) => text).flatMap(([name, text]) => [element("dt", name), element("dd", text)]));
}

/** A problem in one sentence, or none. `fatal`: nothing can be analyzed. */
export function showProblem({ problem, status, verdict }, message, fatal = false) {
  problem.textContent = message && message[0].toUpperCase() + message.slice(1);
  problem.hidden = !message;
  if (!fatal) return;
  write(status, "Cannot run here", "bad");
  verdict.textContent = "The model is not used here: see the message.";
}

/** The button that switches between the system's colours, light and dark. */
export function wireTheme(button) {
  const root = document.documentElement, names = { auto: "automatic", light: "light", dark: "dark" }, order = Object.keys(names);
  const show = () => (button.textContent = `Colours: ${names[root.dataset.theme]}`);
  button.addEventListener("click", () => {
    root.dataset.theme = order[(order.indexOf(root.dataset.theme) + 1) % order.length];
    try {
      localStorage.setItem("facelet-theme", root.dataset.theme);
    } catch {
      // storage is off in this browser: the choice holds for this visit
    }
    show();
  });
  show();
}

function write(status, text, kind) {
  status.textContent = text;
  status.dataset.kind = kind;
}

const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });
