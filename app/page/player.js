// One recording's sound and pictures: waveform, words along it, subtitles, controls, and what time it is.

import { $$, clock, make, percent, tell } from "./dom.js";
import { wordAt } from "./editing.js";
import { transcriptOf } from "./exporting.js";
import { change, current, fileOf, on, save } from "./recordings.js";
import { written } from "./service.js";
import { colour, set, settings } from "./settings.js";
import WaveSurfer from "./vendor/wavesurfer.esm.js";

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3];
const SKIP = 3; // seconds of the arrow keys
const LONGEST = 2 * 3600; // seconds of which the waveform is drawn: it is decoded whole
const LABELS = 45; // pixels a word must have for the words to stand along the waveform
const nonce = document.querySelector("script[nonce]").nonce;

const film = $$("film"), sound = make("audio");
let wave = null, media = sound, url = "";
let held = null; // the recording whose times `media` has, once it is ready
let shown = 0; // counts what was opened, to know who came too late
const watchers = [];

/** Have `heard(seconds)` called whenever the time changes, some 60 times a second while it plays. */
export const onTime = heard => watchers.push(heard);

export const now = () => (held ? media.currentTime : current?.position ?? 0);

/** Seconds of the open recording; 0 where not known yet. */
export const duration = () => (Number.isFinite(media.duration) && media.duration) || current?.duration || 0;

export function seek(seconds, play) {
  if (!current) return;
  media.currentTime = Math.min(Math.max(seconds, 0), duration() || seconds);
  if (play) media.play().catch(() => {});
  told();
}

export const skip = by => seek(now() + by * SKIP);

export function playPause() {
  if (!url) return;
  if (media.paused) media.play().catch(error => tell(`This browser cannot play it (${error.message})`));
  else media.pause();
}

export const isPlaying = () => !media.paused;

export const pause = () => media.pause();

export function faster(by) {
  const at = Math.min(Math.max(SPEEDS.indexOf(settings.speed) + by, 0), SPEEDS.length - 1);
  $$("speed").value = SPEEDS[at];
  $$("speed").dispatchEvent(new Event("change"));
}

export function begin() {
  $$("speed").append(...SPEEDS.map(speed => make("option", { value: speed, textContent: `${speed} ×` })));
  $$("speed").value = settings.speed;
  $$("speed").addEventListener("change", () => {
    set({ speed: Number($$("speed").value) });
    media.playbackRate = settings.speed;
    tell(`${settings.speed} times the speed`, 1500);
  });
  $$("play").addEventListener("click", playPause);
  $$("back").addEventListener("click", () => skip(-1));
  $$("on").addEventListener("click", () => skip(1));
  film.addEventListener("click", playPause);
  $$("zoom").value = settings.zoom;
  $$("zoom").addEventListener("input", () => {
    set({ zoom: Number($$("zoom").value) });
    zoom();
  });
  for (const each of [film, sound]) {
    each.addEventListener("play", () => { button(); requestAnimationFrame(tick); });
    each.addEventListener("pause", () => { button(); keepPlace(); });
    each.addEventListener("seeked", () => { told(); if (media.paused) keepPlace(); });
    each.addEventListener("loadedmetadata", told);
    each.addEventListener("durationchange", told);
  }
  addEventListener("pagehide", keepPlace);
  on("open", show);
  on("words", () => { labels(); subtitles(); });
  on("list", recording => {
    if (recording !== current || !recording?.film) return;
    if (media === sound) show(recording); // now that it is known to be one
    else if (recording.state === "done") subtitles();
  });
}

/** Draw anew in the colours of the style sheet. */
export function redraw() {
  wave?.setOptions(colours());
}

const colours = () => ({ waveColor: colour("wave"), progressColor: colour("accent"), cursorColor: colour("ink") });

function button() {
  $$("play").classList.toggle("playing", !media.paused);
  $$("play").setAttribute("aria-label", media.paused ? "Play" : "Pause");
}

function tick() {
  told();
  if (!media.paused) requestAnimationFrame(tick);
}

function told() {
  $$("clock").textContent = `${clock(now())} / ${clock(duration())}`;
  for (const heard of watchers) heard(now());
  lit();
}

function keepPlace() {
  if (!held || Math.abs(held.position - media.currentTime) < 0.05) return;
  held.position = media.currentTime;
  save(held);
}

async function show(recording) {
  const turn = ++shown;
  keepPlace();
  held = null;
  media.pause();
  wave?.destroy();
  wave = null;
  for (const each of [film, sound]) {
    each.removeAttribute("src");
    each.load();
  }
  URL.revokeObjectURL(url);
  url = "";
  film.hidden = true;
  film.replaceChildren();
  subtitled = null;
  $$("wave").replaceChildren();
  $$("wave").hidden = false;
  if (!recording) return;
  const file = await fileOf(recording);
  if (turn !== shown) return;
  if (!file) {
    const told = "This browser no longer has the file; its words are here.";
    $$("wave").append(make("p", { className: "soft", textContent: told }));
    return;
  }
  media = recording.film ? film : sound;
  film.hidden = !recording.film;
  url = URL.createObjectURL(file);
  media.src = url;
  media.playbackRate = settings.speed;
  button();
  told();
  subtitles();
  await ready(media, turn);
  if (turn !== shown) return;
  if (!recording.duration && Number.isFinite(media.duration)) change(recording, { duration: media.duration }, false);
  media.playbackRate = settings.speed;
  media.currentTime = recording.position;
  held = recording;
  told();
  draw(recording, turn);
}

