// The transcript: an utterance a paragraph, words that light up as they are heard, are gone to by a click, and are
// corrected in their places.

import { $$, clock, make, percent, tell } from "./dom.js";
import { joined, typed, wordAt } from "./editing.js";
import { isPlaying, now, onTime, pause, seek } from "./player.js";
import { correct, current, isPending, on } from "./recordings.js";
import { here, places } from "./search.js";
import { settings } from "./settings.js";

const box = $$("words");
const utterances = new Map(); // number of its line -> element
let spans = [], heardAt = -1, chosenAt = -1, editor = null, scrolled = 0;

export function begin() {
  on("open", () => { leave(); draw(); });
  on("words", edit => draw(edit));
  onTime(light);
  box.addEventListener("click", event => {
    const time = event.target.closest(".time");
    if (time) return seek(Number(time.dataset.start), true);
    const at = atOf(event.target);
    if (at < 0 || event.target.closest("input")) return;
    choose(at);
    seek(current.words[at].start);
  });
  box.addEventListener("dblclick", event => {
    const at = atOf(event.target);
    if (at >= 0 && !event.target.closest("input")) edit(at);
  });
  // Who scrolls wants to look elsewhere for a while.
  for (const kind of ["wheel", "touchmove"]) {
    addEventListener(kind, () => { scrolled = Date.now(); }, { passive: true });
  }
  for (const kind of ["pagehide", "visibilitychange"]) addEventListener(kind, () => { if (document.hidden) keep(); });
  addEventListener("pagehide", () => keep());
}

function atOf(target) {
  const span = target.closest?.("[data-at]");
  return span ? Number(span.dataset.at) : -1;
}

/** Draw the words: all of them, or the utterances that an edit is of. */
function draw(edited) {
  keepChoice(edited);
  const words = current?.words ?? [], focused = box.contains(document.activeElement);
  if (edited) {
    redrawn(edited, words);
  } else {
    spans = words.map(spanOf);
    utterances.clear();
    for (let at = 0; at < words.length; at = behind(words, at)) utterances.set(words[at].line, utteranceOf(words, at));
    box.replaceChildren(...utterances.values());
  }
  heardAt = -1;
  marks();
  light(now(), false);
  if (chosenAt >= 0) choose(Math.min(chosenAt, words.length - 1), focused);
  const silent = current && !words.length && current.state === "done";
  $$("wordless").hidden = !silent || Boolean(current.timeline);
  $$("wordless").textContent = "Nothing was said in it.";
  $$("tools").hidden = !words.length;
  $$("doubtful").disabled = !words.some(word => word.confidence < settings.doubt);
  $$("undo").disabled = !current?.past.length;
  $$("redo").disabled = !current?.future.length;
}

function redrawn({ at, removed, added }, words) {
  spans[heardAt]?.classList.remove("now");
  spans = spans.toSpliced(at, removed.length, ...added.map((word, i) => spanOf(word, at + i)));
  for (let i = at + added.length; added.length !== removed.length && i < spans.length; i += 1) spans[i].dataset.at = i;
  for (const line of new Set([...removed, ...added].map(word => word.line))) {
    const first = firstOf(words, line), old = utterances.get(line);
    if (first < 0) {
      old.remove();
      utterances.delete(line);
      continue;
    }
    const drawn = utteranceOf(words, first), next = words[behind(words, first)];
    if (old) old.replaceWith(drawn);
    else box.insertBefore(drawn, next ? utterances.get(next.line) : null);
    utterances.set(line, drawn);
  }
}

/** The number of a line's first word, or -1; lines rise. */
function firstOf(words, line) {
  let low = 0, high = words.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words[middle].line < line) low = middle + 1;
    else high = middle;
  }
  return words[low]?.line === line ? low : -1;
}

/** The number of the first word behind an utterance's. */
function behind(words, first) {
  let last = first + 1;
  while (last < words.length && words[last].line === words[first].line) last += 1;
  return last;
}

function utteranceOf(words, first) {
  const start = words[first].start, text = make("p");
  const time = make("button", { type: "button", className: "time", textContent: clock(start, false),
                                data: { start }, "aria-label": `Play from ${clock(start, false)}` });
  spans.slice(first, behind(words, first)).forEach((span, i) => text.append(i ? " " : "", span));
  return make("div", { className: "utterance" }, time, text);
}

function keepChoice(edited) {
  if (edited === undefined) {
    chosenAt = -1;
  } else if (edited && !edited.heard) {
    chosenAt = Math.min(edited.at, current.words.length - 1);
  }
}

function spanOf(word, at) {
  const span = make("span", { className: "word", textContent: word.text, tabIndex: -1, data: { at } });
  span.style.setProperty("--doubt", (1 - word.confidence).toFixed(3));
  if (word.was !== undefined) {
    span.classList.add("corrected");
    span.title = `${clock(word.start)} · was “${word.was}”`;
  } else {
    span.title = `${clock(word.start)} · ${percent(word.confidence)} sure`;
  }
  if (word.confidence < settings.doubt) {
    span.classList.add("doubtful");
    span.setAttribute("aria-description", `doubtful, ${percent(word.confidence)} sure`);
  }
  return span;
}

