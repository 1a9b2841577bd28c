/**
 * Which parts of a large photo the detector looks at, and at which scale; and what it saw twice.
 *
 * The Python side is facelet/runtime/tiles.py, which explains the numbers.
 */

import { even } from "./image.js";

export const FINEST = 0.75;
export const ENOUGH = 0.4;
export const TILE = 640;
export const OVERLAP = 96;
export const SAME = 0.3;
export const FOUND = 20;
export const INSIDE = 0.7;
export const MOST = 5000;

/** Scales at which a photo is looked at in tiles, finest first; none if it is seen `whole` at a fine scale already. */
export function scales(whole) {
  if (whole >= ENOUGH) return [];
  const finer = [FINEST];
  while ((OVERLAP / finer.at(-1)) * whole < FOUND) finer.push(finer.at(-1) / 2);
  return finer;
}

/**
 * Tiles of equal size that cover a photo, row by row: `{left, top, width, height, core}` in whole pixels. Each point of the photo is
 * in the core, `[left, top, right, bottom]`, of one tile; it is infinite where the photo ends, since a box may reach beyond it.
 */
export function tiles(height, width, scale) {
  const rows = spans(height, scale), columns = spans(width, scale);
  return rows.flatMap(down =>
    columns.map(across => ({
      left: across.start,
      top: down.start,
      width: across.length,
      height: down.length,
      core: [across.low, down.low, across.high, down.high],
    })),
  );
}

/** `{start, length, low, high}` of the tiles along an axis; `low` and `high` bound the core. */
function spans(length, scale) {
  const longest = even(TILE / scale), overlap = OVERLAP / scale;
  if (length <= longest) return [{ start: 0, length, low: -Infinity, high: Infinity }];
  const count = Math.ceil((length - overlap) / (longest - overlap));
  const span = Math.min(length, Math.ceil((length + (count - 1) * overlap) / count));
  const starts = Array.from({ length: count }, (_, number) => even((number * (length - span)) / (count - 1)));
  const edges = [-Infinity, ...starts.slice(1).map((after, number) => (after + starts[number] + span) / 2), Infinity];
  return starts.map((start, number) => ({ start, length: span, low: edges[number], high: edges[number + 1] }));
}

/** The faces (in photo pixels) that belong to a tile: centred in its core, and small enough to be whole. */
export function own({ core: [left, top, right, bottom] }, faces, scale) {
  return faces.filter(({ box }) => {
    const x = box[0] + box[2] / 2, y = box[1] + box[3] / 2;
    return x >= left && x < right && y >= top && y < bottom && Math.max(box[2], box[3]) <= OVERLAP / scale;
  });
}

/** Positions, best score first, of faces without those that several looks at a photo saw twice. */
export function distinct(boxes, scores) {
  const order = scores.map((_, position) => position).sort((a, b) => scores[b] - scores[a]), kept = [];
  for (const position of order.slice(0, MOST)) if (!kept.some(other => same(boxes[position], boxes[other]))) kept.push(position);
  return kept;
}

function same(a, b) {
  const width = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]), height = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  const shared = Math.max(width, 0) * Math.max(height, 0), [ours, theirs] = [a[2] * a[3], b[2] * b[3]];
  return shared > SAME * (ours + theirs - shared) || shared > INSIDE * Math.min(ours, theirs);
}
