/** Light, dark, or what the system says. Colours follow `color-scheme` through light-dark(). */
const STORED = "deskgate:console-theme";
const THEMES = ["system", "light", "dark"];

function stored() {
  try {
    const theme = localStorage.getItem(STORED);
    return THEMES.includes(theme) ? theme : "system";
  } catch {
    return "system";
  }
}

let current = stored();

function apply() {
  document.documentElement.style.setProperty("color-scheme",
    current === "system" ? "light dark" : current);
}

export const theme = () => current;

/** The next of the three, at once and for later visits. Returns its name. */
export function nextTheme() {
  current = THEMES[(THEMES.indexOf(current) + 1) % THEMES.length];
  try {
    localStorage.setItem(STORED, current);
  } catch {
    // Storage refused: the choice lasts as long as the page.
  }
  apply();
  return current;
}

apply();
