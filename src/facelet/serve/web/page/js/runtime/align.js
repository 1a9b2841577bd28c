/** The square that a model sees, cut out of a photo; docs/crop.md specifies it. The Python side is facelet/runtime/align.py. */

import { areaResize, even, part, resizeSquare, rot90 } from "./image.js";
import { turnMap, warpAffine } from "./warp.js";

/** Maximum number of samples per crop pixel and axis when a face is downscaled. */
const SAMPLES = 4;
/** Largest crop, in photo pixels, that is cut at the photo's scale; larger ones are warped, to bound memory. */
const WHOLE = 4096;

/** A face cut out of a photo, `size` pixels a side, upright: its box `[left, top, width, height]` is turned clockwise by `roll` degrees. */
export function cut(photo, box, margin, size, roll = 0) {
  if (roll % 90 || sideOf(box, margin) > WHOLE) return warped(photo, square(box, margin, roll), size);
  return resizeSquare(rot90(pixelsOf(photo, wholeSquare(box, margin)), even(roll / 90)), size);
}

/** Map from the unit square to the area of the photo that a crop shows; pixel (0, 0) of the photo spans 0 to 1. */
export function square(box, margin, roll) {
  const [left, top, width, height] = box, fit = turnedSquare([left + width / 2, top + height / 2], Math.max(width, height), roll);
  return fit.map(([a, b, c]) => [a * (1 + 2 * margin), b * (1 + 2 * margin), c - margin * (a + b)]);
}

/** Side of the cropped area in photo pixels, with fractions; below the model's input size, the face is enlarged. */
export function sideOf(box, margin) {
  return Math.max(box[2], box[3]) * (1 + 2 * margin);
}

/** Map from the unit square to a square of the photo, turned clockwise by `roll` degrees around its middle. */
export function turnedSquare(middle, side, roll) {
  return turnMap(roll).map(([a, b], axis) => [side * a, side * b, middle[axis] - (side * a + side * b) / 2]);
}

/** Left, top and side, in whole photo pixels, of the square around an upright box. */
export function wholeSquare([left, top, width, height], margin) {
  const side = Math.max(1, even(Math.max(width, height) * (1 + 2 * margin)));
  return { left: even(left + width / 2 - side / 2), top: even(top + height / 2 - side / 2), side };
}

/** The pixels of a square in whole photo pixels; those beyond the photo repeat its nearest pixel. */
export function pixelsOf(photo, { left, top, side }) {
  const { data, width, height, channels } = photo, out = new Uint8Array(side * side * channels);
  let to = 0;
  for (let y = 0; y < side; y++) {
    const row = clamp(top + y, height) * width;
    for (let x = 0; x < side; x++) {
      const from = (row + clamp(left + x, width)) * channels;
      for (let c = 0; c < channels; c++) out[to++] = data[from + c];
    }
  }
  return { data: out, width: side, height: side, channels };
}

/**
 * The area `unit` of the photo, a map from the unit square, as a square of `size` pixels.
 *
 * A warp only samples. To avoid aliasing, a face that is downscaled is warped larger and then averaged; beyond a factor of SAMPLES
 * the photo region is averaged down first.
 */
export function warped(photo, unit, size) {
  const shrink = Math.hypot(unit[0][0], unit[1][0]) / size, beyond = 2 + Math.ceil(shrink);
  const [[x, right], [y, bottom]] = [reach(unit[0], beyond, photo.width), reach(unit[1], beyond, photo.height)];
  let region = part(photo, x, y, right - x, bottom - y);
  const times = Math.min(SAMPLES, Math.max(1, Math.ceil(shrink))), side = times * size;
  if (shrink > 1.5 * times) {
    const [width, height] = [right - x, bottom - y].map(length => Math.max(1, even((length * times) / shrink)));
    region = areaResize(region, width, height);
  }
  const ratio = [region.width / (right - x), region.height / (bottom - y)], start = [x, y];
  const back = unit.map(([a, b, c], axis) => [(a / side) * ratio[axis], (b / side) * ratio[axis], (c - start[axis]) * ratio[axis]]);
  return resizeSquare(warpAffine(region, back, side, side, "replicate"), size);
}

/** First pixel and end, along an axis of the photo, of the pixels that averaging and the warp of a unit square read. */
function reach([a, b, c], beyond, length) {
  const corners = [c, a + c, b + c, a + b + c];
  const low = Math.floor(Math.min(...corners)) - beyond, high = Math.ceil(Math.max(...corners)) + beyond;
  return [clamp(low, length), clamp(high, length) + 1];
}

const clamp = (value, length) => Math.min(Math.max(value, 0), length - 1);
