/** The worker that computes, so that the page stays responsive: answers `{id, call, argument}` with `{id, result}` or `{id, error}`. */

import { Analyzer } from "./analyzer.js";
import { fromRgba } from "./image.js";
import { hasCounts } from "./prior.js";

const base = new URL("../", import.meta.url);
let analyzer;

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

  analyze: ({ rgba, width, height, detail, prior }) =>
    analyzer.analyze(fromRgba(new Uint8Array(rgba), width, height), detail, prior),
};

self.onmessage = async ({ data: { id, call, argument } }) => {
  try {
    self.postMessage({ id, result: await calls[call](argument) });
  } catch (error) {
    self.postMessage({ id, error: error instanceof RangeError ? "the photo is too large for this browser's memory" : String(error.message ?? error) });
  }
};
