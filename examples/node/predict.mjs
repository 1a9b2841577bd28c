// Predicts one face with a Facelet model file in Node, with onnxruntime-node and nothing of Facelet.
//
//   node predict.mjs MODEL.onnx PHOTO.ppm LEFT TOP WIDTH HEIGHT
//
// The preparation is that of docs/crop.md: cut a square, convert, resize, normalize.
import { readFileSync } from "node:fs";
import ort from "onnxruntime-node";

// Fields of a protobuf message: [number, bytes], without numbers and fixed-size values.
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0, factor = 1, byte;
    do { byte = bytes[at++]; value += (byte & 127) * factor; factor *= 128; } while (byte & 128);
    return value;
  };
  while (at < bytes.length) {
    const key = varint(), kind = key % 8;
    if (kind === 0) varint();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === 2) { const length = varint(); yield [Math.floor(key / 8), bytes.subarray(at, at + length)]; at += length; }
    else throw new Error("not an ONNX file");
  }
}

// The metadata entry "facelet": onnxruntime-node does not give access to it. Field 14 of ModelProto is metadata_props.
function metadata(model) {
  const text = (bytes) => new TextDecoder().decode(bytes);
  for (const [number, entry] of fields(model)) {
    if (number !== 14) continue;
    const parts = Object.fromEntries(fields(entry));
    if (text(parts[1]) === "facelet") return JSON.parse(text(parts[2]));
  }
  throw new Error("no Facelet metadata");
}

function readPpm(path) {
  const bytes = readFileSync(path), words = [];
  let at = 0;
  while (words.length < 4) {
    let end = at;
    while (bytes[end] > 32) end++;
    words.push(bytes.toString("latin1", at, end));
    at = end + 1;
  }
  if (words[0] !== "P6" || words[3] !== "255") throw new Error(`${path} is not a binary PPM file of 8 bits, without comments`);
  return { data: bytes.subarray(at), width: Number(words[1]), height: Number(words[2]) };
}

function even(x) {                       // halves to even, unlike Math.round
  const low = Math.floor(x), rest = x - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

function crop(photo, [left, top, width, height], margin) {
  const side = Math.max(1, even(Math.max(width, height) * (1 + 2 * margin)));
  const x = even(left + width / 2 - side / 2), y = even(top + height / 2 - side / 2);
  const inside = (at, length) => Math.min(Math.max(at, 0), length - 1), planes = [0, 1, 2].map(() => []);
  for (let row = 0; row < side; row++)
    for (let column = 0; column < side; column++)
      for (let c = 0; c < 3; c++)
        planes[c].push(photo.data[(inside(y + row, photo.height) * photo.width + inside(x + column, photo.width)) * 3 + c]);
  return { planes, side };
}

// Weights of each pixel after on the pixels before: means of the covered area where the side shrinks, else linear.
function weights(before, after) {
  const scale = before / after;
  return Array.from({ length: after }, (_, place) => {
    if (scale > 1) {
      const start = place * scale, end = (place + 1) * scale, row = [];
      for (let pixel = Math.floor(start); pixel < Math.min(Math.ceil(end - 1e-9), before); pixel++)
        row.push([pixel, (Math.min(end, pixel + 1) - Math.max(start, pixel)) / scale]);
      return row;
    }
    const middle = Math.min(Math.max((place + 0.5) * scale - 0.5, 0), before - 1), first = Math.floor(middle);
    return [[first, 1 - (middle - first)], [Math.min(first + 1, before - 1), middle - first]];
  });
}

function resize({ planes, side }, size) {
  if (side === size) return { planes, side };
  const table = weights(side, size);
  const resized = planes.map((plane) => table.flatMap((rows) => table.map((columns) => {
    let sum = 0;
    for (const [y, down] of rows) for (const [x, across] of columns) sum += down * across * plane[y * side + x];
    return even(sum);
  })));
  return { planes: resized, side: size };
}

const [, , model, photo, ...box] = process.argv;
if (box.length !== 4) throw new Error("usage: node predict.mjs MODEL.onnx PHOTO.ppm LEFT TOP WIDTH HEIGHT");
const bytes = readFileSync(model), info = metadata(bytes), entry = info.input;
if (info.crop.align !== "box") throw new Error(`this model aligns faces by ${info.crop.align}, which this sample does not`);
let face = crop(readPpm(photo), box.map(Number), info.crop.margin);
if (entry.channels === 1) {
  const [red, green, blue] = face.planes;
  face.planes = [red.map((value, at) => even(0.299 * value + 0.587 * green[at] + 0.114 * blue[at]))];
}
face = resize(resize(face, entry.cut || entry.size), entry.size);
const pixels = Float32Array.from(face.planes.flatMap((plane, c) => plane.map((value) => (value / 255 - entry.mean[c]) / entry.std[c])));
const session = await ort.InferenceSession.create(bytes);
const output = await session.run({ [entry.name]: new ort.Tensor("float32", pixels, [1, entry.channels, entry.size, entry.size]) });
const values = Array.from(Object.values(output)[0].data);
if (info.task === "identity") {
  const length = Math.hypot(...values);
  console.log(JSON.stringify({ embedding: values.map((value) => value / length) }));
} else {
  const top = Math.max(...values), powers = values.map((value) => Math.exp((value - top) / info.temperature));
  const sum = powers.reduce((a, b) => a + b), shares = powers.map((value) => value / sum);
  const label = info.labels[shares.indexOf(Math.max(...shares))];
  console.log(JSON.stringify({ label, probabilities: Object.fromEntries(info.labels.map((name, at) => [name, shares[at]])) }));
}
