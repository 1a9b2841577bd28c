/** Tracks faces through the frames of a webcam and smooths their predictions, as facelet/runtime/media/tracker.py does. */

import { overlap } from "./network.js";

/** All faces so far of one webcam run. `settings`: overlap, patience (s), steady (s). */
export class Tracker {
  constructor(settings) {
    this.settings = settings;
    this.tracks = [];
  }

  /** The track of each face of a frame at a time in seconds; pairs with the largest overlap are matched first. */
  follow(faces, seconds) {
    const known = this.tracks.filter(track => seconds - track.end <= this.settings.patience).reverse();
    const pairs = faces.flatMap((face, place) => known.map(track => ({ place, track, share: overlap(face.box, track.box) })));
    const matched = new Map();
    for (const { place, track, share } of pairs.sort((a, b) => b.share - a.share))
      if (share >= this.settings.overlap && !matched.has(place) && ![...matched.values()].includes(track)) matched.set(place, track);
    return faces.map((face, place) => {
      const track = matched.get(place) ?? this.#begin(face, seconds);
      this.#add(track, face, seconds);
      return track;
    });
  }

  #begin(face, seconds) {
    const track = { number: this.tracks.length + 1, start: seconds, end: seconds, box: face.box, frames: 0, probabilities: null };
    this.tracks.push(track);
    return track;
  }

  #add(track, face, seconds) {
    const keep = track.frames ? Math.exp(-(seconds - track.end) / this.settings.steady) : 0;
    const before = track.probabilities ?? face.probabilities;
    track.probabilities = face.probabilities.map((value, at) => keep * before[at] + (1 - keep) * value);
    Object.assign(track, { box: face.box, end: seconds, frames: track.frames + 1 });
  }
}
