/** The webcam: frames on request, and plain words for what can go wrong. */

import { onWhite } from "./photo.js";

const REASONS = {
  NotAllowedError: "The camera is blocked. Allow it for this page in the browser's address bar, then try again.",
  NotFoundError: "No camera was found.",
  NotReadableError: "The camera is in use by another program, or failed to start.",
  OverconstrainedError: "No camera was found.",
};

/** An open webcam. */
export class Webcam {
  /** Asks for the camera. Throws an Error in plain words when there is none or it is denied. */
  static async open() {
    if (!navigator.mediaDevices?.getUserMedia) throw new Error("This browser gives the camera only to pages on https:// or localhost.");
    try {
      const video = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" };
      return await new Webcam(await navigator.mediaDevices.getUserMedia({ video, audio: false })).#start();
    } catch (error) {
      throw new Error(REASONS[error.name] ?? `The camera could not be opened (${error.message}).`);
    }
  }

  constructor(stream) {
    this.stream = stream;
    this.video = Object.assign(document.createElement("video"), { muted: true, playsInline: true, srcObject: stream });
    this.canvas = document.createElement("canvas");
    this.gone = new Promise(resolve => stream.getTracks()[0].addEventListener("ended", resolve));
  }

  async #start() {
    await this.video.play();
    return this;
  }

  /** Resolves to a canvas with the newest frame, and its time in seconds. The canvas is reused. */
  async frame() {
    const { video } = this;
    const next = resolve => (video.requestVideoFrameCallback ? video.requestVideoFrameCallback(resolve) : requestAnimationFrame(resolve));
    await Promise.race([new Promise(next), this.gone]);
    return { canvas: onWhite(video, video.videoWidth, video.videoHeight, this.canvas), seconds: performance.now() / 1000 };
  }

  /** Whether the camera has gone away by itself, as when it is unplugged. */
  get ended() {
    return this.stream.getTracks().every(track => track.readyState === "ended");
  }

  close() {
    for (const track of this.stream.getTracks()) track.stop();
    this.video.srcObject = null;
  }
}
