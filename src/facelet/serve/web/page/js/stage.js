/** The picture with its boxes and labels, as facelet/runtime/drawing/draw.py draws them. */

const FONT = '600 {}px "Inter", ui-sans-serif, system-ui, sans-serif';
const DARK = "#181a1e";
/** Faces from which labels that are wider than their box are shortened. */
const CROWD = 12;

/** Draws a photo or frame, fitted to the canvas's parent, with faces on top. */
export class Stage {
  constructor(canvas, colours) {
    this.canvas = canvas;
    this.colours = colours;
    this.faces = [];
    this.highlighted = -1;
    const parent = canvas.parentElement;
    let width = 0;
    new ResizeObserver(() => {
      if (width !== parent.clientWidth) this.draw(); // drawing changes the height
      width = parent.clientWidth;
    }).observe(parent);
  }

  /** Shows a source (a canvas) and faces: `{box, landmarks, number, text, colour}`. `mirrored`: as in a mirror, for a webcam. */
  show(source, faces, mirrored = false) {
    Object.assign(this, { source, faces, mirrored });
    this.draw();
  }

  highlight(number) {
    this.highlighted = number;
    this.draw();
  }

  draw() {
    if (!this.source) return;
    const { canvas, source } = this, ratio = window.devicePixelRatio || 1, room = canvas.parentElement.clientWidth;
    const tallest = Math.max(240, 0.72 * window.innerHeight);
    const scale = Math.min(room / source.width, tallest / source.height);
    const width = Math.max(1, Math.floor(source.width * scale)), height = Math.max(1, Math.floor(source.height * scale));
    Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.scale(this.mirrored ? -ratio : ratio, ratio);
    context.drawImage(source, 0, 0, this.mirrored ? -width : width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const placed = this.faces.map((face, number) => ({
      ...face,
      ...this.#place(face, width / source.width, width),
      isHighlighted: number === this.highlighted,
    }));
    placed.forEach(face => this.#frame(context, face));
    // Largest faces last, then the highlighted one, so that its label is on top.
    placed.reverse().sort((a, b) => a.isHighlighted - b.isHighlighted).forEach(face => this.#label(context, face, width));
  }

  /** Box and landmarks in CSS pixels of the canvas. */
  #place({ box: [left, top, wide, high], landmarks }, scale, width) {
    const x = (at, extent = 0) => (this.mirrored ? width - (at + extent) * scale : at * scale);
    return { area: [x(left, wide), top * scale, wide * scale, high * scale], points: landmarks.map(([px, py]) => [x(px), py * scale]) };
  }

  /** A thin box with thick corners, and the landmarks as dots. */
  #frame(context, { area: [left, top, width, height], points, colour, isHighlighted }) {
    const short = Math.min(width, height), arm = 0.2 * short, line = Math.min(4, Math.max(2, short / 50));
    const dimmed = this.highlighted >= 0 && !isHighlighted;
    context.globalAlpha = dimmed ? 0.35 : 1;
    context.strokeStyle = colour;
    context.lineJoin = context.lineCap = "round";
    context.lineWidth = 1;
    context.strokeRect(left, top, width, height);
    context.lineWidth = line;
    context.beginPath();
    for (const [x, inward] of [[left, arm], [left + width, -arm]])
      for (const [y, down] of [[top, arm], [top + height, -arm]]) {
        context.moveTo(x + inward, y);
        context.lineTo(x, y);
        context.lineTo(x, y + down);
      }
    context.stroke();
    for (const [x, y] of points) {
      context.beginPath();
      context.arc(x, y, Math.max(1.5, short / 80), 0, 2 * Math.PI);
      context.fillStyle = "#fffd";
      context.fill();
      context.lineWidth = 1;
      context.strokeStyle = "#0008";
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  /** The label above the box, or inside its top where there is no room. In a crowd it is the number alone, but for the highlighted face. */
  #label(context, { area: [left, top, width], number, text, colour, isHighlighted }, wide) {
    const size = Math.min(15, Math.max(11, width / 9)), height = 1.7 * size, several = this.faces.length > 1;
    context.font = FONT.replace("{}", size);
    const extent = label => context.measureText(label).width + 1.1 * size, whole = several ? `${number}  ${text}` : text;
    const label = this.faces.length > CROWD && !isHighlighted && extent(whole) > width ? String(number) : whole;
    const across = extent(label), above = top - height - 4;
    const x = Math.max(0, Math.min(left, wide - across)), y = above >= 0 ? above : Math.max(0, top + 4);
    context.fillStyle = colour;
    context.beginPath();
    context.roundRect(x, y, across, height, 4);
    context.fill();
    context.fillStyle = DARK;
    context.textBaseline = "middle";
    context.fillText(label, x + 0.55 * size, y + height / 2 + 0.5);
  }
}
