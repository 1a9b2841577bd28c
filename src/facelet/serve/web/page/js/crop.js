/** The square that a model sees, cut out of a photo; docs/crop.md specifies it. The Python side is facelet/runtime/align.py. */

import { even, resizeSquare, subsample } from "./image.js";

/** Largest side, in photo pixels, that is cut at the photo's scale; a larger one is thinned out first, to bound memory. */
const WHOLE = 4096;

/** Left, top and side, in whole photo pixels, of the square around a box `[left, top, width, height]`. */
export function square([left, top, width, height], margin) {
  const side = Math.max(1, even(Math.max(width, height) * (1 + 2 * margin)));
  return { left: even(left + width / 2 - side / 2), top: even(top + height / 2 - side / 2), side };
}

/** The pixels of a square; those beyond the photo repeat its nearest pixel. */
export function cut(photo, { left, top, side }) {
  const { data, width, height, channels } = photo, out = new Uint8Array(side * side * channels);
  const inside = (at, length) => Math.min(Math.max(at, 0), length - 1);
  let to = 0;
  for (let y = 0; y < side; y++) {
    const row = inside(top + y, height) * width;
    for (let x = 0; x < side; x++) {
      const from = (row + inside(left + x, width)) * channels;
      for (let c = 0; c < channels; c++) out[to++] = data[from + c];
    }
  }
  return { data: out, width: side, height: side, channels };
}

/** A face cut out of a photo, `size` pixels a side. */
export function cropFace(photo, box, margin, size) {
  const step = Math.ceil((Math.max(box[2], box[3]) * (1 + 2 * margin)) / WHOLE);
  const place = square(box.map(value => value / step), margin);
  return resizeSquare(cut(subsample(photo, step), place), size);
}

/** Side of the cropped area in photo pixels, with fractions; below the model's input size, the face is enlarged. */
export function sideOf(box, margin) {
  return Math.max(box[2], box[3]) * (1 + 2 * margin);
}
