/**
 * Affine maps, and images that are warped by them as `cv2.warpAffine` does with INTER_LINEAR.
 *
 * A map is `[[a, b, c], [d, e, f]]`: it leads (u, v) to (a u + b v + c, d u + e v + f). Pixel edges are at integer coordinates:
 * pixel (0, 0) spans 0 to 1.
 */

import { even } from "./image.js";

/** The linear part of a clockwise turn: `[[cosine, -sine], [sine, cosine]]`. */
export function turnMap(degrees) {
  const radians = degrees * (Math.PI / 180), cosine = Math.cos(radians), sine = Math.sin(radians);
  return [[cosine, -sine], [sine, cosine]];
}

/** Where a map leads a point. */
export const mapped = (map, [u, v]) => map.map(([a, b, c]) => a * u + b * v + c);

/**
 * The image that `map` leads back from: the pixel at each point has the value of `image` where the map leads the point.
 * `border`: what lies beyond the image, "black" or "replicate", its nearest pixel.
 */
export function warpAffine(image, map, width, height, border) {
  const { data, channels } = image, row = image.width * channels, out = new Uint8Array(width * height * channels);
  const right = image.width - 1, bottom = image.height - 1, black = border === "black";
  // OpenCV's coordinates count from the middle of the first pixel. They are rounded to 32 bits at the same steps as there.
  const [[a, b, c], [d, e, f]] = map.map(([p, q, r]) => [p, q, r + ((p + q) / 2 - 0.5)].map(Math.fround));
  let to = 0;
  for (let y = 0; y < height; y++) {
    const startX = Math.fround(Math.fround(b * y) + c), startY = Math.fround(Math.fround(e * y) + f);
    for (let x = 0; x < width; x++, to += channels) {
      const px = Math.fround(a * x + startX), py = Math.fround(d * x + startY), left = Math.floor(px), top = Math.floor(py);
      const u = px - left, v = py - top;
      if (left >= 0 && top >= 0 && left < right && top < bottom) {
        const at = top * row + left * channels;
        for (let k = 0; k < channels; k++) out[to + k] = blended(data[at + k], data[at + channels + k], data[at + row + k], data[at + row + channels + k], u, v);
      } else if (!black || (left >= -1 && top >= -1 && left <= right && top <= bottom)) {
        const value = (px, py, k) => (black && (px < 0 || py < 0 || px > right || py > bottom) ? 0 : data[clamp(py, bottom) * row + clamp(px, right) * channels + k]);
        for (let k = 0; k < channels; k++)
          out[to + k] = blended(value(left, top, k), value(left + 1, top, k), value(left, top + 1, k), value(left + 1, top + 1, k), u, v);
      }
    }
  }
  return { data: out, width, height, channels };
}

/** The value at (u, v), 0 to 1, among four pixels. */
function blended(upperLeft, upperRight, lowerLeft, lowerRight, u, v) {
  const upper = Math.fround(upperLeft + u * (upperRight - upperLeft)), lower = Math.fround(lowerLeft + u * (lowerRight - lowerLeft));
  return even(Math.fround(upper + v * Math.fround(lower - upper)));
}

const clamp = (value, last) => Math.min(Math.max(value, 0), last);
