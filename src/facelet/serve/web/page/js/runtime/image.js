/**
 * Images and their resizing, with OpenCV's arithmetic, so that the net gets the pixels that it gets in Python.
 *
 * An image is `{data, width, height, channels}`: 8 bits a value, row by row, RGB or grey. The Python side is
 * facelet/io/pixels.py, whose `cv2.resize` is followed here: area averaging where an image shrinks, bilinear where it grows.
 */

/** The nearest integer, halves to the even one: Python's `round` and OpenCV's `cvRound`, unlike `Math.round`. */
export function even(x) {
  const low = Math.floor(x), rest = x - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

/** An RGB image from a canvas's RGBA pixels, whose alpha is dropped: the canvas was white before the photo was drawn. */
export function fromRgba(rgba, width, height) {
  const data = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    data[to] = rgba[from];
    data[to + 1] = rgba[from + 1];
    data[to + 2] = rgba[from + 2];
  }
  return { data, width, height, channels: 3 };
}

/** RGBA pixels of an image, as `ImageData` wants them. */
export function toRgba({ data, width, height, channels }) {
  const rgba = new Uint8ClampedArray(4 * width * height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let c = 0; c < 3; c++) rgba[4 * pixel + c] = data[channels * pixel + (channels === 3 ? c : 0)];
    rgba[4 * pixel + 3] = 255;
  }
  return rgba;
}

/** The image with 1 or 3 channels; grey is ITU-R BT.601 luma in 15 bits. */
export function toChannels(image, channels) {
  if (image.channels === channels) return image;
  const { width, height, data } = image, out = new Uint8Array(width * height * channels);
  for (let pixel = 0; pixel < width * height; pixel++) {
    if (channels === 1) {
      const at = 3 * pixel;
      out[pixel] = (9798 * data[at] + 19235 * data[at + 1] + 3735 * data[at + 2] + 16384) >> 15;
    } else out.fill(data[pixel], 3 * pixel, 3 * pixel + 3);
  }
  return { data: out, width, height, channels };
}

/** Every `step`-th pixel of every `step`-th row. */
export function subsample(image, step) {
  if (step === 1) return image;
  const { channels } = image, width = Math.ceil(image.width / step), height = Math.ceil(image.height / step);
  const data = new Uint8Array(width * height * channels);
  let to = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const from = (y * step * image.width + x * step) * channels;
      for (let c = 0; c < channels; c++) data[to++] = image.data[from + c];
    }
  return { data, width, height, channels };
}

/** A rectangle of an image, in whole pixels. */
export function part(image, left, top, width, height) {
  if (width === image.width && height === image.height) return image;
  const { channels } = image, row = width * channels, data = new Uint8Array(height * row);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * image.width + left) * channels;
    data.set(image.data.subarray(from, from + row), y * row);
  }
  return { data, width, height, channels };
}

/** The image after quarter turns against the clock, numpy's `rot90`. */
export function rot90(image, quarters) {
  const { data, channels, width: across, height: down } = image, turn = ((quarters % 4) + 4) % 4;
  if (!turn) return image;
  const [width, height] = turn === 2 ? [across, down] : [down, across], out = new Uint8Array(data.length);
  // Source pixel of the first one, and steps to the source of the next one in a row and in a column.
  const [first, right, below] = [, [across - 1, across, -1], [across * down - 1, -1, -across], [across * (down - 1), -across, 1]][turn];
  let to = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0, from = (first + y * below) * channels; x < width; x++, from += right * channels)
      for (let c = 0; c < channels; c++) out[to++] = data[from + c];
  return { data: out, width, height, channels };
}

/** A square of `size`: by area where the image is larger, else bilinear ("area-linear" in a model file). */
export function resizeSquare(image, size) {
  if (image.width === size && image.height === size) return image;
  return Math.min(image.width, image.height) > size ? areaResize(image, size, size) : linearResize(image, size, size);
}

/** Resizes by averaging the area that each pixel covers, `cv2.INTER_AREA`; for an image that shrinks in both directions. */
export function areaResize(image, width, height) {
  const { channels } = image, across = areaTable(image.width, width), down = areaTable(image.height, height);
  const data = new Uint8Array(width * height * channels), row = width * channels;
  if (across.whole && down.whole) return { data: wholeAreas(image, across.whole, down.whole, data, width, height), width, height, channels };
  const line = new Float32Array(row), sum = new Float32Array(row);
  let summed = -1; // the source row that `line` holds: neighbours share one
  for (let y = 0; y < height; y++) {
    sum.fill(0);
    for (let entry = down.starts[y]; entry < down.starts[y + 1]; entry++) {
      const source = down.places[entry], weight = down.weights[entry];
      if (source !== summed) addAcross(image, source, across, line, width);
      summed = source;
      for (let x = 0; x < row; x++) sum[x] = sum[x] + Math.fround(weight * line[x]); // each step in 32 bits, as in OpenCV
    }
    for (let x = 0; x < row; x++) data[y * row + x] = even(sum[x]);
  }
  return { data, width, height, channels };
}

