/**
 * The worker that computes, so that the page stays responsive: answers `{id, call, argument}` with `{id, result}` or `{id, error}`.
 * Before that, a long call reports `{id, progress}`, 0 to 1, and ends early when there is a newer one.
 */

import { Analyzer } from "./runtime/analyzer.js";
import { fromRgba } from "./runtime/image.js";
import { hasCounts } from "./runtime/prior.js";

const base = new URL("../", import.meta.url);
/** Milliseconds between two reports. */
const PAUSE = 100;
let analyzer, newest, earlier = Promise.resolve();

async function read(path) {
  const response = await fetch(new URL(path, base));
  if (!response.ok) throw new Error(`${path} could not be loaded (${response.status})`);
  return new Uint8Array(await response.arrayBuffer());
}

const calls = {
  async open({ site, engine, model }) {
    analyzer = await Analyzer.open(site, { engine, model, read, base });
    const { selftest, card, protocol, ...info } = analyzer.info;
    return { info: { ...info, hasCounts: hasCounts(analyzer.info) }, check: analyzer.check };
  },

  analyze: ({ rgba, width, height, look, prior }, report) =>
    analyzer.analyze(fromRgba(new Uint8Array(rgba), width, height), { ...look, report }, prior),
};

/** The function with which a call reports its progress, and learns of newer calls. */
function reporter(id) {
  let last = performance.now();
  return async progress => {
    if (performance.now() - last < PAUSE) return;
    self.postMessage({ id, progress });
    await new Promise(resolve => setTimeout(resolve)); // messages arrive only between tasks
    if (newest !== id) throw new Error("another photo came first");
    last = performance.now();
  };
}

async function answer({ id, call, argument }) {
  try {
    self.postMessage({ id, result: await calls[call](argument, reporter(id)) });
  } catch (error) {
    self.postMessage({ id, error: error instanceof RangeError ? "the photo is too large for this browser's memory" : String(error.message ?? error) });
  }
}

self.onmessage = ({ data }) => {
  newest = data.id;
  earlier = earlier.then(() => answer(data)); // the engine runs one call at a time
};
