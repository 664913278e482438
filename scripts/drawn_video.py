"""How drawn films are compressed: H.264 that the pictures alone settle, to the byte."""

from __future__ import annotations

import cv2

AVX_512F = 13  # cv::CpuFeatures; cv2 has no name for it


def x264_options(crf: int, preset: str = "medium") -> dict[str, str]:
    """libx264's options: how hard it compresses (crf), how slowly it searches (preset), and what makes films repeat."""
    options = {"crf": str(crf), "preset": preset, "threads": "1"}  # so many threads, so many other films
    # x264's macroblock tree, as written for AVX-512, reads memory that nobody wrote (core 165): each run had another
    # film. Asked for AVX2, x264 would use it on processors without it, too.
    if cv2.checkHardwareSupport(AVX_512F):
        options["x264-params"] = "asm=AVX2"
    return options