/** One source row, averaged in x, into `line`. */
function addAcross({ data, width: stride, channels }, source, across, line, width) {
  for (let x = 0; x < width; x++)
    for (let c = 0; c < channels; c++) {
      let total = 0;
      for (let entry = across.starts[x]; entry < across.starts[x + 1]; entry++)
        total = Math.fround(total + Math.fround(across.weights[entry] * data[(source * stride + across.places[entry]) * channels + c]));
      line[x * channels + c] = total;
    }
}

/** The exact case in which each pixel covers `wide` x `high` whole pixels. */
function wholeAreas({ data, width: stride, channels }, wide, high, out, width, height) {
  const share = Math.fround(1 / (wide * high)), four = wide === 2 && high === 2;
  let to = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let v = 0; v < high; v++) {
          let from = ((y * high + v) * stride + x * wide) * channels + c;
          for (let u = 0; u < wide; u++, from += channels) sum += data[from];
        }
        out[to++] = four ? (sum + 2) >> 2 : even(sum * share);
      }
  return out;
}

/** For each pixel of an axis, the source pixels that it covers and their shares; `whole` is their number where it is one for all. */
function areaTable(length, size) {
  const scale = 1 / (size / length), starts = new Int32Array(size + 1), places = [], weights = [];
  const rounded = even(scale), whole = Math.abs(scale - rounded) < Number.EPSILON ? rounded : 0;
  for (let at = 0; at < size; at++) {
    const from = at * scale, to = from + scale, cell = Math.min(scale, length - from);
    const last = Math.min(Math.floor(to), length - 1), first = Math.min(Math.ceil(from), last);
    const add = (place, share) => {
      places.push(place);
      weights.push(share / cell);
    };
    if (first - from > 1e-3) add(first - 1, first - from);
    for (let place = first; place < last; place++) add(place, 1);
    if (to - last > 1e-3) add(last, Math.min(to - last, 1, cell));
    starts[at + 1] = places.length;
  }
  return { starts, places: Int32Array.from(places), weights: Float32Array.from(weights), whole };
}

/** Resizes bilinearly, `cv2.INTER_LINEAR`: weights of 11 bits, pixel centres aligned. */
export function linearResize(image, width, height) {
  const { data, channels } = image, across = linearTable(image.width, width, false), down = linearTable(image.height, height, true);
  const out = new Uint8Array(width * height * channels);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const [above, below] = [0, 1].map(side => down.places[2 * y + side] * image.width * channels);
    for (let x = 0; x < width; x++) {
      const left = across.places[2 * x] * channels, right = across.places[2 * x + 1] * channels;
      for (let c = 0; c < channels; c++) {
        const upper = data[above + left + c] * across.weights[2 * x] + data[above + right + c] * across.weights[2 * x + 1];
        const lower = data[below + left + c] * across.weights[2 * x] + data[below + right + c] * across.weights[2 * x + 1];
        out[to++] = (((down.weights[2 * y] * (upper >> 4)) >> 16) + ((down.weights[2 * y + 1] * (lower >> 4)) >> 16) + 2) >> 2;
      }
    }
  }
  return { data: out, width, height, channels };
}

/** For each pixel of an axis, its two neighbours and their weights. Beyond the border OpenCV weighs the last pixel of a row once, and the last row twice. */
function linearTable(length, size, isRows) {
  const scale = length / size, places = new Int32Array(2 * size), weights = new Int32Array(2 * size), last = length - 1;
  for (let at = 0; at < size; at++) {
    const middle = Math.fround((at + 0.5) * scale - 0.5), place = Math.floor(middle), isInside = place >= 0 && place < last;
    const rest = isRows || isInside ? Math.fround(middle - place) : 0;
    places.set([place, place + 1].map(each => Math.min(Math.max(each, 0), last)), 2 * at);
    weights.set([even((1 - rest) * 2048), even(rest * 2048)], 2 * at);
  }
  return { places, weights };
}
