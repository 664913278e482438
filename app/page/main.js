// The page, from its front door: what there is of the service, what earlier visits have left, and who shows what.

import { $$, facts, make, percent, tell } from "./dom.js";
import * as exporting from "./exporting.js";
import * as files from "./files.js";
import * as keys from "./keys.js";
import * as library from "./library.js";
import * as player from "./player.js";
import * as queue from "./queue.js";
import * as recorder from "./recorder.js";
import { add, current, isPending, on, open, recordings, redo, restore, undo } from "./recordings.js";
import * as search from "./search.js";
import * as service from "./service.js";
import { beginTheme, set, settings } from "./settings.js";
import * as timeline from "./timeline.js";
import * as words from "./words.js";

const chosen = () => ({ sound: $$("sound-model").value, pictures: $$("picture-model").value });

async function take(file, name) {
  navigator.storage?.persist?.().catch(() => {}); // asks the browser to throw nothing away
  const recording = await add(file, name, chosen());
  if (!current) open(recording);
}

async function offerModels() {
  const found = await service.models();
  for (const model of found) queue.models.set(model.id, model);
  const offer = (id, fits, usual, none) => {
    const ids = found.filter(fits).map(model => model.id);
    // "" is none; what the service itself takes has the name that OpenAI's clients know.
    const all = [["whisper-1", `usual (${usual})`], ...ids.map(each => [each, each]), ["", none]];
    $$(id).replaceChildren(...all.map(([value, textContent]) => make("option", { value, textContent })));
  };
  offer("sound-model", model => ["speech", "lips", "audiovisual"].includes(model.medium), facts.models.sound, "do not read");
  offer("picture-model", model => model.medium === "video", facts.models.pictures, "do not look");
  for (const [id, kind] of [["sound-model", "sound"], ["picture-model", "pictures"]]) {
    if ([...$$(id).options].some(each => each.value === settings[kind])) $$(id).value = settings[kind];
    $$(id).addEventListener("change", () => set({ [kind]: $$(id).value }));
  }
}

function showHead() {
  $$("empty").hidden = Boolean(current);
  $$("open").hidden = !current;
  document.title = current ? `${current.name} · Earsight` : "Earsight";
  if (!current) return;
  $$("title").textContent = current.name;
  const model = [current.model, current.timeline?.model].filter(Boolean).join(", ");
  $$("about").textContent = [library.summary(current), model && `by ${model}`].filter(Boolean).join(" · ");
  const pending = isPending(current);
  $$("working").hidden = !pending;
  $$("again").disabled = pending;
  $$("state").textContent = library.stateOf(current);
  if (current.progress == null || current.state === "waiting") $$("progress").removeAttribute("value");
  else $$("progress").value = current.progress;
  $$("problem").hidden = !current.problem;
  $$("problem").textContent = current.problem;
  $$("problem").classList.toggle("note", current.state === "done"); // a part of it could not be read
}

function beginDoubt() {
  const show = () => { $$("doubt-told").textContent = percent(settings.doubt); };
  $$("doubt").value = 100 * settings.doubt;
  $$("doubt").addEventListener("input", () => {
    set({ doubt: Number($$("doubt").value) / 100 });
    show();
    words.redraw();
    library.draw();
    showHead();
  });
  $$("doubtful").addEventListener("click", () => words.nextDoubtful(1));
  $$("correct").addEventListener("click", () => words.edit());
  show();
}

on("open", () => { $$("saved").textContent = ""; showHead(); });
on("list", recording => { if (!recording || recording === current) showHead(); });
on("words", showHead);
$$("version").textContent = facts.version;
$$("undo").addEventListener("click", undo);
$$("redo").addEventListener("click", redo);
$$("cancel").addEventListener("click", () => queue.cancel(current));
for (const button of document.querySelectorAll("[data-for]")) {
  button.addEventListener("click", () => $$(button.dataset.for).click());
}
player.begin();
words.begin();
timeline.begin();
exporting.begin();
search.begin(words.marks, () => library.draw());
keys.begin();
beginTheme(player.redraw);
beginDoubt();
library.begin(chosen);
try {
  await restore();
} catch (error) {
  tell(`This browser keeps nothing (${error?.message ?? "no storage"}): save files before you close the page`, 15000);
}
showHead();
open(recordings.get(localStorage.getItem("earsight-open")) ?? recordings.values().next().value ?? null);
try {
  await offerModels();
} catch (error) {
  tell(`The service does not tell its models: ${error.message}`, 15000);
}
files.begin(take);
recorder.begin(take);
queue.begin();
document.documentElement.dataset.ready = "";
