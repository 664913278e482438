"""Pronunciations of words for `data.lexicon`: those of a dictionary, and espeak-ng's of the words that it lacks.

    python scripts/pronunciations.py WORDS.txt CMUDICT.dict LEXICON.txt

WORDS.txt has a word a line, the commonest first; CMUDICT.dict is the CMU pronouncing dictionary without stress, such as
pocketsphinx brings (`word PHONE ...` a line, `word(2)` for another pronunciation). LEXICON.txt has all words, in the
dictionary's phones. Needs espeak-ng.
"""

import re
import subprocess
import sys
from pathlib import Path

from earsight.common.errors import EarsightError
from earsight.common.files import write_whole
from earsight.common.texts import read_text

VOICE = "en-us"
# espeak-ng's IPA to the dictionary's phones, longest first where one begins another.
PHONES = {
    "tʃ": "CH", "dʒ": "JH", "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "ɔɪ": "OY", "oʊ": "OW", "əʊ": "OW", "iː": "IY",
    "uː": "UW", "ɑː": "AA", "ɔː": "AO", "oː": "AO", "ɜː": "ER", "aː": "AA", "eː": "EY", "n̩": "AH N", "l̩": "AH L",
    "m̩": "AH M", "i": "IY", "ɪ": "IH", "ᵻ": "IH", "ɨ": "IH", "ɛ": "EH", "e": "EH", "æ": "AE", "a": "AE", "ɑ": "AA",
    "ɒ": "AA", "ɔ": "AO", "o": "OW", "ʊ": "UH", "u": "UW", "ʌ": "AH", "ə": "AH", "ɐ": "AH", "ɚ": "ER", "ɜ": "ER",
    "y": "UW", "ø": "ER", "œ": "ER", "b": "B", "d": "D", "f": "F", "ɡ": "G", "g": "G", "h": "HH", "ç": "HH", "k": "K",
    "x": "K", "q": "K", "l": "L", "ɫ": "L", "ɬ": "L", "m": "M", "n": "N", "ɲ": "N Y", "ŋ": "NG", "p": "P", "ɹ": "R",
    "r": "R", "ʁ": "R", "s": "S", "ʃ": "SH", "t": "T", "ɾ": "T", "ʔ": "T", "θ": "TH", "ð": "DH", "v": "V", "w": "W",
    "ʍ": "W", "j": "Y", "z": "Z", "ʒ": "ZH", "β": "B", "ɣ": "G", "c": "K",
}  # fmt: skip
SOUNDS = re.compile("|".join(sorted(PHONES, key=len, reverse=True)))
MARKS = re.compile(r"\([^)]*\)|[ˈˌːˑ‍‿|_\-' .]")


def read_dictionary(path: Path) -> dict[str, list[str]]:
    """word -> its pronunciations, phones between spaces, the preferred one first."""
    found: dict[str, list[str]] = {}
    for line in read_text(path, "the dictionary").splitlines():
        word, _, phones = line.partition(" ")
        found.setdefault(re.sub(r"\(\d+\)$", "", word), []).append(" ".join(phones.split()))
    return found


def from_ipa(ipa: str) -> str:
    """A word's IPA as the dictionary's phones; raises EarsightError for a sign that is none of English."""
    left = MARKS.sub("", SOUNDS.sub("", ipa))
    if left:
        raise EarsightError(f"{ipa!r}: no phone of English is written {left!r}")
    phones = " ".join(PHONES[sound] for sound in SOUNDS.findall(ipa)).split()
    return " ".join(phone for phone, before in zip(phones, ["", *phones]) if phone != before)


def spoken(words: list[str]) -> list[str]:
    """espeak-ng's IPA of each word."""
    if not words:
        return []
    command = ["espeak-ng", "-q", "--ipa", "-v", VOICE, "--stdin"]
    try:
        said = subprocess.run(command, input="\n\n".join(words) + "\n", capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EarsightError(f"espeak-ng cannot be run ({error}); on Debian, apt-get install espeak-ng") from error
    lines = [line.strip() for line in said.stdout.splitlines() if line.strip()]
    if len(lines) != len(words):
        raise EarsightError(f"espeak-ng says {len(lines)} lines for {len(words)} words; leave out what is no word")
    return lines


def main(words_path: str, dictionary_path: str, destination: str) -> int:
    try:
        words = list(dict.fromkeys(read_text(Path(words_path), "the words").split()))
        known = read_dictionary(Path(dictionary_path))
        lacking = [word for word in words if word not in known]
        known |= {word: [from_ipa(ipa)] for word, ipa in zip(lacking, spoken(lacking))}
        lines = (f"{word} {phones}" for word in words for phones in known[word] if phones)
        write_whole(Path(destination), "\n".join(lines) + "\n")
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{destination}: {len(words)} words, {len(lacking)} of them by espeak-ng")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) == 4 else __doc__)
