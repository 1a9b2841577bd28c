/**
 * YuNet as OpenCV's `FaceDetectorYN` runs it: an image in, faces out. The Python side is facelet/runtime/network.py.
 *
 * YuNet: Wu, Peng, Yu 2023, https://doi.org/10.1007/s11633-023-1423-y
 */

const STRIDES = [8, 16, 32];
const DIVISOR = 32;

/**
 * The network with a minimum score. `run(input, height, width)` runs it on float32 (1, 3, height, width) and resolves to its outputs
 * by name. `settings`: score, nms, topK.
 */
export class Network {
  constructor(run, settings) {
    this.run = run;
    this.settings = settings;
    this.score = settings.score;
  }

  /** Faces of an RGB image at its own size, in its pixels: `{box: [left, top, width, height], score, landmarks: 5 x [x, y]}`. */
  async faces(image) {
    const [wide, high] = [image.width, image.height].map(side => Math.ceil(side / DIVISOR) * DIVISOR);
    const outputs = await this.run(bgrPlanes(image, wide, high), high, wide);
    return suppress(decode(outputs, wide, high, this.score), this.settings)
      .map(({ box, score, landmarks }) => ({ box, score, landmarks }))
      .filter(({ box, landmarks }) => [box, landmarks].flat(2).every(Number.isFinite) && box[2] > 0 && box[3] > 0);
  }
}

/** Float32 planes in the order blue, green, red, padded with black at the right and the bottom. */
export function bgrPlanes({ data, width, height }, wide, high) {
  const plane = wide * high, out = new Float32Array(3 * plane);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const from = 3 * (y * width + x), to = y * wide + x;
      out[to] = data[from + 2];
      out[plane + to] = data[from + 1];
      out[2 * plane + to] = data[from];
    }
  return out;
}

/** Candidates of the network's outputs for an input of `wide` x `high`, with at least the given score. */
export function decode(outputs, wide, high, least) {
  const unit = value => Math.min(Math.max(value, 0), 1), candidates = [];
  for (const stride of STRIDES) {
    const columns = wide / stride, rows = high / stride;
    const [classes, objects, boxes, points] = ["cls", "obj", "bbox", "kps"].map(name => outputs[`${name}_${stride}`]);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const at = row * columns + column, score = Math.fround(Math.sqrt(Math.fround(unit(classes[at]) * unit(objects[at]))));
        if (!(score >= Math.fround(least))) continue;
        // Rounded to 32 bits as in OpenCV: a hundred-thousandth of a pixel may turn the rounding of a crop.
        const [x, y, w, h] = boxes.subarray(4 * at, 4 * at + 4), [width, height] = [w, h].map(size => Math.fround(Math.exp(size)) * stride);
        const place = (offset, cell) => Math.fround(cell + offset) * stride;
        candidates.push({
          box: [place(x, column) - width / 2, place(y, row) - height / 2, width, height].map(Math.fround),
          score,
          landmarks: [0, 1, 2, 3, 4].map(point => [place(points[10 * at + 2 * point], column), place(points[10 * at + 2 * point + 1], row)]),
        });
      }
  }
  return candidates;
}

/** Non-maximum suppression: the best of overlapping candidates. OpenCV compares boxes in whole pixels, so this does too. */
export function suppress(candidates, { score, nms, topK }) {
  if (candidates.length < 2) return candidates;
  const kept = [];
  const sorted = candidates.filter(candidate => candidate.score > Math.fround(score)).sort((a, b) => b.score - a.score);
  for (const candidate of sorted.slice(0, topK)) {
    const box = candidate.box.map(Math.trunc);
    if (kept.every(other => overlap(box, other.whole) <= nms)) kept.push({ ...candidate, whole: box });
  }
  return kept;
}

/** Intersection over union of two boxes `[left, top, width, height]`. */
export function overlap(a, b) {
  const width = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  return (width * height) / (a[2] * a[3] + b[2] * b[3] - width * height);
}
