// Marks parts of photos that shall be blurred: each drag over a photo adds a field to its form.

document.querySelector("[data-focus]")?.focus();

const share = (value) => Math.min(Math.max(value, 0), 1);

for (const stage of document.querySelectorAll("[data-blur]")) {
  const form = document.getElementById(`show-${stage.dataset.blur}`);
  const status = form.querySelector("[role=status]");
  const photo = stage.querySelector("img");
  let begun = null;

  const at = ({ clientX, clientY }) => {
    const { left, top, width, height } = photo.getBoundingClientRect();
    return [share((clientX - left) / width), share((clientY - top) / height)];
  };

  const tell = () => {
    const n = form.querySelectorAll("[name=box]").length;
    status.textContent = n ? stage.dataset.marked.replace("{n}", n) : "";
    clear.hidden = n === 0;
  };

  const clear = document.createElement("button");
  clear.type = "button";
  clear.className = "btn btn-link";
  clear.textContent = stage.dataset.clear;
  clear.addEventListener("click", () => {
    for (const field of [...form.querySelectorAll("[name=box]"), ...stage.querySelectorAll(".blur-mark")]) field.remove();
    tell();
  });
  form.querySelector(".moderation-actions").append(clear);
  tell();

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    const mark = document.createElement("div");
    mark.className = "blur-mark";
    stage.append(mark);
    begun = { mark, from: at(event) };
  });
  stage.addEventListener("pointermove", (event) => {
    if (!begun) return;
    const [x, y] = at(event);
    const [x0, y0] = begun.from;
    begun.box = [Math.min(x, x0), Math.min(y, y0), Math.abs(x - x0), Math.abs(y - y0)];
    const [left, top, width, height] = begun.box.map((value) => `${100 * value}%`);
    Object.assign(begun.mark.style, { left, top, width, height });
  });
  const end = () => {
    if (!begun) return;
    const { mark, box } = begun;
    begun = null;
    if (!box || box[2] < 0.005 || box[3] < 0.005) {
      mark.remove();
      return;
    }
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = "box";
    field.value = box.map((value) => value.toFixed(4)).join(",");
    form.append(field);
    tell();
  };
  stage.addEventListener("pointerup", end);
  stage.addEventListener("pointercancel", end);
}
