/**
 * A detected face, and what a turn of the photo does to it. The Python side is facelet/runtime/detection.py.
 *
 * A face is `{box: [left, top, width, height], score, landmarks: 5 x [x, y], roll}` in photo pixels: the eyes, the nose tip and the
 * mouth corners; of each pair, the point that is left when the face is upright comes first. `roll`: degrees by which the face is
 * turned clockwise, above -180 and up to 180; 0 for a face that is close to upright. The box of a turned face is that of the upright
 * face, turned to the nearest quarter.
 */

import { even } from "./image.js";

const modulo = (value, divisor) => ((value % divisor) + divisor) % divisor;

/** Angle of the line from the first to the second eye, clockwise from the horizontal, in degrees from -180 to 180. */
export function eyeLine([[leftX, leftY], [rightX, rightY]]) {
  return (Math.atan2(rightY - leftY, rightX - leftX) * 180) / Math.PI;
}

/** The same angle, above -180 and up to 180. */
export const wrapped = degrees => 180 - modulo(180 - degrees, 360);

/** The number of clockwise quarter turns, 0 to 3, that is nearest to an angle. */
export const quarterOf = roll => modulo(even(roll / 90), 4);

/** A face found in `rot90(photo, quarter)`, in coordinates of the photo of the given size; its `roll` grows by the quarters. */
export function fromFrame(face, quarter, { width, height }) {
  if (quarter === 0) return face;
  const [left, top, across, down] = face.box;
  const box = {
    1: [width - top - down, left, down, across],
    2: [width - left - across, height - top - down, across, down],
    3: [top, height - left - across, down, across],
  }[quarter];
  const point = { 1: ([x, y]) => [width - y, x], 2: ([x, y]) => [width - x, height - y], 3: ([x, y]) => [y, height - x] }[quarter];
  return { box, score: face.score, landmarks: face.landmarks.map(point), roll: wrapped(face.roll + 90 * quarter) };
}

/** Area of a face's box. */
export const areaOf = ({ box }) => box[2] * box[3];
