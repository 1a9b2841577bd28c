/**
 * Face detection with YuNet: small faces in large photos, and faces that are turned.
 *
 * The Python side is facelet/runtime/detector.py, which explains the order of the looks at a photo.
 */

import { areaOf, fromFrame, quarterOf, wrapped } from "./detection.js";
import { areaResize, even, linearResize, part, rot90, subsample } from "./image.js";
import { Network } from "./network.js";
import { distinct, own, scales, tiles } from "./tiles.js";
import { NEAR, canvas, common, inPhoto, upright } from "./turns.js";

/**
 * Finds faces. `run`: see `Network`. `settings`: the constants of facelet/runtime/detector.py (score, scoreOfCrops, detail, smallest,
 * hugeFace, glance, diagonalGlance, glanceScore, turned) and of its network (nms, topK).
 */
export class Detector {
  constructor(run, settings) {
    this.settings = settings;
    this.network = new Network(run, settings);
    this.patches = new Network(run, { ...settings, score: Math.min(settings.score, settings.scoreOfCrops) });
  }

  /**
   * Faces (see detection.js) of an RGB image of any size, largest first.
   *
   * `detail`: long side of the network's input; null: the usual one, and tiles of a large photo. `turns`: "auto" or "never".
   * `report(share)` is awaited after each tile with the share of the tiles that were looked at.
   */
  async detect(photo, { detail = null, turns = "auto", report = () => {} } = {}) {
    const look = { detail, turns, report };
    let faces = await this.#frame(photo, 0, look);
    if (turns === "auto") {
      const angle = faces.length ? common(faces) : await this.#glance(photo);
      if (angle) {
        const turned = await this.#frame(photo, angle, look);
        faces = withoutRepeats([...turned, ...faces], turned.length);
      }
    }
    return faces.sort((a, b) => areaOf(b) - areaOf(a));
  }

  /** The faces found in the photo after it is turned back by `angle` degrees, in coordinates of the photo. */
  async #frame(photo, angle, look) {
    const quarter = quarterOf(angle);
    if (Math.abs(wrapped(angle - 90 * quarter)) <= NEAR || photo.data.length > this.settings.turned) {
      const faces = await this.#upright(rot90(photo, quarter), look);
      return faces.map(face => fromFrame(face, quarter, photo));
    }
    const { image, unit } = canvas(photo, angle);
    return (await this.#upright(image, look)).map(face => inPhoto(face, unit, angle));
  }

  /** The faces found in the photo as it is, each looked at again if it may be turned. */
  async #upright(frame, look) {
    const faces = (await this.#faces(frame, look)).map(face => ({ ...face, roll: 0 }));
    return look.turns === "never" ? faces : upright(faces, frame, this.patches);
  }

  /** The turn in degrees in which a small copy of the photo shows most faces; 0 if it shows none. */
  async #glance(photo) {
    const { glance, diagonalGlance, glanceScore } = this.settings;
    for (const [angles, side] of [[[90, -90, 180], glance], [[45, -45, 135, -135], diagonalGlance]]) {
      const small = resized(photo, side), totals = [];
      for (const angle of angles) {
        const faces = await this.network.faces(canvas(small, angle).image);
        totals.push(faces.reduce((total, { score }) => total + (score >= Math.fround(glanceScore) ? score : 0), 0));
      }
      const most = Math.max(...totals);
      if (most) return angles[totals.indexOf(most)];
    }
    return 0;
  }

  /** Upright faces in photo pixels. */
  async #faces(photo, { detail, report }) {
    const longSide = Math.max(photo.width, photo.height), { smallest, hugeFace } = this.settings, usual = detail ?? this.settings.detail;
    let found = await this.#whole(photo, Math.min(Math.max(smallest, longSide), usual));
    const finer = detail === null ? scales(usual / longSide) : [];
    if (finer.length) {
      found.push(...(await this.#tiled(photo, finer, report)));
      found = distinct(found.map(({ box }) => box), found.map(({ score }) => score)).map(position => found[position]);
    }
    const retries = [hugeFace, ...(longSide > usual && !finer.length ? [2 * usual] : [])];
    while (!found.length && retries.length) found = await this.#whole(photo, retries.shift());
    return found;
  }

  /** The faces of the photo resized to the given long side, in photo pixels of 32 bits. */
  async #whole(photo, longSide) {
    const small = resized(photo, longSide), scale = [photo.width / small.width, photo.height / small.height].map(Math.fround);
    const grown = values => values.map((value, at) => Math.fround(value * scale[at % 2]));
    return (await this.network.faces(small)).map(({ box, score, landmarks }) => ({ box: grown(box), score, landmarks: landmarks.map(grown) }));
  }

  /** The small faces of the photo seen in tiles at several scales, in photo pixels. */
  async #tiled(photo, finer, report) {
    const looks = finer.flatMap(scale => tiles(photo.height, photo.width, scale).map(tile => ({ tile, scale }))), found = [];
    for (const [number, { tile, scale }] of looks.entries()) {
      const { left, top, width, height } = tile, seen = part(photo, left, top, width, height);
      const faces = (await this.#whole(seen, Math.max(1, even(scale * Math.max(width, height))))).map(({ box, score, landmarks }) => ({
        box: [box[0] + left, box[1] + top, box[2], box[3]].map(Math.fround),
        score,
        landmarks: landmarks.map(([x, y]) => [x + left, y + top].map(Math.fround)),
      }));
      found.push(...own(tile, faces, scale));
      await report((number + 1) / looks.length);
    }
    return found;
  }
}

/** The photo with the given long side. */
function resized(photo, longSide) {
  const scale = longSide / Math.max(photo.width, photo.height);
  const [width, height] = [photo.width, photo.height].map(side => Math.max(1, even(side * scale)));
  // A very large photo is subsampled first: each pixel of the result still averages at least 4 x 4.
  const image = subsample(photo, Math.max(1, Math.trunc(1 / (4 * scale))));
  if (image.width === width && image.height === height) return image;
  return scale < 1 ? areaResize(image, width, height) : linearResize(image, width, height);
}

/** The faces without those found in several turns: the best score is kept, or one of the first `preferred`. */
function withoutRepeats(faces, preferred) {
  const scores = faces.map(({ score }, number) => score + (number < preferred ? 1 : 0));
  return distinct(faces.map(({ box }) => box), scores).map(position => faces[position]);
}
