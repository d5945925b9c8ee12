// The map's colours stand in porchlight.css as custom properties, for light and dark alike. Canvas
// cannot read those by itself, so this module does.

let styles = null;

/** The colour that the style sheet gives a name now, e.g. colour("map-water"). */
export function colour(name) {
  styles ??= getComputedStyle(document.documentElement);
  return styles.getPropertyValue(`--${name}`).trim();
}

/** Calls back after light turns dark or the other way round. */
export function onThemeChange(callback) {
  new MutationObserver(() => {
    styles = null;
    callback();
  }).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
}
