// The microphone: a level, the time, and a recording of which every second is kept as it comes.

import { $$, clock, tell } from "./dom.js";
import { addPiece, forgetPieces, pieces } from "./store.js";

const SLICE = 1000; // ms
const KINDS = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];

let stop = null; // of the recording under way

/** Have `take(file, name)` called with each recording, and now with one that a crash has cut off. */
export async function begin(take) {
  $$("record").addEventListener("click", () => (stop ? stop() : record(take)));
  addEventListener("beforeunload", event => { if (stop) event.preventDefault(); });
  const left = await pieces().catch(() => []);
  if (left.length && !(await navigator.locks?.query())?.held.some(lock => lock.name === "earsight-recording")) {
    await take(fileOf(left), named("Recovered recording", left[0].type));
    await forgetPieces();
    tell("A recording that was cut off has been recovered");
  }
}

async function record(take) {
  if (!navigator.mediaDevices) {
    tell("Browsers give pages the microphone on this machine's own address or over HTTPS alone (--certificate)", 10000);
    return;
  }
  let stream;
  try {
    // What suppresses noise for a listener distorts what a recogniser was trained on.
    stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false } });
  } catch (error) {
    tell(error.name === "NotAllowedError" ? "The browser may not use the microphone; allow it beside the page's address"
      : `There is no microphone that can be used (${error.message})`, 10000);
    return;
  }
  const type = KINDS.find(kind => MediaRecorder.isTypeSupported(kind)) ?? "";
  const recorder = new MediaRecorder(stream, type ? { mimeType: type } : {});
  const kept = [], began = Date.now(), level = metered(stream, began);
  // Other tabs see by the lock that its pieces are not left over.
  let unlock;
  navigator.locks?.request("earsight-recording", () => new Promise(done => { unlock = done; }));
  recorder.ondataavailable = event => {
    if (!event.data.size) return;
    kept.push(event.data);
    addPiece(event.data).catch(() => {});
  };
  recorder.onstop = async () => {
    level();
    for (const track of stream.getTracks()) track.stop();
    stop = null;
    shown(false);
    if (kept.length) {
      await take(fileOf(kept), named(`Recording ${new Date(began).toLocaleString("sv").replaceAll(":", ".")}`, type));
    }
    await forgetPieces().catch(() => {});
    unlock?.();
  };
  stop = () => { if (recorder.state !== "inactive") recorder.stop(); };
  for (const track of stream.getTracks()) {
    track.onended = () => { tell("The microphone went away; what it heard is kept"); stop?.(); };
  }
  recorder.start(SLICE);
  shown(true);
}

function shown(recording) {
  $$("record").setAttribute("aria-pressed", recording);
  $$("record-label").textContent = recording ? "Stop" : "Record";
  $$("level").hidden = !recording;
}

/** Show the level and the time until the function that it returns is called. */
function metered(stream, began) {
  const context = new AudioContext(), analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    $$("level").value = Math.min(Math.max((10 * Math.log10(power + 1e-9) + 60) / 55, 0), 1); // -60 to -5 dB
    $$("record-label").textContent = `Stop ${clock((Date.now() - began) / 1000, false)}`;
  }, 100);
  return () => {
    clearInterval(timer);
    context.close();
  };
}

const fileOf = parts => new File(parts, "recording", { type: (parts[0].type || "audio/webm").split(";")[0] });

const named = (name, type) => `${name}.${/mp4/.test(type) ? "m4a" : /ogg/.test(type) ? "ogg" : "webm"}`;
