// What this browser remembers of how its user likes the page.

import { $$ } from "./dom.js";

const KEY = "earsight-settings";

/** theme: "", "light", "dark"; doubt: the confidence below which words are shaded; models "" for none. */
export const settings = { theme: "", doubt: 0.7, speed: 1, zoom: 0, sound: null, pictures: null, ...kept() };

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

export function set(changes) {
  Object.assign(settings, changes);
  localStorage.setItem(KEY, JSON.stringify(settings));
}

const NEXT = { "": "light", light: "dark", dark: "" };
const SIGNS = { "": ["◐", "as the system has them"], light: ["☀", "light"], dark: ["☾", "dark"] };

/** The button that goes through light, dark, and what the system has; `changed` draws what has colours of its own. */
export function beginTheme(changed) {
  const show = () => {
    document.documentElement.dataset.theme = settings.theme;
    const [sign, name] = SIGNS[settings.theme];
    $$("theme").textContent = sign;
    $$("theme").title = `Colours: ${name}`;
    $$("theme").setAttribute("aria-label", `Colours: ${name}`);
    changed();
  };
  $$("theme").addEventListener("click", () => {
    set({ theme: NEXT[settings.theme] });
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  show();
}

/** A colour of the style sheet as it is now, for who draws on a canvas. */
export function colour(name) {
  const probe = document.createElement("i");
  probe.className = `colour-${name}`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
