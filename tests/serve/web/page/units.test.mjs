// The page's scripts alone, against values worked out by hand. Run: node --test tests/serve/web/page
import assert from "node:assert/strict";
import { test } from "node:test";

const from = name => import(new URL(`../../../../src/facelet/serve/web/page/js/${name}.js`, import.meta.url));
const { fields, metadata, forOnnxRuntime } = await from("runtime/protobuf");
const { parseHeader } = await from("header");
const { decode, overlap, suppress } = await from("runtime/network");
const { Tracker } = await from("runtime/tracker");
const { deviation, probabilities } = await from("runtime/model");
const { even, part, rot90, subsample } = await from("runtime/image");

const field = (number, value) => {
  const bytes = typeof value === "string" ? [...new TextEncoder().encode(value)] : value;
  assert(bytes.length < 128);
  return [number * 8 + 2, bytes.length, ...bytes];
};

test("fields are read in order, and an incomplete message is refused", () => {
  const message = Uint8Array.from([0x08, 0x96, 0x01, ...field(2, "ab"), 0x1d, 1, 2, 3, 4]);
  assert.deepEqual([...fields(message)].map(({ number, value }) => [number, Number.isInteger(value) ? value : [...value]]), [
    [1, 150], [2, [97, 98]], [3, [1, 2, 3, 4]],
  ]);
  for (const broken of [[0x08], [0x12, 5, 1], [0x0b], [0x02, 0], Array(12).fill(0xff)])
    assert.throws(() => [...fields(Uint8Array.from(broken))], /cut short or damaged/);
});

test("metadata is read past other fields", () => {
  const entry = (key, value) => field(14, [...field(1, key), ...field(2, value)]);
  const file = Uint8Array.from([0x08, 9, ...field(7, [1, 2].slice(2)), ...entry("facelet", "{}"), ...entry("é", "ü")]);
  assert.deepEqual(metadata(file), { facelet: "{}", é: "ü" });
});

test("declared sizes of images become symbolic, channels do not, and the length stays", () => {
  const size = value => field(1, value < 128 ? [0x08, value] : [0x08, (value & 127) | 128, value >> 7]);
  const value = sizes => field(2, field(1, field(2, sizes.flatMap(size))));
  const file = Uint8Array.from(field(7, [...field(11, value([1, 3, 640, 640])), ...field(12, value([1, 6400, 4]))]));
  const free = forOnnxRuntime(file), found = [];
  const walk = (message, path) => {
    for (const { number, value: inner } of fields(message))
      if (path.length === 0) found.push([number, typeof inner === "number" ? inner : new TextDecoder().decode(inner)]);
      else if (path[0].includes(number)) walk(inner, path.slice(1));
  };
  walk(free, [[7], [11, 12], [2], [1], [2], [1]]);
  assert.equal(free.length, file.length);
  assert.deepEqual(found, [[1, 1], [1, 3], [2, "a"], [2, "b"], [1, 1], [2, "c"], [1, 4]]);
});

test("halves are rounded to the even integer", () => {
  assert.deepEqual([0.5, 1.5, 2.5, -0.5, -1.5, 2.4, 2.6, -2.6].map(even), [0, 2, 2, 0, -2, 2, 3, -3]);
});

test("every second pixel of every second row", () => {
  const image = { data: Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9]), width: 3, height: 3, channels: 1 };
  assert.deepEqual([...subsample(image, 2).data], [1, 3, 7, 9]);
});

test("parts, and quarter turns against the clock", () => {
  const image = { data: Uint8Array.from([1, 2, 3, 4, 5, 6]), width: 3, height: 2, channels: 1 };
  assert.deepEqual([...part(image, 1, 0, 2, 2).data], [2, 3, 5, 6]);
  assert.equal(part(image, 0, 0, 3, 2), image);
  const turned = [1, 2, 3, -1].map(quarters => rot90(image, quarters));
  assert.deepEqual(turned.map(({ data }) => [...data]), [[3, 6, 2, 5, 1, 4], [6, 5, 4, 3, 2, 1], [4, 1, 5, 2, 6, 3], [4, 1, 5, 2, 6, 3]]);
  assert.deepEqual(turned.map(({ width, height }) => [width, height]), [[2, 3], [3, 2], [2, 3], [2, 3]]);
});

