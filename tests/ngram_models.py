"""Texts of which n-grams come again, and n-gram models as dictionaries."""

import random


def sentences(count, n_words, seed=1):
    """Of words that a few others follow, by the two before; some words are no ASCII."""
    draw = random.Random(seed)
    words = [f"w{i}" if i % 3 else f"größe{i}" for i in range(n_words)]
    made = []
    for _ in range(count):
        place, before, sentence = draw.randrange(n_words), 0, []
        for _ in range(draw.randint(1, 12)):
            sentence.append(words[place])
            place, before = (7 * place + 3 * before + int(draw.expovariate(0.5))) % n_words, place
        made.append(sentence)
    return made


def values(model):
    """For each length: n-gram -> log10 probability and backoff."""
    return [dict(zip(map(tuple, map(str.split, texts)), zip(log_probs.tolist(), backoffs.tolist())))
            for texts, log_probs, backoffs in zip(model.texts(), model.log_probs, model.backoffs)]


def log10(model, context, word):
    """log10 P(word | context) by backing off, as the ARPA format defines it."""
    gram = (*context, word)
    if gram in model[len(gram) - 1]:
        return model[len(gram) - 1][gram][0]
    backoff = model[len(context) - 1].get(tuple(context), (0.0, 0.0))[1]
    return backoff + log10(model, context[1:], word)
