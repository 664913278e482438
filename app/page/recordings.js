// The recordings of the page, and every change of them: who shows one listens to the changes. Each is saved at once.

import { $$, tell } from "./dom.js";
import { applied, inverse } from "./editing.js";
import * as store from "./store.js";

/** id -> recording, in order. */
export const recordings = new Map();
/** The one that is looked at, or null. */
export let current = null;

const bus = new EventTarget();
/** Kinds: "list" (one came, went, or its state changed), "open", "words" (of the open one; with the edit, if it was
 * one, `heard` where it was the service's). */
export const on = (kind, heard) => bus.addEventListener(kind, event => heard(event.detail));
const announce = (kind, detail) => bus.dispatchEvent(new CustomEvent(kind, { detail }));

/** Files of this page load: what could not be stored can be read and played until the page goes. */
const files = new Map();

const PAST = 1000; // edits that can be undone
const STATES = { waiting: 1, sending: 1, reading: 1 };

/** Whether it is still to be read, or being read. */
export const isPending = recording => recording.state in STATES;

/** What is doubtful of a recording, below a confidence. */
export const doubts = (recording, least) => recording.words.filter(word => word.confidence < least).length;

/** Take in a file; it waits to be read. */
export async function add(file, name, models) {
  const recording = {
    id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, name, size: file.size, type: file.type,
    added: Math.max(Date.now(), ...[...recordings.values()].map(each => each.added + 1)),
    state: "waiting", problem: "", film: null, ...models, duration: 0, model: "", confidence: 1,
    words: [], timeline: null, past: [], future: [], position: 0,
  };
  recordings.set(recording.id, recording);
  files.set(recording.id, file);
  announce("list", recording);
  try {
    await store.keepMedia(recording.id, file);
    await save(recording);
  } catch {
    tell(`${name} is too large for this browser's storage: it is gone when this page is closed`);
  }
  return recording;
}

/** Its file, or null where the browser has lost it. */
export async function fileOf(recording) {
  if (!files.has(recording.id)) files.set(recording.id, await store.media(recording.id).catch(() => undefined));
  return files.get(recording.id) ?? null;
}

/** Read again what earlier visits have left; what was being read waits again. */
export async function restore() {
  for (const recording of await store.all()) {
    if (isPending(recording)) recording.state = "waiting";
    recordings.set(recording.id, recording);
  }
  announce("list", null);
}

export function open(recording) {
  if (recording === current) return;
  current = recording;
  if (recording) localStorage.setItem("earsight-open", recording.id);
  announce("open", recording);
}

/** Change what a recording tells of itself. */
export function change(recording, changes, lasting = true) {
  Object.assign(recording, changes);
  if (!recordings.has(recording.id)) return;
  announce("list", recording);
  if (lasting) save(recording);
}

/** Further words from the service, behind those that it has told. */
export function hear(recording, words) {
  const edit = { at: recording.words.length, removed: [], added: words, heard: true };
  recording.words = applied(recording.words, edit);
  if (recording === current) announce("words", edit);
}

/** All words from the service; most often those that have been heard. */
export function settle(recording, words) {
  const heard = recording.words;
  recording.words = words;
  const same = words.length === heard.length && words.every((word, i) => word.text === heard[i].text
    && word.start === heard[i].start && word.confidence === heard[i].confidence && word.line === heard[i].line);
  if (recording === current && !same) announce("words", null);
}

/** Correct words of the open recording. */
export function correct(edit) {
  current.past = [...current.past, edit].slice(-PAST);
  current.future = [];
  apply(edit);
}

export function undo() {
  const edit = current?.past.at(-1);
  if (!edit) return;
  current.past = current.past.slice(0, -1);
  current.future = [...current.future, edit];
  apply(inverse(edit));
}

export function redo() {
  const edit = current?.future.at(-1);
  if (!edit) return;
  current.future = current.future.slice(0, -1);
  current.past = [...current.past, edit];
  apply(edit);
}

function apply(edit) {
  current.words = applied(current.words, edit);
  announce("words", edit);
  announce("list", current);
  save(current);
}

export async function remove(recording) {
  const all = [...recordings.values()], at = all.indexOf(recording);
  recordings.delete(recording.id);
  files.delete(recording.id);
  if (current === recording) open(all[at + 1] ?? all[at - 1] ?? null);
  announce("list", recording);
  await store.remove(recording.id);
}

const saving = new Map(); // id -> "saving", or "again" where it has changed meanwhile

/** Save; while one save is under way, further changes are saved by one more behind it. */
export async function save(recording) {
  if (saving.has(recording.id)) return saving.set(recording.id, "again");
  do {
    saving.set(recording.id, "saving");
    try {
      await store.keep(recording);
      if (recording === current) $$("saved").textContent = recording.past.length ? "Saved" : "";
    } catch (error) {
      $$("saved").textContent = "Not saved";
      const why = error?.message ?? "no storage";
      tell(`The browser cannot save this (${why}): save a file before you close the page`, 15000);
      saving.set(recording.id, "failed");
    }
  } while (saving.get(recording.id) === "again" && recordings.has(recording.id));
  saving.delete(recording.id);
}

// What another tab has changed: corrections made here are never laid over newer ones.
store.onOthers(async id => {
  const kept = await store.one(id);
  const here = recordings.get(id);
  if (!kept) {
    if (here) {
      recordings.delete(id);
      if (here === current) open(null);
      announce("list", here);
    }
  } else if (here && isPending(here)) {
    return; // it is read here
  } else if (here) {
    const same = here.state === kept.state && here.past.length === kept.past.length
      && here.future.length === kept.future.length && here.words.length === kept.words.length;
    Object.assign(here, kept, { position: here.position, words: same ? here.words : kept.words });
    announce("list", here);
    if (here === current && !same) announce("words", null);
  } else {
    recordings.set(id, kept);
    announce("list", kept);
  }
});
