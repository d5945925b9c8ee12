// Follows the system's light or dark setting. It stands in the head, before the page is painted,
// since Bootstrap reads the theme from an attribute.

(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => {
    document.documentElement.dataset.bsTheme = dark.matches ? "dark" : "light";
  };
  dark.addEventListener("change", follow);
  follow();
})();
