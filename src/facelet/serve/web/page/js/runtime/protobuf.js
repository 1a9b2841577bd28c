/**
 * Reads ONNX files without a library: their metadata, and the sizes that a graph declares.
 *
 * An ONNX file is one protobuf message; field numbers are those of onnx.proto. The Python side is facelet/models/onnx_wire.py.
 */

const BROKEN = "the file is cut short or damaged";
const VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5;
const MODEL = { graph: 7, metadata: 14 };
const GRAPH = { nodes: 1, tensors: 5, inputs: 11, outputs: 12 };
const NODE = { inputs: 1, operator: 4, attributes: 5 };
const TENSOR = { sizes: 1, name: 8 };
const ATTRIBUTE = { name: 1, integer: 3 };
const ENTRY = { key: 1, value: 2 };

/**
 * Fields of one message, in order: `{number, value, at}`, where value is an integer or a view of the bytes, which begins at `at`.
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
      const start = at;
      yield { number, value: varint(), at: start };
      continue;
    }
    const sizes = { [FIXED32]: 4, [FIXED64]: 8 };
    const length = kind === LENGTH ? varint() : sizes[kind];
    if (!number || length === undefined || at + length > message.length) throw new Error(BROKEN);
    yield { number, value: message.subarray(at, at + length), at };
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

const inside = (message, ...wanted) => [...fields(message)].filter(({ number }) => wanted.includes(number)).map(({ value }) => value);
const words = (message, number) => inside(message, number).map(value => new TextDecoder().decode(value));

/**
 * A copy of YuNet's file that ONNX Runtime accepts: it is made for OpenCV, which is not as strict. No weight changes.
 *
 * - It declares images of 640 x 640. Each size of 128 to 16383, `08 xx xx` (dim_value), is replaced by a name of one letter,
 *   `12 01 'a'` (dim_param), which takes as many bytes. Channels and coordinates are smaller.
 * - It gives a block size to tensors that have one scale for all. It is set to 0.
 */
export function forOnnxRuntime(file) {
  const copy = file.slice();
  for (const graph of inside(copy, MODEL.graph)) {
    freeSizes(graph);
    dropBlocks(graph);
  }
  return copy;
}

function freeSizes(graph) {
  let letter = "a".charCodeAt(0);
  for (const value of inside(graph, GRAPH.inputs, GRAPH.outputs))
    for (const type of inside(value, 2))
      for (const tensor of inside(type, 1))
        for (const shape of inside(tensor, 2))
          for (const size of inside(shape, 1)) if (size.length === 3 && size[0] === 0x08) size.set([0x12, 1, letter++]);
}

function dropBlocks(graph) {
  const single = new Set(
    inside(graph, GRAPH.tensors).filter(tensor => String(inside(tensor, TENSOR.sizes)) === "1").flatMap(tensor => words(tensor, TENSOR.name)),
  );
  for (const node of inside(graph, GRAPH.nodes)) {
    if (words(node, NODE.operator)[0] !== "DequantizeLinear" || !single.has(words(node, NODE.inputs)[1])) continue;
    for (const attribute of inside(node, NODE.attributes))
      if (words(attribute, ATTRIBUTE.name)[0] === "block_size")
        for (const { number, value, at } of fields(attribute))
          if (number === ATTRIBUTE.integer && value < 128) attribute[at] = 0;
  }
}
