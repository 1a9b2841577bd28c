/** The page: takes photos and the webcam, has them analyzed, and shows the results. */

import { Client } from "./client.js";
import { FaceList } from "./faces.js";
import { pixelsOf, readPhoto } from "./photo.js";
import { Stage } from "./stage.js";
import { Tracker } from "./runtime/tracker.js";
import { wireInput } from "./input.js";
import { showCheck, showOpening, showProblem, wireTheme } from "./status.js";
import { Webcam } from "./webcam.js";

/** Seconds between announcements of a webcam's results to a screen reader. */
const QUIET = 3;
/** Faces from which they are counted and not listed. */
const MANY = 8;
/** Seconds in which WebGPU must have started and been compared. */
const PATIENCE = 60;

const ui = Object.fromEntries([...document.querySelectorAll("[id]")].map(element => [element.id, element]));
const site = await (await fetch("config.json")).json();
const stage = new Stage(ui.picture, site.colours);
const list = new FaceList(ui.faces, ui.face, { onHighlight: number => stage.highlight(number) });

let client, opened, webcam, photo, last;
let turn = 0; // counts photos and webcam runs; results of an earlier one are dropped

const percent = value => `${Math.round(100 * value)}\u00a0%`;
const tenth = value => Math.round(10 * value) / 10;
const time = milliseconds => (milliseconds < 1000 ? `${tenth(milliseconds)} ms` : `${tenth(milliseconds / 1000)} s`);

/** Opens the chosen model on the chosen engine; where WebGPU does not agree, on WebAssembly. */
function open() {
  stopWebcam();
  turn++;
  client?.end();
  const mine = (client = new Client()), engine = ui.engine.value, model = ui.model.value;
  showOpening(ui);
  opened = withinTime(mine.open({ site, engine, model }), engine);
  opened.then(
    ({ info, check }) => {
      if (mine !== client) return;
      ui["prior-row"].hidden = !info.hasCounts;
      showCheck(ui, info, check, site);
    },
    error => {
      if (mine !== client) return;
      if (engine === "wasm") return showProblem(ui, error.message, true);
      ui.engine.value = "wasm";
      open();
      opened.then(() => showProblem(ui, `${error.message}. Using WebAssembly.`), () => {});
    },
  );
}

/** What a call resolves to; for WebGPU, an error when it takes too long, as with a graphics driver that compiles for minutes. */
function withinTime(call, engine) {
  if (engine === "wasm") return call;
  const late = (_, reject) => setTimeout(() => reject(new Error(`WebGPU did not start in ${PATIENCE} s`)), 1000 * PATIENCE);
  return Promise.race([call, new Promise(late)]);
}

/** The result for a canvas. `look`: how the detector looks at it, see `Detector.detect`. */
async function analyzed(canvas, look, onProgress) {
  const { info } = await opened, pixels = pixelsOf(canvas), start = performance.now();
  const prior = info.hasCounts ? ui.prior.value : "training";
  const { faces, milliseconds } = await client.analyze(pixels, { look, prior, onProgress });
  return { info, faces, milliseconds: { ...milliseconds, total: performance.now() - start } };
}

/** Analyzes one photo. */
async function analyzePhoto(file) {
  stopWebcam();
  photo = file;
  const mine = ++turn;
  showProblem(ui, "");
  try {
    const canvas = await readPhoto(file);
    if (mine !== turn) return;
    ui.summary.textContent = "Analyzing…";
    reveal();
    stage.show(canvas, []);
    ui.results.hidden = true;
    const result = await analyzed(canvas, ui.quick.checked ? site.frames : {}, share => {
      if (mine === turn) ui.summary.textContent = `Analyzing… ${percent(share)}`;
    });
    if (mine === turn) present(canvas, result, { name: file.name ?? "photo" });
  } catch (error) {
    if (mine === turn) showProblem(ui, error.message);
  }
}

/** Analyzes the webcam's frames, each as soon as the one before is done. */
async function runWebcam() {
  const mine = ++turn, tracker = new Tracker(site.tracker);
  showProblem(ui, "");
  try {
    const camera = await Webcam.open();
    if (mine !== turn) return camera.close();
    [webcam, photo] = [camera, undefined];
    ui.camera.textContent = "Stop the webcam";
    reveal();
    while (mine === turn && !webcam.ended) {
      const { canvas, seconds } = await webcam.frame(), result = await analyzed(canvas, site.frames);
      if (mine !== turn) return;
      const tracks = tracker.follow(result.faces, seconds);
      present(canvas, result, { name: "webcam", tracks, mirrored: ui.mirror.checked });
    }
    if (mine === turn) throw new Error("The camera stopped.");
  } catch (error) {
    if (mine === turn) {
      stopWebcam();
      showProblem(ui, error.message);
    }
  }
}

function stopWebcam() {
  if (!webcam) return;
  turn++;
  webcam.close();
  webcam = undefined;
  ui.camera.textContent = "Use the webcam";
}

function reveal() {
  ui.drop.hidden = true;
  ui.shown.hidden = false;
}

