/**
 * Reads ONNX files without a library: their metadata, and the sizes that a graph declares.
 *
 * An ONNX file is one protobuf message; field numbers are those of onnx.proto. The Python side is facelet/models/onnx_wire.py.
 */

const BROKEN = "the file is cut short or damaged";
const VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5;
const MODEL = { graph: 7, metadata: 14 };
const GRAPH = { inputs: 11, outputs: 12 };
const ENTRY = { key: 1, value: 2 };

/**
 * Fields of one message, in order: `{number, value}`, where value is an integer or a view of the bytes.
 * Throws an Error when the message is incomplete.
 */
export function* fields(message) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let place = 0; place < 10; place++) {
      if (at >= message.length) throw new Error(BROKEN);
      const byte = message[at++];
      value += (byte & 0x7f) * 2 ** (7 * place);
      if (byte < 0x80) return value;
    }
    throw new Error(BROKEN);
  };
  while (at < message.length) {
    const tag = varint(), number = Math.floor(tag / 8), kind = tag % 8;
    if (kind === VARINT) {
      yield { number, value: varint() };
      continue;
    }
    const sizes = { [FIXED32]: 4, [FIXED64]: 8 };
    const length = kind === LENGTH ? varint() : sizes[kind];
    if (!number || length === undefined || at + length > message.length) throw new Error(BROKEN);
    yield { number, value: message.subarray(at, at + length) };
    at += length;
  }
}

/** The ONNX metadata of a file, key -> text. Throws an Error when the file is incomplete. */
export function metadata(file) {
  const text = new TextDecoder(), entries = {};
  for (const { number, value } of fields(file)) {
    if (number !== MODEL.metadata) continue;
    const entry = { [ENTRY.key]: new Uint8Array(), [ENTRY.value]: new Uint8Array() };
    for (const part of fields(value)) entry[part.number] = part.value;
    entries[text.decode(entry[ENTRY.key])] = text.decode(entry[ENTRY.value]);
  }
  return entries;
}

const inside = (message, wanted) => [...fields(message)].filter(({ number }) => wanted.includes(number)).map(({ value }) => value);

/**
 * A copy of a file in which every declared size of 128 to 16383 is symbolic, so that the graph takes images of any size.
 *
 * YuNet's file declares 640 x 640, which OpenCV ignores and ONNX Runtime does not. Such a size, `08 xx xx` (dim_value), is
 * replaced by a name of one letter, `12 01 'a'` (dim_param), which takes as many bytes. Channels and coordinates are smaller.
 */
export function withFreeSizes(file) {
  const copy = file.slice();
  let letter = "a".charCodeAt(0);
  for (const graph of inside(copy, [MODEL.graph]))
    for (const value of inside(graph, [GRAPH.inputs, GRAPH.outputs]))
      for (const type of inside(value, [2]))
        for (const tensor of inside(type, [1]))
          for (const shape of inside(tensor, [2]))
            for (const size of inside(shape, [1]))
              if (size.length === 3 && size[0] === 0x08) size.set([0x12, 1, letter++]);
  return copy;
}
