/** How well a face can be seen, 0 to 1: the score of facelet/runtime/quality.py, which explains the measures. */

import { resizeSquare, toChannels } from "./image.js";

const SIDE = 64, CENTRE = 0.15;
const INTERCEPT = 2.053;
const COEFFICIENTS = { side: 0.098, sharpness: 0.873, light: 1.015, contrast: 0.082, turn: -0.406 };

/** Score of a crop, `side` photo pixels a side, with the landmarks of its face in the photo. */
export function qualityOf(crop, side, landmarks) {
  const { sharpness, light, contrast } = measure(crop);
  const features = {
    side: octaves(side / 48, -2),
    sharpness: octaves(sharpness / 0.25, -3),
    light: octaves(light / 0.4, -4),
    contrast: octaves(contrast / 0.2, -4),
    turn: Math.min(turn(landmarks), 1),
  };
  const total = Object.entries(features).reduce((sum, [name, value]) => sum + COEFFICIENTS[name] * value, INTERCEPT);
  return 1 / (1 + Math.exp(-total));
}

function measure(crop) {
  const { data } = resizeSquare(toChannels(crop, 1), SIDE);
  const edge = Math.round(CENTRE * SIDE), size = SIDE - 2 * edge, count = size * size;
  // Beyond the border lies the pixel on the inner side of the border's: cv2.Laplacian's default.
  const inside = at => (at < 0 ? -at : at < size ? at : 2 * size - 2 - at);
  const grey = (x, y) => data[(edge + inside(y)) * SIDE + edge + inside(x)] / 255;
  let sum = 0, squares = 0, rough = 0;
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) {
      const value = grey(x, y);
      sum += value;
      squares += value * value;
      rough += Math.abs(grey(x - 1, y) + grey(x + 1, y) + grey(x, y - 1) + grey(x, y + 1) - 4 * value);
    }
  const light = sum / count, contrast = Math.sqrt(Math.max(squares / count - light * light, 0));
  return { light, contrast, sharpness: rough / count / Math.max(contrast, 1 / 255) };
}

/** Distance of the nose from the middle of the eyes along their line, in half eye distances, at most 2. */
function turn([[leftX, leftY], [rightX, rightY], [noseX, noseY]]) {
  const x = rightX - leftX, y = rightY - leftY, distance = Math.hypot(x, y);
  if (distance < 1e-6) return 1;
  const along = ((noseX - (leftX + rightX) / 2) * x + (noseY - (leftY + rightY) / 2) * y) / distance;
  return Math.min(Math.abs(along) / (distance / 2), 2);
}

const octaves = (ratio, low) => Math.min(Math.max(Math.log2(Math.max(ratio, 1e-6)), low), 0);
