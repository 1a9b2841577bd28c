/** The page's side of the worker. */

/** A worker with its analyzer: `open` first, then `analyze`. */
export class Client {
  constructor() {
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.waiting = new Map();
    this.next = 0;
    this.worker.onmessage = ({ data }) => this.#answer(data);
    this.worker.onerror = event => this.#fail(event.message || "the worker could not be started");
  }

  /** Opens a model: resolves to `{info, check}`. */
  open(argument) {
    return this.#call("open", argument);
  }

  /** Analyzes `ImageData`, whose pixels move to the worker: resolves to `{faces, milliseconds}`. `onProgress`: gets shares, 0 to 1. */
  analyze({ data, width, height }, { look, prior, onProgress }) {
    return this.#call("analyze", { rgba: data.buffer, width, height, look, prior }, [data.buffer], onProgress);
  }

  end() {
    this.worker.terminate();
    this.#fail("stopped");
  }

  #call(call, argument, moved = [], onProgress = () => {}) {
    return new Promise((resolve, reject) => {
      const id = this.next++;
      this.waiting.set(id, { resolve, reject, onProgress });
      this.worker.postMessage({ id, call, argument }, moved);
    });
  }

  #answer({ id, progress, result, error }) {
    const call = this.waiting.get(id);
    if (progress !== undefined) return call?.onProgress(progress);
    this.waiting.delete(id);
    if (error !== undefined) call?.reject(new Error(error));
    else call?.resolve(result);
  }

  #fail(message) {
    for (const { reject } of this.waiting.values()) reject(new Error(message));
    this.waiting.clear();
  }
}
