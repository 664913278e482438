// Recordings that wait, read a few at a time: as many as the service has workers for.

import { facts, tell } from "./dom.js";
import { lined } from "./editing.js";
import { change, fileOf, hear, isPending, on, recordings, settle } from "./recordings.js";
import { classify, transcribe } from "./service.js";

const ATONCE = Math.min(facts.jobs, 4);
const PATIENCE = 3; // seconds until a service that is full is asked again, where it does not say

const running = new Map(); // id -> AbortController
export const models = new Map(); // id -> the service's description

/** Read what waits, now and whenever something comes. */
export function begin() {
  on("list", () => next());
  next();
}

function next() {
  for (const recording of recordings.values()) {
    if (running.size >= ATONCE) return;
    if (recording.state === "waiting" && !running.has(recording.id)) run(recording);
  }
}

/** Stop reading one; what was heard so far stays. */
export function cancel(recording) {
  running.get(recording.id)?.abort();
  if (isPending(recording)) change(recording, { state: "cancelled", problem: "" });
}

/** Read one again, with the models chosen now. */
export function again(recording, chosen) {
  settle(recording, []);
  change(recording, { ...chosen, state: "waiting", problem: "", timeline: null, past: [], future: [] });
}

async function run(recording) {
  const stopping = new AbortController();
  running.set(recording.id, stopping);
  try {
    await alone(recording, () => patiently(recording, () => read(recording, stopping.signal), stopping.signal));
  } catch (error) {
    if (!stopping.signal.aborted) change(recording, { state: "failed", problem: error.message });
  } finally {
    running.delete(recording.id);
    next();
  }
}

/** Of two tabs one reads a recording; the other is shown what it has saved. */
async function alone(recording, work) {
  if (!navigator.locks) return work(); // pages without HTTPS have none
  return navigator.locks.request(`earsight-${recording.id}`, { ifAvailable: true }, lock => (lock ? work()
    : change(recording, { state: "elsewhere" }, false)));
}

/** Again where the service is full, or lost a worker, until there is room. */
async function patiently(recording, work, signal) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (error.status !== 429 && error.status !== 503) throw error;
      const seconds = error.after || PATIENCE;
      change(recording, { state: "sending", progress: 0, told: `the service is full; again in ${seconds} s` }, false);
      await new Promise(done => {
        const timer = setTimeout(done, 1000 * seconds);
        signal.addEventListener("abort", () => { clearTimeout(timer); done(); });
      });
      if (signal.aborted) throw error;
    }
  }
}

async function read(recording, signal) {
  const file = await fileOf(recording);
  if (!file) throw new Error("this browser no longer has the file; add it again");
  if (file.size > facts.max_upload * 1e6) {
    throw new Error(`larger than the ${facts.max_upload} MB that this service takes; give a part, or compressed sound`);
  }
  const film = recording.film ?? await hasPictures(file, recording.name);
  change(recording, { film, state: "sending", progress: 0, told: "" }, false);
  const sent = share => change(recording, share < 1 ? { state: "sending", progress: share }
    : { state: "reading", progress: null, told: "" }, false);
  const problems = [];
  const attempt = async work => {
    try {
      await work();
    } catch (error) {
      if (error.status !== 400) throw error;
      problems.push(error.message); // as of a film without sound
    }
  };
  const name = recording.name.split("/").at(-1), classes = models.get(recording.sound)?.task === "classification";
  let done = 0;
  if (recording.sound && !classes) {
    await attempt(async () => {
      await speech(recording, file, name, signal, sent);
      done += 1;
    });
  }
  const classifier = film && recording.pictures || classes && recording.sound;
  if (classifier) {
    change(recording, { state: "sending", progress: 0 }, false);
    await attempt(async () => {
      const timeline = await classify(file, name, classifier, { signal, sent });
      change(recording, { timeline, duration: timeline.duration }, false);
      done += 1;
    });
  }
  if (!done) throw new Error(problems[0] ?? "no model was chosen; choose one above, and read it again");
  change(recording, { state: "done", problem: problems.join(" "), told: "" });
  tell(`${recording.name} is read`);
}

async function speech(recording, file, name, signal, sent) {
  let line = 0;
  settle(recording, []); // of an attempt that was cut off nothing stays
  const result = await transcribe(file, name, recording.sound, {
    signal, sent,
    heard: words => {
      hear(recording, words.map(({ word, ...rest }) => ({ text: word, ...rest, line })));
      line += 1;
      const end = words.at(-1)?.end ?? 0;
      change(recording, { progress: recording.duration ? Math.min(end / recording.duration, 1) : null }, false);
    },
  });
  change(recording, { duration: result.duration, model: result.model, confidence: result.confidence }, false);
  settle(recording, lined(result.words, result.segments));
}

/** Whether a file has pictures, as far as this browser can tell: else its name says. */
async function hasPictures(file, name) {
  const suffix = name.slice(name.lastIndexOf(".")).toLowerCase();
  if (file.type.startsWith("audio/")) return false;
  if (!file.type.startsWith("video/") && !facts.pictures.includes(suffix)) return false;
  const film = document.createElement("video"), url = URL.createObjectURL(file);
  try {
    return await new Promise(done => {
      film.onloadedmetadata = () => done(film.videoWidth > 0);
      film.onerror = () => done(true);
      film.preload = "metadata";
      film.src = url;
    });
  } finally {
    film.removeAttribute("src");
    film.load();
    URL.revokeObjectURL(url);
  }
}