/** Shows a result; with `tracks`, a frame's. */
function present(canvas, { info, faces, milliseconds }, { name, tracks, mirrored }) {
  const { labels } = info;
  const shown = faces.map((face, number) => {
    const probabilities = tracks?.[number].probabilities ?? face.probabilities;
    const top = probabilities.indexOf(Math.max(...probabilities)), [left, above, width, height] = face.box.map(Math.round);
    return {
      ...face,
      probabilities,
      expression: labels[top],
      colour: site.colours[top % site.colours.length],
      name: `Face ${tracks ? tracks[number].number : number + 1}`,
      text: `${labels[top]} ${percent(probabilities[top])}`,
      number: tracks ? tracks[number].number : number + 1,
      facts: `${width} × ${height} px at ${left}, ${above}${face.roll ? ` · turned by ${Math.round(face.roll)}°` : ""} · detector ${face.score.toFixed(2)} · crop ${face.side} → ${face.seen.width} px`,
    };
  });
  stage.show(canvas, shown, mirrored);
  list.show(shown, labels);
  ui.results.hidden = !faces.length;
  for (const part of ["detector", "crop", "net"]) ui[`time-${part}`].textContent = time(milliseconds[part]);
  ui["rate-name"].textContent = tracks ? "Frames" : "Total";
  ui["time-total"].textContent = tracks ? `${tenth(1000 / milliseconds.total)} / s` : time(milliseconds.total);
  const summary = shown.length
    ? `${shown.length} face${shown.length > 1 ? "s" : ""}: ${shown.length > MANY ? counted(shown) : shown.map(face => face.text).join(", ")}`
    : `No face found${ui.quick.checked ? "; without the quick look, small and turned ones are found" : ""}`;
  ui.summary.textContent = `${name}, ${canvas.width} × ${canvas.height} px. ${summary}.`;
  ui.picture.setAttribute("aria-label", `${name}. ${summary}`);
  ui.copy.hidden = Boolean(tracks);
  announce(summary, shown.map(face => face.expression).join(), Boolean(tracks));
  last = toJson(name, canvas, info, faces);
  document.dispatchEvent(new CustomEvent("facelet-result", { detail: { name, faces, tracks, milliseconds, labels } }));
}

/** How many faces have each expression, most first. */
function counted(faces) {
  const counts = {};
  for (const { expression } of faces) counts[expression] = (counts[expression] ?? 0) + 1;
  return Object.entries(counts).sort(([, a], [, b]) => b - a).map(([expression, count]) => `${count} ${expression}`).join(", ");
}

let announced = { at: 0, key: "" };

/** Tells a screen reader the result: a photo's at once, a webcam's when it changes and not too often. */
function announce(summary, key, isFrame) {
  const now = performance.now() / 1000;
  if (isFrame && (key === announced.key || now - announced.at < QUIET)) return;
  announced = { at: now, key };
  ui.live.textContent = summary;
}

/** A result as `facelet predict --json` prints it. */
function toJson(file, { width, height }, { labels, name }, faces) {
  return {
    model: { file: `${name}.onnx`, name, labels },
    photos: [
      {
        file,
        width,
        height,
        faces: faces.map(({ box, score, roll, landmarks, expression, probabilities, quality, warnings }) => ({
          box: box.map(tenth),
          score: Number(score.toFixed(4)),
          roll: tenth(roll),
          landmarks: landmarks.map(point => point.map(tenth)),
          expression,
          probabilities: Object.fromEntries(labels.map((label, at) => [label, Number(probabilities[at].toFixed(5))])),
          identity: null,
          warnings,
          quality: Number(quality.toFixed(3)),
        })),
      },
    ],
    passed_over: [],
  };
}

async function copyJson() {
  await navigator.clipboard.writeText(JSON.stringify(last, null, 1));
  ui.copy.textContent = "Copied";
  setTimeout(() => (ui.copy.textContent = "Copy as JSON"), 1500);
}

async function showExample() {
  const bytes = await (await fetch("example.jpg")).blob();
  await analyzePhoto(new File([bytes], "example.jpg", { type: bytes.type }));
}

/** Analyzes the photo that is shown again, with other settings. */
function repeat() {
  if (photo) analyzePhoto(photo);
}

const attempt = action => () => action().catch(error => showProblem(ui, error.message));

ui.version.textContent = site.version;
ui.model.append(...site.models.map(({ name }) => new Option(name, name)));
ui["model-row"].hidden = site.models.length < 2;
ui["engine-row"].hidden = !navigator.gpu;
ui.engine.value = "wasm";
wireTheme(ui.theme);
wireInput(ui, { onPhoto: analyzePhoto, onProblem: message => showProblem(ui, message) });
ui.camera.addEventListener("click", attempt(async () => (webcam ? stopWebcam() : runWebcam())));
ui.example.addEventListener("click", attempt(showExample));
ui.copy.addEventListener("click", attempt(copyJson));
for (const setting of [ui.model, ui.engine])
  setting.addEventListener("change", () => {
    open();
    repeat();
  });
for (const setting of [ui.prior, ui.quick]) setting.addEventListener("change", repeat);
open();
await opened.catch(() => {});
navigator.serviceWorker?.register("sw.js").catch(() => {}); // without it, as in private windows, the page only needs its server
