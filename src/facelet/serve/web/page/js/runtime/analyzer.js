/** Finds the faces of a photo and classifies them, as facelet/runtime/analyzer.py does; and proves the model first. */

import { sideOf } from "./align.js";
import { Detector } from "./detector.js";
import { Session, difference, furthest, loadRuntime } from "./engine.js";
import { even, linearResize, toChannels } from "./image.js";
import { cutOf, deviation, goldenFaces, prepared, probabilities, readInfo, seenOf } from "./model.js";
import { bgrPlanes } from "./network.js";
import { factorsOf, reweighted } from "./prior.js";
import { qualityOf } from "./quality.js";

/** Faces of one run of the net; bounds memory. */
const BATCH = 64;
/** Largest differences at which WebGPU agrees with WebAssembly: of probabilities, and of the detector's outputs (in 8 to 32 px). */
const AGREES = { model: 0.01, detector: 0.01 };

/** Detector and expression model, open. `check` tells how the self-test ended. */
export class Analyzer {
  /**
   * Opens a model of `site` (config.json): `{engine, model, read}`, where `read(path)` resolves to a file's bytes.
   * Throws an Error when neither the model nor its twin works in this browser.
   */
  static async open(site, { engine, model, read, base }) {
    const ort = await loadRuntime(engine, base), entry = site.models.find(({ name }) => name === model);
    const yunet = await Session.openDetector(ort, await read(site.detector.file), engine);
    const proven = await openProven(ort, entry, engine, read);
    const analyzer = new Analyzer(yunet, proven, site, engine);
    if (engine === "webgpu") await analyzer.#requireAgreement(ort, read);
    return analyzer;
  }

  constructor(yunet, { network, info, check, file }, site, engine) {
    Object.assign(this, { yunet, network, info, file, site });
    this.check = { ...check, engine };
    const run = (data, height, width) => yunet.run(data, [1, 3, height, width]);
    this.detector = new Detector(run, site.detector);
  }

  /**
   * Faces of an RGB image, largest first, and milliseconds of detector, crops and net.
   *
   * A face: box, score, landmarks, roll, probabilities in the order of the labels, expression, side (of the crop, in photo pixels),
   * quality, warnings, and `seen`, the image that the net got. `look`: see `Detector.detect`. `prior`: see prior.js.
   */
  async analyze(photo, look, prior) {
    const start = performance.now(), detections = await this.detector.detect(photo, look);
    const detected = performance.now();
    const cuts = detections.map(face => cutOf(photo, face, this.info)), seen = cuts.map(face => seenOf(face, this.info));
    const cropped = performance.now();
    const factors = factorsOf(this.info, prior), rows = (await this.#classify(seen)).map(row => reweighted(row, factors));
    const ended = performance.now();
    const faces = detections.map((face, number) => this.#face(face, cuts[number], seen[number], rows[number]));
    return { faces, milliseconds: { detector: detected - start, crop: cropped - detected, net: ended - cropped } };
  }

  async #classify(seen) {
    const rows = [];
    for (let start = 0; start < seen.length; start += BATCH) {
      const faces = seen.slice(start, start + BATCH);
      const logits = await this.network.first(prepared(faces, this.info), shapeOf(faces.length, this.info));
      if (!logits.every(Number.isFinite)) throw new Error("the model returned NaN or infinity");
      rows.push(...probabilities(logits, this.info));
    }
    return rows;
  }

  #face(detection, cut, seen, row) {
    const { box, landmarks } = detection;
    const quality = qualityOf(cut, sideOf(box, this.info.crop.margin), landmarks);
    const side = even(sideOf(box, this.info.crop.margin)), least = this.info.smallest || this.info.input.size;
    const warnings = side < least ? [`small: ${side} px, measured from ${least} px`] : [];
    const expression = this.info.labels[row.indexOf(Math.max(...row))];
    return { ...detection, probabilities: row, expression, side, quality, warnings, seen };
  }

  /** Throws an Error where WebGPU's outputs are not WebAssembly's. */
  async #requireAgreement(ort, read) {
    const faces = await goldenFaces(this.info), net = await Session.open(ort, await read(this.file), "wasm");
    const yunet = await Session.openDetector(ort, await read(this.site.detector.file), "wasm");
    const answer = async network => {
      const logits = await network.first(prepared(faces, this.info), shapeOf(faces.length, this.info));
      return probabilities(logits, this.info).flat();
    };
    const apart = furthest(await answer(this.network), await answer(net));
    const photo = linearResize(toChannels(faces[0], 3), 320, 320);
    const moved = await difference(this.yunet, yunet, bgrPlanes(photo, 320, 320), [1, 3, 320, 320]);
    await Promise.all([net.release(), yunet.release()]);
    if (!(apart <= AGREES.model && moved <= AGREES.detector))
      throw new Error(`WebGPU differs from WebAssembly here: probabilities by ${apart.toPrecision(2)}, the detector by ${moved.toPrecision(2)}`);
    this.check.difference = apart;
  }
}

const shapeOf = (count, { input: { channels, size } }) => [count, channels, size, size];

/** The model, or its fp32 twin with a note where the model fails its self-test: `{network, info, check, file}`. */
async function openProven(ort, { name, file, twin }, engine, read) {
  const bytes = await read(file), info = readInfo(bytes), start = performance.now();
  const network = await Session.open(ort, bytes, engine);
  const check = { model: name, precision: info.precision, deviation: null, tolerance: null, note: "" };
  if (!info.selftest) return { network, info, file, check: { ...check, note: `${name} has no self-test` } };
  const faces = await goldenFaces(info), shape = shapeOf(faces.length, info);
  const outputs = await network.first(prepared(faces, info), shape).catch(() => []); // a failure is a wrong output
  check.deviation = deviation(outputs, info.selftest.outputs);
  check.tolerance = info.selftest.tolerance;
  check.milliseconds = performance.now() - start;
  if (check.deviation <= check.tolerance) return { network, info, file, check };
  await network.release();
  const reason = `${name} fails its self-test in this browser: its outputs deviate by ${check.deviation.toPrecision(3)}, expected at most ${check.tolerance}`;
  if (!twin) throw new Error(reason);
  const proven = await openProven(ort, twin, engine, read);
  return { ...proven, check: { ...proven.check, note: `${reason}; using ${twin.name} instead` } };
}
