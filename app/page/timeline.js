// What is done when: pictures of the film, segments with their probabilities, and how likely each class is over time.

import { $$, clock, make, percent } from "./dom.js";
import { duration, onTime, seek } from "./player.js";
import { current, fileOf, on } from "./recordings.js";

const SHOWN = 5; // classes, the likeliest, that get a curve
const LEAST = 0.1; // probability that one of them reaches
const COLOURS = 8; // of the style sheet, `class-0` to `class-7`
const SVG = "http://www.w3.org/2000/svg";

const box = $$("timeline");
let drawn = null, pictured = 0;

export function begin() {
  on("open", draw);
  on("list", recording => { if (recording === current) draw(); });
  onTime(seconds => { // along the whole box, over strip, segments and curves
    const cursor = box.querySelector(".cursor");
    if (cursor) cursor.style.left = `${100 * Math.min(seconds / length(), 1)}%`;
  });
  box.addEventListener("click", event => {
    const segment = event.target.closest(".segment"), lanes = event.target.closest(".lanes");
    if (segment) return seek(Number(segment.dataset.start));
    if (!lanes) return;
    const place = lanes.getBoundingClientRect();
    seek((event.clientX - place.left) / place.width * length());
  });
}

const length = () => current?.timeline?.duration || duration() || 1;

function draw() {
  const timeline = current?.timeline ?? null;
  if (timeline === drawn) return;
  drawn = timeline;
  pictured += 1;
  box.hidden = !timeline;
  if (!timeline) return box.replaceChildren();
  const ranked = timeline.labels
    .map((label, i) => ({ label, i, most: Math.max(...timeline.probabilities.map(row => row[i])) }))
    .sort((a, b) => b.most - a.most).filter((each, rank) => rank === 0 || each.most >= LEAST).slice(0, SHOWN);
  const strip = make("div", { className: "strip", "aria-hidden": "true" });
  const segments = make("ol", { className: "segments", "aria-label": "Segments" }, ...timeline.segments.map(
    segment => segmentOf(segment, timeline)));
  const curves = make("div", { className: "curves" }, ...ranked.map(each => curveOf(each, timeline)));
  const axis = make("div", { className: "ticks", "aria-hidden": "true" }, ...ticks(timeline.duration));
  const lanes = [...current.film ? [strip] : [], segments, axis, curves, make("i", { className: "cursor" })];
  const none = make("p", { className: "soft", textContent: "Nothing in it is one of the model's classes." });
  box.replaceChildren(
    make("div", { className: "lanes" }, ...lanes), ...timeline.segments.length ? [] : [none],
    make("p", { className: "soft model", textContent: `How likely each class is, by ${timeline.model}` }));
  if (current.film) pictures(strip, current, pictured);
}

function segmentOf(segment, timeline) {
  const item = make("li"), certain = percent(segment.probability);
  const button = make("button", {
    type: "button", className: `segment class-${timeline.labels.indexOf(segment.label) % COLOURS}`,
    title: `${segment.label}, ${clock(segment.start)} – ${clock(segment.end)}, ${certain}`,
    "aria-label": `${segment.label} ${certain}, from ${clock(segment.start)} to ${clock(segment.end)}`,
    data: { start: segment.start } }, make("b", { textContent: segment.label }), " ", certain);
  item.style.left = `${100 * segment.start / timeline.duration}%`;
  item.style.width = `${100 * (segment.end - segment.start) / timeline.duration}%`;
  item.append(button);
  return item;
}

/** A class's probability over time, as an area; windows stand at their middles. */
function curveOf({ label, i, most }, timeline) {
  const svg = document.createElementNS(SVG, "svg"), area = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 1000 100");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${label}: at most ${percent(most)}`);
  const points = timeline.times.map((time, t) => [
    1000 * time / timeline.duration, 100 - 98 * timeline.probabilities[t][i]]);
  const ends = points.length ? [[0, points[0][1]], ...points, [1000, points.at(-1)[1]]] : [];
  area.setAttribute("d", `M0 100 ${ends.map(([x, y]) => `L${x.toFixed(1)} ${y.toFixed(1)}`).join(" ")} L1000 100 Z`);
  area.setAttribute("class", `area class-${i % COLOURS}`);
  svg.append(area);
  return make("div", { className: "curve" }, svg, make("span", { textContent: label }));
}

function ticks(seconds) {
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600].find(each => seconds / each <= 10) ?? 7200;
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, i) => {
    const tick = make("span", { textContent: clock(i * step, false) });
    tick.style.left = `${100 * i * step / seconds}%`;
    return tick;
  });
}

/** Small pictures from all along the film, by a player of their own. */
async function pictures(strip, recording, turn) {
  const file = await fileOf(recording);
  if (!file || turn !== pictured) return;
  const film = make("video", { muted: true, preload: "auto" }), url = URL.createObjectURL(file);
  const event = (kind, then) => new Promise(done => {
    film.addEventListener(kind, done, { once: true });
    film.addEventListener("error", done, { once: true });
    setTimeout(done, 4000);
    then();
  });
  try {
    await event("loadeddata", () => { film.src = url; });
    if (!film.videoWidth) return strip.remove();
    const height = 54, width = Math.round(height * film.videoWidth / film.videoHeight);
    const count = Math.min(Math.max(Math.floor(strip.clientWidth / width), 2), 40);
    const canvases = Array.from({ length: count }, () => make("canvas", { width: 2 * width, height: 2 * height }));
    strip.replaceChildren(...canvases);
    for (const [i, canvas] of canvases.entries()) {
      await event("seeked", () => { film.currentTime = (i + 0.5) / count * film.duration; });
      if (turn !== pictured) return;
      canvas.getContext("2d").drawImage(film, 0, 0, canvas.width, canvas.height);
    }
    strip.dataset.ready = "";
  } finally {
    film.removeAttribute("src");
    film.load();
    URL.revokeObjectURL(url);
  }
}
