// What this browser keeps: recordings with their words and corrections, and apart from them the files themselves.
// The pieces of a recording that is being made are kept as they come, so that a crash loses none of it.

const opening = new Promise((done, failed) => {
  const request = indexedDB.open("earsight", 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("recordings", { keyPath: "id" });
    request.result.createObjectStore("media");
    request.result.createObjectStore("pieces", { autoIncrement: true });
  };
  request.onsuccess = () => done(request.result);
  request.onerror = () => failed(request.error);
});
opening.catch(() => {}); // told by who uses it

async function within(stores, mode, work) {
  const base = await opening;
  return new Promise((done, failed) => {
    const transaction = base.transaction(stores, mode);
    const result = work(...stores.map(name => transaction.objectStore(name)));
    transaction.oncomplete = () => done(result?.result);
    transaction.onabort = transaction.onerror = () => failed(transaction.error);
  });
}

// Other tabs show what this one saves.
const others = new BroadcastChannel("earsight");
export const onOthers = heard => { others.onmessage = event => heard(event.data); };

/** All recordings, the oldest first. */
export async function all() {
  const found = await within(["recordings"], "readonly", store => store.getAll());
  return found.sort((a, b) => a.added - b.added);
}

export const one = id => within(["recordings"], "readonly", store => store.get(id));

export const media = id => within(["media"], "readonly", store => store.get(id));

export async function keep(recording) {
  await within(["recordings"], "readwrite", store => store.put(recording));
  others.postMessage(recording.id);
}

export const keepMedia = (id, file) => within(["media"], "readwrite", store => store.put(file, id));

export async function remove(id) {
  await within(["recordings", "media"], "readwrite", (...stores) => { for (const each of stores) each.delete(id); });
  others.postMessage(id);
}

export const addPiece = piece => within(["pieces"], "readwrite", store => store.add(piece));

/** The pieces of a recording that was cut off; they stay until `forgetPieces`. */
export const pieces = () => within(["pieces"], "readonly", store => store.getAll());

export const forgetPieces = () => within(["pieces"], "readwrite", store => store.clear());
