// The work list: keys inside the list, ticking all, and answers that fit the status. Without this
// module links, boxes and the form do the same.

document.querySelector("[data-focus]")?.focus();

const template = document.getElementById("template");
const status = document.getElementById("to");

/** Offers the answers of the chosen status alone, and shows the words of the chosen one. */
function answers() {
  const words = document.getElementById("template-words");
  const show = () => {
    for (const group of template.querySelectorAll("optgroup")) {
      const fits = !status.value || group.dataset.status === status.value;
      group.hidden = group.disabled = !fits;
    }
    if (template.selectedOptions[0]?.parentElement.disabled) template.value = "";
    words.textContent = template.value ? template.selectedOptions[0].text : "";
  };
  template.addEventListener("change", () => {
    if (template.value) status.value = template.selectedOptions[0].dataset.status;
    show();
  });
  status.addEventListener("change", show);
  show();
}
if (template && status) answers();

/** Keys work only while something inside the list has the focus, so that they disturb nobody. */
function keys(list) {
  const boxes = [...list.querySelectorAll("tbody input[type=checkbox]")];
  const all = list.querySelector("[data-tick-all]");
  const told = document.querySelector("[data-ticked]");
  document.getElementById("work-keys").hidden = false;
  all.hidden = false;

  const tell = () => {
    const n = boxes.filter((box) => box.checked).length;
    told.textContent = n ? told.dataset.ticked.replace("{n}", n) : "";
    all.checked = n === boxes.length;
    all.indeterminate = n > 0 && n < boxes.length;
  };
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    tell();
  });
  list.addEventListener("change", tell);
  tell(); // a browser that comes back keeps what was ticked

  list.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const row = event.target.closest("tbody tr");
    const at = row ? boxes.indexOf(row.querySelector("input")) : -1;
    if (event.key === "j") boxes[Math.min(at + 1, boxes.length - 1)].focus();
    else if (event.key === "k") boxes[Math.max(at - 1, 0)].focus();
    else if (event.key === "x" && row) boxes[at].click();
    else if (event.key === "Enter" && event.target.matches("input")) row?.querySelector("a").click();
    else return;
    event.preventDefault();
  });
}
const list = document.querySelector("[data-work-list]");
if (list) keys(list);
