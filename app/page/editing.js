// Corrections, as pure functions. A word is {text, start, end, confidence, line}; a corrected one has `was` too.
// An edit is {at, removed, added}, words in the place of words: so it can be undone, and saved.

/** The edit that puts a typed text in the place of a word: no word, one, or several that share its time. */
export function typed(words, at, text) {
  const word = words[at], parts = text.split(/\s+/).filter(Boolean);
  const letters = parts.reduce((sum, part) => sum + [...part].length, 0);
  const was = word.was ?? word.text;
  let place = word.start, told = 0;
  const added = parts.map(part => {
    told += [...part].length;
    const start = place;
    place = told === letters ? word.end : round(word.start + (word.end - word.start) * told / letters);
    return { text: part, start, end: place, confidence: 1, line: word.line, was };
  });
  return { at, removed: [word], added };
}

/** The edit that makes one word of two neighbours. */
export function joined(words, at) {
  const [first, second] = words.slice(at, at + 2);
  return { at, removed: [first, second], added: [{
    text: first.text + second.text, start: first.start, end: second.end, confidence: 1, line: first.line,
    was: `${first.was ?? first.text} ${second.was ?? second.text}` }] };
}

export const applied = (words, edit) => words.toSpliced(edit.at, edit.removed.length, ...edit.added);

export const inverse = edit => ({ at: edit.at, removed: edit.added, added: edit.removed });

/** Words of an answer of the service, each with the number of its line: an utterance is one. */
export function lined(words, segments) {
  const ends = [];
  for (const segment of segments) ends.push((ends.at(-1) ?? 0) + segment.text.split(/\s+/).filter(Boolean).length);
  let line = 0;
  return words.map((word, i) => {
    while (line < ends.length - 1 && i >= ends[line]) line += 1;
    return { text: word.word, start: word.start, end: word.end, confidence: word.confidence, line };
  });
}

/** The text of words, an utterance a line. */
export function textOf(words) {
  let text = "";
  words.forEach((word, i) => {
    text += (i === 0 ? "" : word.line === words[i - 1].line ? " " : "\n") + word.text;
  });
  return text;
}

/** The number of the word that is heard at a time, or of the last one before; -1 before the first. */
export function wordAt(words, seconds) {
  let low = 0, high = words.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words[middle].start <= seconds) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const round = seconds => Math.round(1000 * seconds) / 1000;
