/** Light or dark: as the system says, or as chosen before. Loaded before the page is drawn, so that it does not flash. */
document.documentElement.dataset.theme = (() => {
  try {
    const chosen = localStorage.getItem("facelet-theme");
    return ["light", "dark"].includes(chosen) ? chosen : "auto";
  } catch {
    return "auto"; // storage is off in this browser
  }
})();
