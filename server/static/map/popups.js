// The only place where what people wrote reaches the map, and it does so as text, never as markup.

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function factsOf({ title, facts, url }, words) {
  const body = element("div", "popup-facts");
  body.append(element("h2", "popup-title", title));
  const list = element("dl");
  for (const { label, value } of facts) {
    list.append(element("dt", "", label), element("dd", "", value));
  }
  body.append(list);
  // A link leads into this site only, whatever the answer says.
  const target = url && new URL(url, location.href);
  if (target && target.origin === location.origin) {
    const link = element("a", "btn btn-sm btn-primary", words.details);
    link.href = target.href;
    body.append(link);
  }
  return body;
}

/** Popups over a map; `facts(layer, feature)` gives what is public of a feature, as a promise. */
export class Popups {
  constructor(map, facts, words) {
    this.map = map;
    this.facts = facts;
    this.words = words;
    map.getContainer().addEventListener("keydown", ({ key }) => {
      if (key === "Escape") map.closePopup();
    });
  }

  /** Shows the features at one place, one at a time. */
  open(layer, features, at) {
    const content = element("div", "popup-body");
    content.setAttribute("role", "group");
    content.setAttribute("aria-live", "polite");
    // A button that replaces itself is no longer inside the popup by the time Leaflet looks, which
    // would take the click for one on the map and close the popup.
    content.addEventListener("click", (event) => event.stopPropagation());
    const popup = L.popup({ minWidth: 220, maxWidth: 300, ...this.room() })
      .setLatLng(at)
      .setContent(content)
      .openOn(this.map);
    // Leaflet says it in English only.
    popup.getElement().querySelector(".leaflet-popup-close-button").setAttribute("aria-label", this.words.close);
    let latest = null;
    const show = async (index) => {
      const body = this.body(layer, features, index, show);
      latest = body;
      content.replaceChildren(element("p", "popup-wait", this.words.loading));
      const made = await body;
      if (latest !== body) return; // another was asked for meanwhile
      content.replaceChildren(made);
      popup.update();
    };
    return show(0);
  }

  /** Room around a popup, so that it comes to lie beside the panels of the map. */
  room() {
    const width = (selector) => this.map.getContainer().querySelector(selector)?.offsetWidth ?? 0;
    const panel = width(".layers-panel");
    const wide = this.map.getSize().x - panel > 420;
    return {
      autoPanPaddingTopLeft: [64, 72],
      autoPanPaddingBottomRight: [wide ? panel + 24 : 16, 64],
    };
  }

  async body(layer, features, index, show) {
    let body;
    try {
      body = factsOf(await this.facts(layer, features[index]), this.words);
    } catch {
      body = element("div", "popup-facts");
      const again = element("button", "btn btn-sm btn-outline-secondary", this.words.retry);
      again.type = "button";
      again.addEventListener("click", () => show(index));
      body.append(element("p", "popup-failed", this.words.facts_failed), again);
    }
    if (features.length > 1) body.append(this.pager(features.length, index, show));
    return body;
  }

  pager(count, index, show) {
    const bar = element("div", "popup-pager");
    const step = (label, by) => {
      const button = element("button", "btn btn-sm btn-outline-secondary", label);
      button.type = "button";
      button.addEventListener("click", () => show((index + by + count) % count));
      return button;
    };
    const position = this.words.one_of.replace("{index}", index + 1).replace("{count}", count);
    bar.append(step(this.words.previous, -1), element("span", "", position), step(this.words.next, 1));
    return bar;
  }
}
