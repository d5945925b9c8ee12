// What goes wrong is said in words. "Could not load" and "nothing here" never look alike.

export class Notices {
  constructor(map) {
    this.box = document.createElement("div");
    this.box.className = "map-notices";
    this.box.setAttribute("role", "status");
    map.getContainer().append(this.box);
    this.shown = new Map();
  }

  /** Shows, changes or (with no text) takes away the notice under a name. */
  set(name, text, tone = "info") {
    const now = this.shown.get(name);
    if (!text) {
      now?.remove();
      this.shown.delete(name);
      return;
    }
    if (now?.textContent === text) return;
    const notice = now ?? this.box.appendChild(document.createElement("p"));
    notice.className = `map-notice map-notice-${tone}`;
    notice.textContent = text;
    this.shown.set(name, notice);
  }
}
