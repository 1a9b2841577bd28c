/** ONNX Runtime in this browser: WebAssembly, or WebGPU where it gives the same outputs. */

import { forOnnxRuntime } from "./protobuf.js";

const BUILDS = { wasm: "ort.wasm.min.mjs", webgpu: "ort.webgpu.min.mjs" };

/** The library for an engine, "wasm" or "webgpu", with one thread. `base`: URL of the site. */
export async function loadRuntime(engine, base) {
  if (engine === "webgpu" && !(await navigator.gpu?.requestAdapter())) throw new Error("this browser has no WebGPU adapter");
  const ort = await import(new URL(`ort/${BUILDS[engine]}`, base));
  ort.env.wasm.wasmPaths = new URL("ort/", base).href;
  ort.env.wasm.numThreads = 1; // more need a page that is isolated from other origins
  ort.env.logLevel = "error";
  return ort;
}

/** A model file, open: `run(data, shape)` resolves to the outputs by name. */
export class Session {
  static async open(ort, file, engine) {
    const session = await ort.InferenceSession.create(file, { executionProviders: [engine], logSeverityLevel: 3 });
    return new Session(ort, session);
  }

  /** As `open`, for the detector's file, which is made for OpenCV. */
  static openDetector(ort, file, engine) {
    return Session.open(ort, forOnnxRuntime(file), engine);
  }

  constructor(ort, session) {
    this.ort = ort;
    this.session = session;
  }

  /** Outputs by name, each a Float32Array, for float32 data of the given shape. */
  async run(data, shape) {
    const feed = { [this.session.inputNames[0]]: new this.ort.Tensor("float32", data, shape) };
    const outputs = await this.session.run(feed);
    return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tensor.data]));
  }

  /** The first output, a Float32Array. */
  async first(data, shape) {
    return (await this.run(data, shape))[this.session.outputNames[0]];
  }

  release() {
    return this.session.release();
  }
}

/** Largest difference of the outputs of two sessions for the same input; Infinity where one is not finite. */
export async function difference(a, b, data, shape) {
  const [ours, theirs] = [await a.run(data.slice(), shape), await b.run(data.slice(), shape)];
  return Math.max(...Object.keys(theirs).map(name => furthest(ours[name], theirs[name])));
}

/** Largest difference of two lists of numbers; Infinity where one is not finite. */
export function furthest(ours, theirs) {
  let most = 0;
  for (let at = 0; at < theirs.length; at++) {
    const apart = Math.abs(ours[at] - theirs[at]);
    if (!Number.isFinite(apart)) return Infinity;
    most = Math.max(most, apart);
  }
  return most;
}