/** Wait for what a file's head tells. What MediaRecorder writes tells no duration until its end has been looked at. */
async function ready(media, turn) {
  if (media.readyState < 1) {
    await new Promise(done => {
      media.addEventListener("loadedmetadata", done, { once: true });
      media.addEventListener("error", done, { once: true });
    });
  }
  if (media.duration === Infinity && turn === shown) {
    await new Promise(done => {
      media.addEventListener("durationchange", done, { once: true });
      setTimeout(done, 2000);
      media.currentTime = 1e7;
    });
    media.currentTime = 0;
  }
}

function draw(recording, turn) {
  const seconds = duration(), flat = { peaks: [new Float32Array(2)], duration: seconds };
  wave = WaveSurfer.create({ // which reads what `media` plays
    container: $$("wave"), height: 84, cspNonce: nonce, media, normalize: true, minPxPerSec: 1, barWidth: 2, barGap: 1,
    barRadius: 2, dragToSeek: true, hideScrollbar: false, cursorWidth: 2, autoCenter: true, ...colours(),
    ...seconds > LONGEST ? flat : {},
  });
  let drawn = false;
  wave.on("ready", () => { drawn = true; zoom(); told(); });
  wave.on("scroll", labels);
  wave.on("redrawcomplete", labels);
  wave.on("interaction", told);
  // Where it cannot be decoded, a flat line to click at; a film without sound has its timeline for that. What is drawn
  // stays when playing fails, as it does where there is nothing to hear it with.
  wave.on("error", error => {
    if (turn !== shown) return;
    if (drawn) tell(`This browser cannot play it (${error?.message || "its sound fails"})`);
    if (drawn || !(seconds > 0)) return;
    $$("wave").hidden = Boolean(recording.film && recording.timeline && !recording.words.length);
    wave.load(url, flat.peaks, seconds).catch(() => {});
  });
}

function zoom() {
  if (!wave?.getDuration()) return;
  const fit = $$("wave").clientWidth / wave.getDuration();
  wave.zoom(fit * (Math.max(300 / fit, 1) ** (settings.zoom / 100)));
  labels();
}

/** The words that are in sight, along the waveform, where there is room for them. */
function labels() {
  const wrapper = wave?.getWrapper();
  if (!wrapper || !wave.getDuration()) return;
  let lane = wrapper.querySelector("[part=lane]");
  if (!lane) {
    lane = make("div", { part: "lane" });
    wrapper.append(lane);
  }
  const seconds = wave.getDuration(), width = wrapper.clientWidth, words = current.words;
  const from = wave.getScroll() / width * seconds, to = from + wave.getWidth() / width * seconds;
  const first = Math.max(wordAt(words, from), 0), last = wordAt(words, to) + 1;
  const fits = last > first && wave.getWidth() / (last - first) >= LABELS;
  $$("wave").classList.toggle("labelled", fits);
  lane.replaceChildren(...(fits ? words.slice(first, last) : []).map((word, i) => {
    const label = make("span", { textContent: word.text, title: `${clock(word.start)}, ${percent(word.confidence)}` });
    label.setAttribute("part", word.confidence < settings.doubt ? "word doubtful" : "word");
    label.style.left = `${100 * word.start / seconds}%`;
    label.style.width = `${100 * (word.end - word.start) / seconds}%`;
    label.dataset.at = first + i;
    return label;
  }));
  lit();
}

function lit() {
  const lane = wave?.getWrapper().querySelector("[part=lane]");
  if (!lane?.childElementCount) return;
  const at = String(wordAt(current.words, now()));
  for (const label of lane.children) {
    const base = label.getAttribute("part").replace(" now", "");
    label.setAttribute("part", label.dataset.at === at ? `${base} now` : base);
  }
}

let subtitled = null; // the words that the film's subtitles have, or will have in a moment

/** The words as a player shows them, in the cues of the exported subtitles. */
async function subtitles() {
  const recording = current, words = recording?.words;
  if (!words?.length) film.replaceChildren();
  if (!recording?.film || !words.length || recording.state !== "done" || words === subtitled) return;
  subtitled = words;
  await new Promise(done => setTimeout(done, 500)); // of several corrections the last
  if (subtitled !== words) return;
  let text;
  try {
    text = await written(transcriptOf(recording), "vtt");
  } catch {
    return; // the words stand below it all the same
  }
  if (subtitled !== words) return;
  const track = make("track", { kind: "subtitles", label: "Words", srclang: "en", default: true,
                                src: URL.createObjectURL(new Blob([text], { type: "text/vtt" })) });
  track.addEventListener("load", () => URL.revokeObjectURL(track.src));
  film.replaceChildren(track);
  track.track.mode = "showing";
}
