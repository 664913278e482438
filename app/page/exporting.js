// Files out, written by the service's own writers: every format that the command line has.

import { $$, ask, facts, make, tell } from "./dom.js";
import { textOf } from "./editing.js";
import { current, on, recordings } from "./recordings.js";
import { written } from "./service.js";

const NAMES = { txt: "text", json: "JSON", jsonl: "JSON lines", srt: "SubRip subtitles", vtt: "WebVTT subtitles",
                ctm: "NIST ctm", stm: "NIST stm", TextGrid: "Praat TextGrid", tsv: "table", csv: "table" };

const hasWords = recording => recording.words.length > 0 || !recording.timeline;

/** The words of a recording as `earsight transcribe --format json` tells them, corrections in their places. */
export function transcriptOf(recording) {
  return {
    path: recording.name.split("/").at(-1), text: textOf(recording.words), model: recording.model,
    // What was corrected is right; the whole is as likely as what was not.
    confidence: recording.past.length ? recording.words.reduce((product, word) => product * word.confidence, 1)
      : recording.confidence,
    duration: Math.max(recording.duration, recording.words.at(-1)?.end ?? 0), n_best: [],
    words: recording.words.map(({ text, start, end, confidence }) => ({ text, start, end, confidence })),
  };
}

export function begin() {
  on("open", offer);
  on("list", recording => { if (recording === current) offer(); });
  $$("export").addEventListener("click", () => save(current, $$("format").value));
  $$("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(textOf(current.words));
      tell("The text is copied");
    } catch {
      tell("The browser lets this page not copy; save the text as a file");
    }
  });
  $$("all-format").append(...options("transcript"), ...options("timeline"));
  $$("export-all").addEventListener("click", async () => {
    if (await ask($$("all-dialog")) !== "ok") return;
    const kind = $$("all-format").value.split(" ")[0];
    for (const recording of recordings.values()) {
      if (recording.state === "done" && (kind === "timeline" ? recording.timeline : hasWords(recording))) {
        await save(recording, $$("all-format").value);
      }
    }
  });
}

function options(kind) {
  const label = kind === "transcript" ? "Words" : "Actions";
  return [make("optgroup", { label }, ...facts.formats[kind].map(
    form => make("option", { value: `${kind} ${form}`, textContent: `${form}, ${NAMES[form]}` })))];
}

let offered = "";

function offer() {
  const kinds = current ? [...hasWords(current) ? ["transcript"] : [], ...current.timeline ? ["timeline"] : []] : [];
  if (offered === kinds.join()) return;
  offered = kinds.join();
  const before = $$("format").value;
  $$("format").replaceChildren(...kinds.flatMap(options));
  if ([...$$("format").options].some(option => option.value === before)) $$("format").value = before;
}

async function save(recording, choice) {
  const [kind, form] = choice.split(" ");
  const stem = recording.name.replaceAll("/", "-").replace(/\.[^.]*$/, "");
  const both = kind === "timeline" && recording.words.length;
  try {
    const text = await written(kind === "timeline" ? recording.timeline : transcriptOf(recording), form);
    const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    make("a", { href: url, download: `${stem}${both ? ".actions" : ""}.${form}` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  } catch (error) {
    tell(`${recording.name} could not be saved: ${error.message}`, 10000);
  }
}