test("headers of images", () => {
  const bytes = (...parts) => Uint8Array.from(parts.flatMap(part => (typeof part === "string" ? [...part].map(c => c.charCodeAt(0)) : part)));
  const jpeg = bytes([0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 1, 0xff, 0xc2, 0, 8, 8, 1, 44, 2, 88, 3, 0xff, 0xda, 0, 2, 5, 0xff, 0, 9]);
  assert.deepEqual(parseHeader(jpeg), { format: "JPEG", width: 600, height: 300, whole: false });
  assert.equal(parseHeader(bytes([...jpeg], [0xff, 0xd9])).whole, true);
  const png = bytes([0x89], "PNG\r\n\x1a\n", [0, 0, 0, 13], "IHDR", [0, 1, 0, 0, 0, 0, 0, 9, 8, 2, 0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(parseHeader(png), { format: "PNG", width: 65536, height: 9, whole: false });
  assert.equal(parseHeader(bytes([...png], [0, 0, 0, 0], "IEND", [0, 0, 0, 0])).whole, true);
  assert.deepEqual(parseHeader(bytes("GIF89a", [7, 0, 5, 1])), { format: "GIF", width: 7, height: 261, whole: true });
  assert.equal(parseHeader(bytes([0, 0, 0, 24], "ftypheic")).format, "HEIC");
  for (const other of [[], [1], "<svg/>", "%PDF-1.7", [0xff, 0xd8], [0xff, 0xd8, 0xff]]) assert.equal(parseHeader(bytes(other)), null);
});

test("overlap of boxes", () => {
  assert.equal(overlap([0, 0, 2, 2], [1, 1, 2, 2]), 1 / 7);
  assert.equal(overlap([0, 0, 2, 2], [2, 0, 2, 2]), 0);
});

test("the detector's outputs become boxes in pixels", () => {
  const outputs = Object.fromEntries([8, 16, 32].flatMap(stride => {
    const cells = (32 / stride) ** 2, empty = length => new Float32Array(cells * length);
    return [[`cls_${stride}`, empty(1)], [`obj_${stride}`, empty(1)], [`bbox_${stride}`, empty(4)], [`kps_${stride}`, empty(10)]];
  }));
  const cell = 6; // row 1, column 2 of stride 8
  outputs.cls_8[cell] = 1.2; // beyond 1 is clamped
  outputs.obj_8[cell] = 0.81;
  outputs.bbox_8.set([0.5, -0.5, Math.log(2), 0], 4 * cell);
  outputs.kps_8.set([0.5, 0.25], 10 * cell);
  const [face, ...others] = decode(outputs, 32, 32, 0.75);
  assert.equal(others.length, 0);
  assert(Math.abs(face.score - 0.9) < 1e-6);
  face.box.forEach((value, at) => assert(Math.abs(value - [12, 0, 16, 8][at]) < 1e-5));
  assert.deepEqual(face.landmarks[0], [20, 10]);
  assert.equal(decode(outputs, 32, 32, 0.91).length, 0);
});

test("the best of overlapping candidates is kept, in whole pixels", () => {
  const face = (box, score) => ({ box, score });
  const kept = suppress([face([0, 0, 10, 10], 0.8), face([1, 0, 10, 10], 0.9), face([30, 0, 10, 10], 0.85)], { score: 0.75, nms: 0.3, topK: 10 });
  assert.deepEqual(kept.map(({ score }) => score), [0.9, 0.85]);
  assert.equal(suppress([face([0, 0, 9, 9], 0.8), face([20, 0, 9, 9], 0.9), face([40, 0, 9, 9], 0.85)], { score: 0.75, nms: 0.3, topK: 2 }).length, 2);
});

test("probabilities are a softmax of logits over temperature", () => {
  const [row] = probabilities(Float32Array.from([2 * Math.log(3), 0]), { labels: ["a", "b"], temperature: 2 });
  assert(Math.abs(row[0] - 0.75) < 1e-6 && Math.abs(row[1] - 0.25) < 1e-6);
});

test("class priors are Bayes' rule, to a power", async () => {
  const { factorsOf, hasCounts, reweighted } = await from("runtime/prior");
  const info = { labels: ["a", "b"], protocol: { counts: { train: { a: 75, b: 25 } } } };
  assert.equal(factorsOf(info, "training"), null);
  assert.deepEqual(reweighted([0.75, 0.25], null), [0.75, 0.25]);
  assert.deepEqual(reweighted([0.75, 0.25], factorsOf(info, "uniform")), [0.5, 0.5]);
  const [a, b] = reweighted([0.5, 0.5], factorsOf(info, "uniform^0.5"));
  assert.ok(Math.abs(b / a - Math.sqrt(3)) < 1e-12 && Math.abs(a + b - 1) < 1e-12);
  assert.ok(hasCounts(info));
  assert.ok(!hasCounts({ ...info, protocol: {} }) && !hasCounts({ labels: ["a", "c"], protocol: info.protocol }));
});

test("deviation is relative to the reference's spread, and infinite for what is not a number", () => {
  assert.equal(deviation(Float32Array.from([1, 3]), [[0, 2]]), 1);
  assert.equal(deviation(Float32Array.from([NaN, 3]), [[0, 2]]), Infinity);
  assert.equal(deviation(Float32Array.from([1]), [[0, 2]]), Infinity);
});

test("a face keeps its track while it is seen again in time, and its probabilities are smoothed", () => {
  const tracker = new Tracker({ overlap: 0.3, patience: 1, steady: 0.4 });
  const at = (x, p) => ({ box: [x, 0, 10, 10], probabilities: [p, 1 - p] });
  const [first] = tracker.follow([at(0, 1)], 0);
  const [second, other] = tracker.follow([at(2, 0), at(50, 0.5)], 0.4);
  assert.equal(first.number, second.number);
  assert(Math.abs(second.probabilities[0] - Math.exp(-1)) < 1e-12);
  assert.equal(other.number, 2);
  assert.equal(tracker.follow([at(2, 0)], 1.5)[0].number, 3);
});
