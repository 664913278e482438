// Search: where a text stands in the words of the open recording, and how often in each of the others.

import { $$ } from "./dom.js";
import { current, on, recordings } from "./recordings.js";

let wanted = "", at = -1;
const known = new WeakMap(); // words -> their places, for the text that is wanted

const plain = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();

/** Runs of words, [first, behind the last], in which the searched text stands. */
export function places(recording) {
  if (!wanted) return [];
  const kept = known.get(recording.words);
  if (kept?.wanted === wanted) return kept.found;
  const begins = [], found = [];
  let text = "";
  for (const word of recording.words) {
    begins.push(text.length);
    text += `${plain(word.text)} `;
  }
  let word = 0;
  for (let place = text.indexOf(wanted); place >= 0; place = text.indexOf(wanted, place + wanted.length)) {
    while (begins[word + 1] <= place) word += 1;
    let last = word;
    while (begins[last + 1] < place + wanted.length) last += 1;
    found.push([word, last + 1]);
  }
  known.set(recording.words, { wanted, found });
  return found;
}

/** The place that Enter has come to. */
export const here = () => (current ? places(current)[at] : undefined);

/** Have `shown(place)` called when what is found, or looked at, changes; `place` only for one that was gone to. */
export function begin(shown, drawList) {
  const box = $$("search");
  const told = () => {
    const count = current ? places(current).length : 0;
    const all = [...recordings.values()].reduce((sum, each) => sum + places(each).length, 0);
    $$("search-result").textContent = !wanted ? ""
      : `${at >= 0 ? `${at + 1} of ` : ""}${count} here${all > count ? `, ${all} in all` : ""}`;
  };
  box.addEventListener("input", () => {
    wanted = plain(box.value.trim().replace(/\s+/g, " "));
    at = -1;
    drawList();
    shown();
    told();
  });
  box.addEventListener("keydown", event => {
    if (event.key === "Enter") {
      const found = current ? places(current) : [];
      if (found.length) {
        at = (at + (event.shiftKey ? -1 : 1) + found.length) % found.length;
        if (at < 0) at = found.length - 1;
        shown(found[at]);
      }
      told();
    } else if (event.key === "Escape") {
      box.value = "";
      box.dispatchEvent(new Event("input"));
      box.blur();
    }
  });
  on("open", () => { at = -1; told(); });
  on("words", () => { at = Math.min(at, (current ? places(current).length : 0) - 1); told(); });
}
