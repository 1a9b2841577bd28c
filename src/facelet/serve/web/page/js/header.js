/** Format, size and completeness of an image file, before a decoder allocates memory for it or fills what is missing with grey. */

const text = (bytes, from, to) => String.fromCharCode(...bytes.subarray(from, to));

/** `{format, width, height, whole}` of an image file's bytes; sizes are 0 where they are not known; null for other files. */
export function parseHeader(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (bytes[0] === 0xff && bytes[1] === 0xd8) return jpeg(bytes, view);
    if (text(bytes, 1, 4) === "PNG") return png(bytes, view);
    if (text(bytes, 0, 3) === "GIF") return { format: "GIF", width: view.getUint16(6, true), height: view.getUint16(8, true), whole: true };
    if (text(bytes, 0, 2) === "BM")
      return { format: "BMP", width: Math.abs(view.getInt32(18, true)), height: Math.abs(view.getInt32(22, true)), whole: true };
    if (text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 12) === "WEBP") return webp(bytes, view);
    if (text(bytes, 4, 8) === "ftyp") return { format: text(bytes, 8, 12).startsWith("avi") ? "AVIF" : "HEIC", width: 0, height: 0, whole: true };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // the file ends inside its header
  }
  return null;
}

function jpeg(bytes, view) {
  let at = 2, width = 0, height = 0;
  for (;;) {
    if (view.getUint8(at) !== 0xff) return null;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) at += 1;
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) at += 2;
    else if (marker === 0xda || marker === 0xd9) return { format: "JPEG", width, height, whole: ends(bytes, at) };
    else {
      const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
      if (isFrame) [height, width] = [view.getUint16(at + 5), view.getUint16(at + 7)];
      at += 2 + view.getUint16(at + 2);
    }
  }
}

/** Whether a JPEG's scans end: inside them 0xFF is stuffed, so the first FFD9 is the end. */
function ends(bytes, from) {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) if (bytes[at + 1] === 0xd9) return true;
  return false;
}

function png(bytes, view) {
  const width = view.getUint32(16), height = view.getUint32(20);
  for (let at = 8; at + 12 <= bytes.length; at += 12 + view.getUint32(at))
    if (text(bytes, at + 4, at + 8) === "IEND") return { format: "PNG", width, height, whole: true };
  return { format: "PNG", width, height, whole: false };
}

function webp(bytes, view) {
  const whole = bytes.length >= view.getUint32(4, true) + 8, kind = text(bytes, 12, 16);
  const three = at => 1 + view.getUint16(at, true) + 65536 * view.getUint8(at + 2);
  const sizes = {
    "VP8X": () => [three(24), three(27)],
    "VP8 ": () => [26, 28].map(at => view.getUint16(at, true) & 0x3fff),
    "VP8L": () => [view.getUint32(21, true) & 0x3fff, (view.getUint32(21, true) >> 14) & 0x3fff].map(side => side + 1),
  };
  const [width, height] = sizes[kind]?.() ?? [0, 0];
  return { format: "WebP", width, height, whole };
}
