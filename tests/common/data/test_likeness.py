"""Clips that are alike: clouds of points whose clusters are known by construction."""

import numpy as np

from earsight.common.data.likeness import name_groups, near_duplicates, nearest_of_class


def takes(speakers: int = 4, classes: int = 3, each: int = 5, spread: float = 0.3):
    """Names CLASS_SPEAKER_TAKE, classes, features: a speaker's clips lie together in each class."""
    rng = np.random.default_rng(0)
    voices, words = rng.normal(size=(speakers, 16)), rng.normal(size=(classes, 16))
    names, labels, features = [], [], []
    for word in range(classes):
        for speaker in range(speakers):
            for take in range(each):
                names.append(f"word{word}_s{speaker}x_t{take}")
                labels.append(f"word{word}")
                features.append(voices[speaker] + words[word] + spread * rng.normal(size=16))
    return names, labels, np.array(features, dtype=np.float32)


def test_nearest_is_of_the_same_class_and_another_clip():
    _, labels, features = takes()
    found = nearest_of_class(features, labels)
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    standard /= np.linalg.norm(standard, axis=1, keepdims=True)
    for place in range(len(features)):
        others = [i for i, label in enumerate(labels) if label == labels[place] and i != place]
        assert found.index[place] == others[int(np.argmax(standard[others] @ standard[place]))]


def test_the_only_clip_of_a_class_has_no_neighbour():
    found = nearest_of_class(np.eye(3, dtype=np.float32), ["a", "a", "b"])
    assert found.index.tolist() == [1, 0, -1] and np.isinf(found.distance[2])


def test_copies_stay_together_and_others_apart():
    rng = np.random.default_rng(1)
    originals = rng.normal(size=(20, 32)).astype(np.float32)
    copies = originals[:5] + 0.01 * rng.normal(size=(5, 32)).astype(np.float32)
    again = copies[:1] + 0.01 * rng.normal(size=(1, 32)).astype(np.float32)
    clusters = near_duplicates(np.concatenate([originals, copies, again]))
    assert clusters.tolist() == [*range(20), *range(5), 0]


def test_one_clip_is_no_duplicate():
    assert near_duplicates(np.ones((1, 3), np.float32)).tolist() == [0]


def test_names_that_tell_of_speakers_are_found():
    names, labels, features = takes()
    found = name_groups(names, labels, nearest_of_class(features, labels))
    assert found is not None and found.part == 2
    assert found.groups == tuple(name.split("_")[1] for name in names)
    assert found.agreement > 0.9 and abs(found.chance - 4 / 19) < 1e-9  # 4 of the 19 others of the class


def test_names_that_tell_nothing_are_not_believed():
    names, labels, features = takes()
    rng = np.random.default_rng(2)
    drawn = [f"word{rng.integers(3)}_s{rng.integers(4)}x_t{take}" for take in range(len(names))]
    assert name_groups(drawn, labels, nearest_of_class(features, labels)) is None
    numbered = [f"clip{number}" for number in range(len(names))]
    assert name_groups(numbered, labels, nearest_of_class(features, labels)) is None
