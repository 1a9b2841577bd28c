// The detector's looks at a photo, with a network that sees white discs. Run: node --test tests/serve/web/page
import assert from "node:assert/strict";
import { test } from "node:test";

const { Detector } = await import(new URL("../../../../src/facelet/serve/web/page/js/runtime/detector.js", import.meta.url));

const SETTINGS = {
  score: 0.75, scoreOfCrops: 0.6, detail: 640, smallest: 320, hugeFace: 240, glance: 320, diagonalGlance: 224, glanceScore: 0.85,
  turned: 150e6, nms: 0.3, topK: 5000,
};

/** A photo with a disc of `radius` around (x, y), whose green mark is above its middle, turned clockwise by `angle` degrees. */
function photo(width, height, { x, y, radius, angle = 0 }) {
  const data = new Uint8Array(3 * width * height), turn = (angle * Math.PI) / 180;
  const mark = [x + 0.5 * radius * Math.sin(turn), y - 0.5 * radius * Math.cos(turn)];
  for (let row = Math.max(0, y - radius); row < Math.min(height, y + radius); row++)
    for (let column = Math.max(0, x - radius); column < Math.min(width, x + radius); column++) {
      if (Math.hypot(column + 0.5 - x, row + 0.5 - y) > radius) continue;
      const isMark = Math.hypot(column + 0.5 - mark[0], row + 0.5 - mark[1]) < 0.3 * radius;
      data.set(isMark ? [0, 255, 0] : [255, 255, 255], 3 * (row * width + column));
    }
  return { data, width, height, channels: 3 };
}

/** A `run` that finds one disc of at least 12 pixels, with a score that falls with its tilt; `sizes` collects [width, height] of its inputs. */
function eye(sizes) {
  return async (input, height, width) => {
    sizes.push([width, height]);
    const plane = width * height, ends = [Infinity, Infinity, -1, -1], mark = [0, 0, 0];
    for (let at = 0; at < plane; at++) {
      if (input[plane + at] < 128) continue;
      const x = at % width, y = (at - x) / width;
      [ends[0], ends[1], ends[2], ends[3]] = [Math.min(ends[0], x), Math.min(ends[1], y), Math.max(ends[2], x + 1), Math.max(ends[3], y + 1)];
      if (input[2 * plane + at] < 128) [mark[0], mark[1], mark[2]] = [mark[0] + x + 0.5, mark[1] + y + 0.5, mark[2] + 1];
    }
    const outputs = Object.fromEntries([8, 16, 32].flatMap(stride =>
      [["cls", 1], ["obj", 1], ["bbox", 4], ["kps", 10]].map(([name, values]) => [`${name}_${stride}`, new Float32Array((plane / stride ** 2) * values)])));
    const side = ends[2] - ends[0];
    if (!(side >= 12) || !mark[2]) return outputs;
    const [x, y] = [(ends[0] + ends[2]) / 2, (ends[1] + ends[3]) / 2], [up, left] = [mark[0] / mark[2] - x, y - mark[1] / mark[2]];
    const tilt = Math.atan2(up, left), [column, row] = [x, y].map(value => Math.floor(value / 8)), cell = row * (width / 8) + column;
    outputs.cls_8[cell] = outputs.obj_8[cell] = 0.6 + 0.35 * Math.cos(tilt);
    outputs.bbox_8.set([x / 8 - column, y / 8 - row, Math.log(side / 8), Math.log((ends[3] - ends[1]) / 8)], 4 * cell);
    [-1, 1].forEach((hand, point) => outputs.kps_8.set([x / 8 - column + hand * Math.cos(tilt), y / 8 - row + hand * Math.sin(tilt)], 10 * cell + 2 * point));
    return outputs;
  };
}

async function found(image, look) {
  const sizes = [], faces = await new Detector(eye(sizes), SETTINGS).detect(image, look);
  return { faces, sizes };
}

const near = (actual, expected, apart) => actual.forEach((value, at) => assert(Math.abs(value - expected[at]) <= apart, `${actual} is not ${expected}`));

test("a small face in a large photo is found once, in tiles, and they are reported", async () => {
  const shares = [], image = photo(2600, 1500, { x: 830, y: 640, radius: 17 });
  const { faces, sizes } = await found(image, { report: share => shares.push(share) });
  assert.equal(faces.length, 1);
  near(faces[0].box, [813, 623, 34, 34], 2);
  assert.equal(faces[0].roll, 0);
  assert.deepEqual(shares, [1, 2, 3, 4, 5, 6, 7, 8].map(count => count / 8));
  assert.deepEqual(sizes[0], [640, 384]);
  assert.equal(sizes.length, 9);
});

test("a frame is looked at whole, and again only where no face is found", async () => {
  const frame = { detail: 640, turns: "never" };
  assert.deepEqual((await found(photo(2600, 1500, { x: 830, y: 640, radius: 60 }), frame)).sizes, [[640, 384]]);
  const { faces, sizes } = await found(photo(2600, 1500, { x: 830, y: 640, radius: 17 }), frame);
  assert.deepEqual(sizes, [[640, 384], [256, 160], [1280, 768]]);
  near(faces[0].box, [813, 623, 34, 34], 3);
});

for (const angle of [90, 180, 270, 45, -135])
  test(`a face turned by ${angle} degrees is found by a glance at a turned copy`, async () => {
    const { faces } = await found(photo(600, 400, { x: 260, y: 150, radius: 60, angle }), {});
    assert.equal(faces.length, 1);
    const { box, roll, score, landmarks } = faces[0];
    near([(roll - angle + 720) % 360 > 180 ? 0 : (roll - angle + 720) % 360], [0], 4);
    near(box, [200, 90, 120, 120], 6);
    assert(score > 0.93);
    const [left, right] = landmarks, turn = (angle * Math.PI) / 180;
    near([right[0] - left[0], right[1] - left[1]].map(value => Math.sign(Math.round(value / 4))), [Math.cos(turn), Math.sin(turn)].map(value => Math.sign(Math.round(value * 4))), 0);
  });

test("a tilted face is looked at again, an upright one is not", async () => {
  const tilted = await found(photo(600, 400, { x: 260, y: 150, radius: 60, angle: 25 }), {});
  near([tilted.faces[0].roll], [25], 3);
  assert(tilted.sizes.some(([width]) => width === 96) && tilted.sizes.some(([width]) => width === 160));
  const upright = await found(photo(600, 400, { x: 260, y: 150, radius: 60 }), {});
  assert.deepEqual([upright.faces[0].roll, upright.sizes.length], [0, 1]);
});

test("an empty photo has no face in any turn", async () => {
  const { faces, sizes } = await found(photo(640, 480, { x: -99, y: -99, radius: 1 }), {});
  assert.deepEqual(faces, []);
  assert.equal(sizes.length, 2 + 3 + 4);
});
