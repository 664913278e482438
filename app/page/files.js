// Files in: chosen, dropped, pasted, whole folders too. What is neither sound nor film is left out, and told.

import { $$, facts, tell } from "./dom.js";

/** Have `take(file, name)` called for each; a name tells the folders below the one that was given. */
export function begin(take) {
  $$("files").accept = ["audio/*", "video/*", ...facts.sound].join(",");
  for (const name of ["files", "folder"]) {
    $$(`add-${name}`).addEventListener("click", () => $$(name).click());
    $$(name).addEventListener("change", () => {
      sift([...$$(name).files].map(file => ({ file, name: file.webkitRelativePath || file.name })), take);
      $$(name).value = "";
    });
  }
  let depth = 0; // a drag enters and leaves each element on its way
  const shown = by => {
    depth += by;
    $$("drop").hidden = depth <= 0;
  };
  const brings = event => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", event => { if (brings(event)) shown(1); });
  addEventListener("dragleave", event => { if (brings(event)) shown(-1); });
  addEventListener("dragover", event => { if (brings(event)) event.preventDefault(); });
  addEventListener("drop", async event => {
    if (!brings(event)) return;
    event.preventDefault();
    depth = 0;
    shown(0);
    // All entries at once: the list is empty once this function has waited.
    const entries = [...event.dataTransfer.items].map(item => item.webkitGetAsEntry?.() ?? item.getAsFile());
    const found = [];
    for (const entry of entries) if (entry) await walk(entry, found);
    sift(found, take);
  });
  addEventListener("paste", event => {
    const pasted = [...event.clipboardData?.files ?? []];
    if (pasted.length) sift(pasted.map(file => ({ file, name: file.name })), take);
  });
}

async function walk(entry, found) {
  if (entry instanceof File) {
    found.push({ file: entry, name: entry.name });
  } else if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    found.push({ file, name: entry.fullPath.replace(/^\//, "") });
  } else {
    const reader = entry.createReader();
    for (;;) { // a reader gives a hundred at a time
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) break;
      for (const each of some) await walk(each, found);
    }
  }
}

async function sift(found, take) {
  const fit = [], others = [];
  for (const each of found) {
    const suffix = each.name.slice(each.name.lastIndexOf(".")).toLowerCase();
    const media = /^(audio|video)\//.test(each.file.type) || facts.sound.includes(suffix);
    if (!each.name.split("/").at(-1).startsWith(".")) (media ? fit : others).push(each);
  }
  fit.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  for (const { file, name } of fit) await take(file, name);
  if (others.length) {
    const names = others.slice(0, 3).map(each => each.name.split("/").at(-1));
    if (others.length > 3) names.push(`${others.length - 3} more`);
    tell(`Left out, neither sound nor film: ${names.join(", ")}`, 8000);
  } else if (!found.length) {
    tell("There is no file in that");
  }
}
