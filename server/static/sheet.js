// On a phone the list and the filters lie over the map as a sheet that a button opens. Without this
// module they stand below the map.

for (const button of document.querySelectorAll("[data-sheet]")) {
  const sheet = document.getElementById(button.getAttribute("aria-controls"));
  const open = (wanted) => {
    sheet.dataset.open = String(wanted);
    button.setAttribute("aria-expanded", String(wanted));
  };
  button.hidden = false;
  button.addEventListener("click", () => open(sheet.dataset.open !== "true"));
  sheet.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || sheet.dataset.open !== "true") return;
    open(false);
    button.focus();
  });
  // What is shown on the map should not stay hidden under the sheet.
  sheet.addEventListener("click", ({ target }) => {
    if (target.closest("[data-show-on-map]")) open(false);
  });
  open(false);
}
