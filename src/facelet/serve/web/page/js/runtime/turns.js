/**
 * Which way up a face is: looks again at faces that are tilted, or of which the detector is unsure.
 *
 * The Python side is facelet/runtime/turns.py, which explains the numbers and the search.
 */

import { turnedSquare, warped } from "./align.js";
import { areaOf, eyeLine, quarterOf, wrapped } from "./detection.js";
import { mapped, turnMap, warpAffine } from "./warp.js";

export const LEVEL = 8;
export const SURE = 0.9;
export const BETTER = 0.03;
export const STEP = 30;
export const DIGITS = 1;
export const NEAR = 10;
export const PATCH = 96, LAST_PATCH = 160;
export const AROUND = 2.2;
export const LOOKED_AT = 32;

/**
 * The faces, turned ones with `roll`, and with the box and landmarks that they have when they are upright.
 *
 * `faces`: found in `photo`, with `roll` 0. `network`: the detector's for patches; its minimum score is for images that show a face.
 */
export async function upright(faces, photo, network) {
  const doubtful = faces.filter(face => face.score < SURE || Math.abs(eyeLine(face.landmarks)) > LEVEL);
  const turned = new Map();
  for (const face of doubtful.sort((a, b) => areaOf(b) - areaOf(a)).slice(0, LOOKED_AT)) turned.set(face, await lookedAt(face, photo, network));
  return faces.map(face => turned.get(face) ?? face);
}

/** The face after a second look. */
async function lookedAt(face, photo, network) {
  const angle = await peak(angle => scoreAt(face, photo, network, angle), face.score < SURE);
  if (Math.abs(wrapped(angle)) <= NEAR) return face;
  const seen = await look(face, photo, network, angle, LAST_PATCH);
  return seen ? { ...seen, score: Math.max(seen.score, face.score) } : face;
}

/** The angle in degrees at which a face scores best, climbing from 0 or from the best quarter turn. `score(angle)` is a promise. */
export async function peak(score, quarters) {
  const known = new Map();
  const at = async angle => {
    if (!known.has(angle)) known.set(angle, await score(angle));
    return known.get(angle);
  };
  const best = async (angles, favoured) => {
    const scores = [];
    for (const angle of angles) scores.push((await at(angle)) + (angle === favoured ? BETTER : 0));
    return angles[scores.indexOf(Math.max(...scores))];
  };
  let angle = quarters ? await best([0, 90, 180, 270], 0) : 0;
  for (let climb = 0; climb < 3; climb++) { // a face is at most 45 degrees from the best quarter turn
    const higher = await best([angle, angle - STEP, angle + STEP]);
    if (higher === angle) break;
    angle = higher;
  }
  const before = await at(angle - STEP), here = await at(angle), after = await at(angle + STEP), bend = before - 2 * here + after;
  return bend < 0 ? rounded(angle + (STEP * (before - after)) / (2 * bend)) : angle;
}

async function scoreAt(face, photo, network, angle) {
  const seen = await look(face, photo, network, angle, PATCH);
  return seen ? seen.score : network.score - BETTER;
}

/** The face as the detector sees it in a patch of the photo turned back by `angle` degrees; null if it does not. */
async function look({ box: [left, top, width, height] }, photo, network, angle, size) {
  const unit = turnedSquare([left + width / 2, top + height / 2], AROUND * Math.max(width, height), angle);
  const near = (await network.faces(warped(photo, unit, size))).filter(
    ({ box }) => Math.hypot(box[0] + box[2] / 2 - size / 2, box[1] + box[3] / 2 - size / 2) < size / AROUND / 2,
  );
  if (!near.length) return null;
  const seen = near.reduce((best, face) => (face.score > best.score ? face : best));
  return inPhoto({ ...seen, roll: 0 }, unit.map(([a, b, c]) => [a / size, b / size, c]), angle);
}

/**
 * A face found in a turned part of the photo, in coordinates of the photo.
 *
 * `unit`: map from the part to the photo, a clockwise turn by `angle` degrees and a scale.
 */
export function inPhoto(seen, unit, angle) {
  const [left, top, width, height] = seen.box, roll = wrapped(seen.roll + angle), scale = Math.hypot(unit[0][0], unit[1][0]);
  const [x, y] = mapped(unit, [left + width / 2, top + height / 2]);
  // The box of a turned face is its upright box, turned to the nearest quarter: in the part, and in the photo.
  const isTurned = (quarterOf(roll) - quarterOf(seen.roll)) % 2, [across, down] = isTurned ? [scale * height, scale * width] : [scale * width, scale * height];
  return { box: [x - across / 2, y - down / 2, across, down], score: seen.score, landmarks: seen.landmarks.map(point => mapped(unit, point)), roll };
}

/** `{image, unit}`: the photo turned back by `angle` degrees, whole, with black corners; and the map from it to the photo. */
export function canvas(photo, angle) {
  const linear = turnMap(angle), middle = [photo.width / 2, photo.height / 2];
  const [width, height] = linear.map(([a, b]) => Math.ceil(Math.abs(a) * photo.width + Math.abs(b) * photo.height));
  const unit = linear.map(([a, b], axis) => [a, b, middle[axis] - (a * (width / 2) + b * (height / 2))]);
  return { image: warpAffine(photo, unit, width, height, "black"), unit };
}

/** The mean roll, in degrees, of a photo whose faces are mostly turned; 0 if most are not. */
export function common(faces) {
  const angles = faces.map(({ roll }) => roll).filter(roll => Math.abs(roll) > NEAR).map(roll => (roll * Math.PI) / 180);
  if (2 * angles.length <= faces.length) return 0;
  const sum = of => angles.reduce((total, angle) => total + of(angle), 0);
  return rounded((Math.atan2(sum(Math.sin), sum(Math.cos)) * 180) / Math.PI);
}

const rounded = angle => Number(angle.toFixed(DIGITS));
