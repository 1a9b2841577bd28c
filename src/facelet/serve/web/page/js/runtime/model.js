/** Model files: their metadata, preprocessing and self-test. The Python side is facelet/models and facelet/runtime/model.py. */

import { cut } from "./align.js";
import { resizeSquare, toChannels } from "./image.js";
import { metadata } from "./protobuf.js";

const KEY = "facelet";
/** Side of a golden face of the self-test, in pixels. */
const GOLDEN_SIDE = 24;

/** Facelet's metadata of an .onnx file. Throws an Error when there is none, or when this page cannot use the model. */
export function readInfo(file) {
  const text = metadata(file)[KEY];
  if (!text) throw new Error("the model file has no Facelet metadata");
  const info = JSON.parse(text);
  if (info.task !== "expression" || info.crop.align !== "box" || info.exits)
    throw new Error("this page runs expression models that crop by box and have no early exits");
  return info;
}

/** A face `{box, roll}` cut out of a photo at the size of the training faces. */
export function cutOf(photo, { box, roll }, { crop, input }) {
  return cut(photo, box, crop.margin, input.cut || input.size, roll);
}

/** The pixels that the net sees of a cut face: `size` a side, in its channels. */
export function seenOf(face, { input }) {
  return resizeSquare(toChannels(face, input.channels), input.size);
}

/** Faces as the net's input, float32 (N, C, size, size): (x / 255 - mean) / std. */
export function prepared(faces, { input: { size, channels, mean, std } }) {
  const plane = size * size, out = new Float32Array(faces.length * channels * plane);
  faces.forEach(({ data }, number) => {
    for (let c = 0; c < channels; c++) {
      const scale = Math.fround(1 / (255 * std[c])), shift = Math.fround(-mean[c] / std[c]);
      const to = (number * channels + c) * plane;
      for (let pixel = 0; pixel < plane; pixel++) out[to + pixel] = Math.fround(data[pixel * channels + c] * scale) + shift;
    }
  });
  return out;
}

/** Rows of probabilities of logits (N, K): softmax after division by the temperature. */
export function probabilities(logits, { labels, temperature }) {
  const rows = [];
  for (let start = 0; start < logits.length; start += labels.length) {
    const row = Array.from(logits.subarray(start, start + labels.length), value => value / temperature);
    const most = Math.max(...row), powers = row.map(value => Math.exp(value - most));
    const sum = powers.reduce((total, value) => total + value, 0);
    rows.push(powers.map(value => value / sum));
  }
  return rows;
}

/** The golden faces of a file's self-test as images of the net's size, enlarged by repeating pixels. */
export async function goldenFaces({ selftest, input: { size, channels } }) {
  const packed = Uint8Array.from(atob(selftest.faces), character => character.charCodeAt(0));
  const opened = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(opened).arrayBuffer()), face = GOLDEN_SIDE * GOLDEN_SIDE * channels;
  if (bytes.length !== selftest.outputs.length * face) throw new Error("the model file's self-test is damaged");
  return selftest.outputs.map((_, number) => enlarged(bytes.subarray(number * face, (number + 1) * face), size, channels));
}

function enlarged(face, size, channels) {
  const data = new Uint8Array(size * size * channels), place = at => Math.floor((at * GOLDEN_SIDE) / size);
  let to = 0;
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++)
      for (let c = 0; c < channels; c++) data[to++] = face[(place(y) * GOLDEN_SIDE + place(x)) * channels + c];
  return { data, width: size, height: size, channels };
}

/** Root mean square difference of outputs and reference rows, divided by the reference's standard deviation. */
export function deviation(outputs, rows) {
  const expected = rows.flat(), count = expected.length;
  if (outputs.length !== count || !outputs.every(Number.isFinite)) return Infinity;
  const mean = expected.reduce((sum, value) => sum + value, 0) / count;
  const spread = Math.sqrt(expected.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count);
  const squares = expected.reduce((sum, value, at) => sum + (outputs[at] - value) ** 2, 0);
  return Math.sqrt(squares / count) / Math.max(spread, 1e-12);
}
