/** Reads a photo: upright by its EXIF orientation, on white, without its colour profile, as facelet/io/pixels.py does. */

import { parseHeader } from "./header.js";

const MAX_BYTES = 256 * 2 ** 20;
const MAX_PIXELS = 50e6;
const FORMATS = "JPEG, PNG, WebP, GIF, BMP or AVIF";

/** A canvas with the photo. Throws an Error that says in one sentence what is wrong with the file. */
export async function readPhoto(file) {
  if (!file.size) throw new Error("The file is empty.");
  if (file.size > MAX_BYTES) throw new Error(`The file has ${Math.round(file.size / 2 ** 20)} MB; this page reads up to ${MAX_BYTES / 2 ** 20} MB.`);
  const header = parseHeader(new Uint8Array(await file.arrayBuffer()));
  if (!header) throw new Error(`The file is not a picture that this page reads (${FORMATS}).`);
  requireSize(header.width, header.height);
  if (!header.whole) throw new Error(`The ${header.format} file is cut short. Copy or download it again.`);
  const bitmap = await decoded(file, header.format);
  try {
    requireSize(bitmap.width, bitmap.height);
    return onWhite(bitmap, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

function requireSize(width, height) {
  if (width * height > MAX_PIXELS)
    throw new Error(`The photo has ${Math.round((width * height) / 1e6)} megapixels; this page reads up to ${MAX_PIXELS / 1e6}. Make it smaller first.`);
}

async function decoded(file, format) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    throw new Error(format === "HEIC" ? "This browser cannot read HEIC. Save the photo as JPEG first." : `The ${format} file is damaged, or of a kind that this browser does not read.`);
  }
}

/** A canvas of a source (a bitmap or a video's frame) on white. */
export function onWhite(source, width, height, canvas = document.createElement("canvas")) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0, width, height);
  return canvas;
}

/** The pixels of a canvas of `onWhite`. */
export function pixelsOf(canvas) {
  return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
}
