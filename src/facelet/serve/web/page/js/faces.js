/** The list of faces beside the picture: the crop that the net sees, and a bar for each expression. */

import { toRgba } from "./runtime/image.js";

const percent = value => `${Math.round(100 * value)}\u00a0%`;

/** Updates the list in place, so that a webcam's frames move bars and do not rebuild them. */
export class FaceList {
  constructor(list, template, { onHighlight }) {
    Object.assign(this, { list, template, onHighlight });
  }

  /** Shows faces: `{name, expression, probabilities, box, score, side, seen, warnings, colour, facts}`; `labels` in the model's order. */
  show(faces, labels) {
    while (this.list.children.length > faces.length) this.list.lastElementChild.remove();
    while (this.list.children.length < faces.length) this.list.append(this.#card(this.list.children.length, labels));
    faces.forEach((face, number) => this.#update(this.list.children[number], face, labels));
  }

  #card(number, labels) {
    const card = this.template.content.firstElementChild.cloneNode(true), bars = card.querySelector(".bars");
    for (const label of labels) {
      const row = bars.insertRow();
      row.append(Object.assign(document.createElement("th"), { textContent: label, scope: "row" }));
      const bar = document.createElement("td"), fill = document.createElement("span");
      bar.className = "bar";
      bar.append(fill);
      row.append(bar, Object.assign(document.createElement("td"), { className: "share" }));
    }
    card.addEventListener("pointerenter", () => this.onHighlight(number));
    card.addEventListener("pointerleave", () => this.onHighlight(-1));
    return card;
  }

  #update(card, face, labels) {
    const part = name => card.querySelector(`.${name}`), write = (name, text) => (part(name).textContent = text);
    card.style.setProperty("--colour", face.colour);
    write("name", face.name);
    write("expression", face.expression);
    write("confidence", percent(Math.max(...face.probabilities)));
    write("facts", face.facts);
    write("warning", face.warnings.join("; "));
    part("warning").hidden = !face.warnings.length;
    const { seen } = face, canvas = part("seen");
    if (canvas.width !== seen.width) Object.assign(canvas, { width: seen.width, height: seen.height });
    canvas.getContext("2d").putImageData(new ImageData(toRgba(seen), seen.width, seen.height), 0, 0);
    canvas.setAttribute("aria-label", `${face.name} as the model sees it, ${seen.width} by ${seen.height} pixels`);
    const top = labels.indexOf(face.expression);
    [...part("bars").rows].forEach((row, at) => {
      const value = face.probabilities[at];
      row.classList.toggle("top", at === top);
      row.querySelector("span").style.transform = `scaleX(${value.toFixed(4)})`;
      row.lastElementChild.textContent = percent(value);
    });
  }
}
