// The service, as its own endpoints have it. The key, where one is needed, is asked for once and is this tab's.

import { $$, ask } from "./dom.js";

const KEY = "earsight-key";

/** A request that was refused or failed. `status` is 0 where no answer came. */
export class Refused extends Error {
  constructor(status, message, after = 0) {
    super(message);
    this.status = status;
    this.after = after; // seconds, of Retry-After
  }
}

/** The models that a request may name. */
export const models = async () => JSON.parse(await request("GET", "/v1/models")).data;

/** A transcript as verbose_json; `heard` is given words as they come. */
export function transcribe(file, name, model, { signal, sent, heard }) {
  let rest = "", result, error;
  const lines = text => {
    const events = (rest + text).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const plain = JSON.parse(event.slice(event.indexOf("data: ") + 6));
      if (plain.type === "transcript.text.delta") heard(plain.words ?? []);
      else if (plain.type === "transcript.text.done") result = plain;
      else error = new Refused(500, plain.error.message);
    }
  };
  const fields = { model, response_format: "verbose_json", stream: "true" };
  const form = filled(file, name, fields);
  for (const each of ["word", "segment"]) form.append("timestamp_granularities[]", each);
  return request("POST", "/v1/audio/transcriptions", { form, signal, sent, lines }).then(() => {
    if (!result) throw error ?? new Refused(0, "the answer ended before it was whole");
    return result;
  });
}

/** What is done when. */
export async function classify(file, name, model, { signal, sent }) {
  const form = filled(file, name, { model, response_format: "timeline" });
  return JSON.parse(await request("POST", "/v1/video/classifications", { form, signal, sent }));
}

/** A transcript or timeline as the text of a file in one of the command line's formats. */
export function written(result, format) {
  const form = filled(new Blob([JSON.stringify(result)]), "result.json", { response_format: format });
  return request("POST", "/v1/exports", { form });
}

function filled(file, name, fields) {
  const form = new FormData();
  for (const [key, value] of Object.entries(fields)) form.append(key, value);
  form.append("file", file, name);
  return form;
}

/** The text of an answer. XMLHttpRequest, because it tells how much of a body is sent, as fetch does not. */
async function request(method, path, how = {}) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    try {
      return await attempt(method, path, key, how);
    } catch (error) {
      if (error.status !== 401) throw error;
      await askForKey(key);
    }
  }
}

function attempt(method, path, key, { form, signal, sent, lines }) {
  return new Promise((done, failed) => {
    const asked = new XMLHttpRequest();
    let read = 0;
    asked.open(method, path);
    if (key) asked.setRequestHeader("Authorization", `Bearer ${key}`);
    if (sent) asked.upload.onprogress = event => sent(event.total ? event.loaded / event.total : 0);
    const more = () => {
      if (!lines || asked.status !== 200) return;
      lines(asked.responseText.slice(read));
      read = asked.responseText.length;
    };
    asked.onprogress = more;
    asked.onload = () => {
      if (asked.status === 200) {
        more();
        done(asked.responseText);
      } else {
        failed(new Refused(asked.status, messageOf(asked), Number(asked.getResponseHeader("Retry-After") ?? 0)));
      }
    };
    asked.onerror = () => failed(new Refused(0, "the service does not answer; is it still running?"));
    asked.onabort = () => failed(new DOMException("cancelled", "AbortError"));
    signal?.addEventListener("abort", () => asked.abort());
    if (signal?.aborted) failed(new DOMException("cancelled", "AbortError"));
    else asked.send(form);
  });
}

function messageOf(asked) {
  try {
    return JSON.parse(asked.responseText).error.message;
  } catch {
    return `the service answered ${asked.status}`;
  }
}

let asking = null;

/** Have the key typed in, by one dialog for all requests that wait for it. */
function askForKey(wrong) {
  if (sessionStorage.getItem(KEY) !== wrong) return null; // another request has it already
  asking ??= (async () => {
    $$("key-wrong").hidden = !wrong;
    // Nothing works without one: who closes the dialog gets it again.
    while (await ask($$("key-dialog")) !== "ok" || !$$("key").value.trim());
    sessionStorage.setItem(KEY, $$("key").value.trim());
    $$("key").value = "";
    asking = null;
  })();
  return asking;
}
