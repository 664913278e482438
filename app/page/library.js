// The list of recordings: what each is, how far it is, and what can be done with it.

import { $$, clock, make, percent, sure } from "./dom.js";
import { settings } from "./settings.js";
import { again, cancel } from "./queue.js";
import { current, doubts, isPending, on, open, recordings, remove } from "./recordings.js";
import { places } from "./search.js";

let chosen; // () => the models that are chosen now

export function begin(models) {
  chosen = models;
  on("list", draw);
  on("open", () => draw());
  $$("remove-all").addEventListener("click", async () => {
    const told = "All recordings and corrections of this page are deleted from this browser.";
    if (!await sure("Remove all recordings?", told, "Remove all")) return;
    for (const recording of [...recordings.values()]) await dismissed(recording);
  });
  $$("again").addEventListener("click", async () => {
    const one = current, told = "Its corrections give way to what the model reads.";
    if (!one.past.length || await sure(`Read ${one.name} again?`, told, "Read again")) again(one, chosen());
  });
  draw();
}

/** The recording before or behind the open one is opened. */
export function step(by) {
  const all = [...recordings.values()];
  const next = all[Math.min(Math.max(all.indexOf(current) + by, 0), all.length - 1)];
  if (next) open(next);
  $$("recordings").querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });
}

/** How far a recording is, in words. */
export function stateOf(recording) {
  switch (recording.state) {
    case "waiting": return "waits";
    case "sending": return recording.told || `is sent, ${percent(recording.progress ?? 0)}`;
    case "reading": return recording.progress == null ? "is read" : `is read, ${percent(recording.progress)}`;
    case "cancelled": return "cancelled";
    case "elsewhere": return "is read in another tab";
    case "failed": return "not read";
    default: return "";
  }
}

async function dismissed(recording) {
  cancel(recording);
  await remove(recording);
}

const rows = new Map(); // id -> its parts

/** Draw the one row that has changed, or all. */
export function draw(recording) {
  if (recording && recordings.has(recording.id) && rows.has(recording.id)) {
    fill(recording);
  } else {
    for (const [id, row] of rows) {
      if (!recordings.has(id)) {
        row.item.remove();
        rows.delete(id);
      }
    }
    for (const each of recordings.values()) {
      if (!rows.has(each.id)) $$("recordings").append(rowOf(each).item);
      fill(each);
    }
  }
  $$("library-foot").hidden = !recordings.size;
  document.body.classList.toggle("none", !recordings.size);
}

function rowOf(recording) {
  const row = {
    name: make("span", { className: "name" }), facts: make("span", { className: "soft facts" }),
    progress: make("progress", { max: 1, "aria-label": `Progress of ${recording.name}` }),
    button: make("button", { type: "button", className: "row" }), found: make("span", { className: "found-count" }),
    stop: make("button", { type: "button", className: "quiet small" }),
    dismiss: make("button", { type: "button", className: "quiet small", textContent: "✕",
                              "aria-label": `Remove ${recording.name}`, title: "Remove" }),
  };
  row.button.append(row.name, row.found, row.facts, row.progress);
  row.item = make("li", {}, row.button, make("span", { className: "row-actions" }, row.stop, row.dismiss));
  row.button.addEventListener("click", () => open(recordings.get(recording.id)));
  row.stop.addEventListener("click", () => {
    const one = recordings.get(recording.id);
    if (isPending(one)) cancel(one);
    else again(one, chosen());
  });
  row.dismiss.addEventListener("click", async () => {
    const one = recordings.get(recording.id);
    if (one.past.length || !isPending(one) && one.words.length) {
      const told = one.past.length ? "Its corrections go with it." : "Its words go with it.";
      if (!await sure(`Remove ${one.name}?`, told, "Remove")) return;
    }
    await dismissed(one);
  });
  rows.set(recording.id, row);
  return row;
}

function fill(recording) {
  const row = rows.get(recording.id), pending = isPending(recording);
  row.name.textContent = recording.name;
  row.name.title = recording.name;
  row.facts.textContent = [stateOf(recording), pending ? "" : summary(recording)].filter(Boolean).join(" · ");
  row.facts.classList.toggle("bad", recording.state === "failed");
  row.facts.title = recording.problem;
  row.progress.hidden = !pending;
  if (recording.state === "reading" && recording.progress == null) row.progress.removeAttribute("value");
  else row.progress.value = recording.state === "waiting" ? 0 : recording.progress ?? 0;
  const found = places(recording).length;
  row.found.textContent = found || "";
  row.found.setAttribute("aria-label", found ? `found ${found} times` : "");
  row.stop.hidden = !pending && !["cancelled", "failed", "elsewhere"].includes(recording.state);
  row.stop.textContent = pending ? "Cancel" : "Again";
  row.stop.setAttribute("aria-label", `${row.stop.textContent}: ${recording.name}`);
  row.button.setAttribute("aria-current", recording === current);
}

/** What is known of a recording, in one line. */
export function summary(recording) {
  const parts = [];
  const number = (count, one) => `${count} ${one}${count === 1 ? "" : "s"}`;
  if (recording.duration) parts.push(clock(recording.duration, false));
  if (recording.words.length) {
    parts.push(number(recording.words.length, "word"));
    const doubtful = doubts(recording, settings.doubt);
    if (doubtful) parts.push(`${doubtful} doubtful`);
  }
  if (recording.timeline) parts.push([...new Set(recording.timeline.segments.map(each => each.label))].join(", "));
  return parts.filter(Boolean).join(" · ");
}