/** Shade anew, as after the threshold has changed. */
export function redraw() {
  if (current) draw(null);
}

/** Mark what is searched for; go to a place. */
export function marks(place) {
  for (const span of box.querySelectorAll(".found")) span.classList.remove("found", "here");
  if (!current) return;
  for (const [first, last] of places(current)) for (let i = first; i < last; i += 1) spans[i]?.classList.add("found");
  const [first, last] = here() ?? [0, 0];
  for (let i = first; i < last; i += 1) spans[i]?.classList.add("here");
  if (place) {
    choose(place[0]);
    seek(current.words[place[0]].start);
    spans[place[0]].scrollIntoView({ block: "center" });
  }
}

function light(seconds, follow = true) {
  const words = current?.words ?? [];
  const at = wordAt(words, seconds + 1e-3);
  if (at === heardAt) return;
  spans[heardAt]?.classList.remove("now");
  heardAt = at;
  const span = spans[at];
  if (!span) return;
  span.classList.add("now");
  if (follow && isPlaying()) choose(-1); // keys now act on what is heard
  if (!follow || editor || Date.now() - scrolled < 4000) return;
  intoView(span, "smooth");
}

/** Scroll to a word that is above or below, or behind the player. */
function intoView(span, behavior = "auto") {
  const place = span.getBoundingClientRect(), top = $$("player").getBoundingClientRect().bottom;
  if (place.top < top + 8 || place.bottom > innerHeight - 40) span.scrollIntoView({ block: "center", behavior });
}

/** The word that keys act on: the one that was clicked or gone to, else the one that is heard. */
const acting = () => (chosenAt >= 0 ? chosenAt : Math.max(heardAt, 0));

function choose(at, focus = true) {
  spans[chosenAt]?.classList.remove("chosen");
  if (spans[chosenAt]) spans[chosenAt].tabIndex = -1;
  chosenAt = at;
  const span = spans[at];
  if (!span) return;
  span.classList.add("chosen");
  span.tabIndex = 0;
  if (focus) span.focus({ preventScroll: true });
}

function goTo(at) {
  if (!spans[at]) return;
  choose(at);
  seek(current.words[at].start);
  intoView(spans[at]);
}

/** A word on or back. */
export const step = by => goTo(Math.min(Math.max(acting() + by, 0), spans.length - 1));

/** The next doubtful word, or with -1 the one before; around the end it goes on at the start. */
export function nextDoubtful(by) {
  const words = current?.words ?? [];
  for (let i = 1; i <= words.length; i += 1) {
    const at = (acting() + by * i + words.length * 2) % words.length;
    if (words[at].confidence < settings.doubt) return goTo(at);
  }
  tell("No word is doubtful");
}

function mayEdit() {
  if (!current?.words.length) return false;
  if (isPending(current)) tell("It is still being read; correct it when it is done");
  return !isPending(current);
}

/** Take out the word. */
export function takeOut() {
  if (!mayEdit()) return;
  const at = acting();
  correct(typed(current.words, at, ""));
  tell("Taken out; Ctrl+Z brings it back", 2500);
}

/** Make one word of this and the next. */
export function join() {
  if (!mayEdit()) return;
  if (acting() + 1 >= current.words.length) return tell("There is no word behind it");
  correct(joined(current.words, acting()));
}

/** Have the word corrected by typing. */
export function edit(at = acting()) {
  if (!mayEdit()) return;
  keep();
  pause();
  choose(at, false);
  const word = current.words[at], span = spans[at];
  const input = make("input", {
    type: "text", className: "editor", value: word.text, size: Math.max(word.text.length, 3), spellcheck: true,
    autocomplete: "off", "aria-label": `Correct “${word.text}”` });
  span.replaceChildren(input);
  editor = { at, input, of: current, word };
  input.addEventListener("input", () => { input.size = Math.max(input.value.length, 3); });
  input.addEventListener("blur", () => keep());
  input.addEventListener("keydown", event => {
    event.stopPropagation();
    if (event.isComposing) return; // a letter that is still being put together
    if (event.key === "Escape") {
      leave();
      choose(at);
    } else if (event.key === "Enter") {
      event.preventDefault();
      keep(true);
      choose(chosenAt);
    } else if (event.key === "Tab") {
      event.preventDefault();
      const before = current.words.length;
      keep(true);
      const next = event.shiftKey ? at - 1 : at + 1 + current.words.length - before;
      if (current.words[next]) {
        goTo(next);
        edit(next);
      }
    }
  });
  input.focus();
  input.select();
}

/** Take what is typed; `checked`: an unchanged word too, which is then held for right. */
function keep(checked = false) {
  if (!editor) return;
  const { at, input, of, word } = editor, text = input.value.trim().split(/\s+/).join(" ");
  leave();
  if (of !== current) return;
  if (of.words[at]?.start !== word.start) return tell(`The words have changed meanwhile; not put in: ${text}`, 15000);
  if (text !== word.text || checked && word.confidence < 1) correct(typed(of.words, at, text));
}

function leave() {
  if (!editor) return;
  const { at, of } = editor;
  editor = null;
  if (of === current && spans[at] && of.words[at]) spans[at].replaceChildren(of.words[at].text);
}
