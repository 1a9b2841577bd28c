/** Photos from the file picker, by drop and by paste. */

/** Calls `onPhoto(file)` for each photo that the user gives, and `onProblem(message)` for what is none. */
export function wireInput({ main, file, choose, drop }, { onPhoto, onProblem }) {
  const area = drop.parentElement;
  const take = data => {
    const found = [...data.files].find(each => each.type.startsWith("image/")) ?? data.files[0];
    if (found) onPhoto(found);
    else onProblem("That has no picture in it. Save the picture, or copy it itself, and try again.");
  };
  choose.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    if (file.files.length) take(file);
    file.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("paste", event => {
    if (event.clipboardData.files.length || !event.target.closest?.("input, select")) take(event.clipboardData);
  });
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"])
    document.addEventListener(kind, event => {
      event.preventDefault(); // else the browser opens the file in place of the page
      const outside = kind === "dragleave" && event.relatedTarget === null;
      area.classList.toggle("over", kind !== "drop" && !outside);
      if (kind === "drop") take(event.dataTransfer);
    });
}
