// What all modules write the page with. No text of a recording ever becomes markup.

export const $$ = id => document.getElementById(id);

/** An element with properties, `dataset`, `aria-...` attributes and children. */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "data") Object.assign(element.dataset, value);
    else if (key.includes("-") || key === "role" || key === "for") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children);
  return element;
}

/** Tell what has happened, on the screen and to a screen reader. */
export function tell(text, milliseconds = 5000) {
  const place = $$("told");
  place.textContent = text;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { place.textContent = ""; }, milliseconds);
}

/** The value of the button that closes a dialog; "" for Escape. */
export function ask(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise(done => dialog.addEventListener("close", () => done(dialog.returnValue), { once: true }));
}

/** Whether somebody means it, who would lose something. */
export async function sure(title, text, label) {
  $$("sure-title").textContent = title;
  $$("sure-text").textContent = text;
  $$("sure-ok").textContent = label;
  return await ask($$("sure-dialog")) === "ok";
}

/** 3725.46 -> "1:02:05.5", or without tenths "1:02:05". */
export function clock(seconds, tenths = true) {
  const all = tenths ? Math.round(10 * seconds) / 10 : Math.floor(seconds);
  const hours = Math.floor(all / 3600), minutes = Math.floor(all / 60) % 60, rest = all % 60;
  const two = (tenths ? rest.toFixed(1) : String(rest)).padStart(tenths ? 4 : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${two}` : `${minutes}:${two}`;
}

export const percent = share => `${Math.round(100 * share)} %`;

/** Of the service, as it wrote it into the page. */
export const facts = JSON.parse(document.querySelector("meta[name=earsight]").content);
