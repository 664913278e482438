// The keyboard. Fields, and dialogs, have their keys for themselves.

import { $$, ask } from "./dom.js";
import { step as stepList } from "./library.js";
import { faster, playPause, skip } from "./player.js";
import { redo, undo } from "./recordings.js";
import { edit, join, nextDoubtful, step, takeOut } from "./words.js";

const KEYS = {
  " ": playPause,
  ArrowLeft: event => (event.shiftKey ? step(-1) : skip(-1)),
  ArrowRight: event => (event.shiftKey ? step(1) : skip(1)),
  ArrowUp: () => stepList(-1),
  ArrowDown: () => stepList(1),
  ",": () => faster(-1),
  ".": () => faster(1),
  Enter: () => edit(),
  F2: () => edit(),
  n: () => nextDoubtful(1),
  N: () => nextDoubtful(-1),
  j: join,
  Delete: takeOut,
  "/": () => $$("search").focus(),
  "?": () => ask($$("help-dialog")),
};

export function begin() {
  $$("help").addEventListener("click", () => ask($$("help-dialog")));
  addEventListener("keydown", event => {
    const at = event.target, own = at.closest("dialog, input:not([type=range]), select, textarea");
    if (own || event.altKey || event.defaultPrevented) return;
    if (event.ctrlKey || event.metaKey) {
      const key = event.key.toLowerCase();
      if (key === "z" || key === "y") {
        event.preventDefault();
        if (key === "y" || event.shiftKey) redo();
        else undo();
      }
      return;
    }
    if (at.closest("input") && event.key.startsWith("Arrow")) return;
    if (at.closest("button, a") && [" ", "Enter"].includes(event.key)) return;
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act(event);
  });
}
