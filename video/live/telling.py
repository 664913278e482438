"""What `earsight watch` says of what it sees: text or JSON lines, and a line on the terminal."""

import json

from ...common.inference.events import Begun
from ...common.inference.recognition import Segment, segment_text
from ...common.status_line import StatusLine


class Teller:
    """Prints.

    Args:
        form: "txt", a line an action when it is over; or "jsonl", an object when it begins and one when it is over.
    """

    def __init__(self, form: str):
        self.form, self._line = form, StatusLine()

    def show(self, time: float, label: str, probability: float) -> None:
        """Renew the terminal's line."""
        self._line.show(f"[{time:8.1f} s]", f"{label} {probability:.0%}")

    def tell(self, event: Begun | Segment) -> None:
        """Tell of an action that begins or is over."""
        if self.form == "txt":
            if isinstance(event, Segment):
                self._print(segment_text(event))
            return
        plain = {"type": "start", "label": event.label, "start": round(event.start, 3)}
        if isinstance(event, Segment):
            plain |= {"type": "end", "end": round(event.end, 3)}
        self._print(json.dumps({**plain, "probability": round(event.probability, 4)}, ensure_ascii=False))

    def close(self) -> None:
        """Take the terminal's line away."""
        self._line.clear()

    def _print(self, text: str) -> None:
        self._line.clear()
        print(text, flush=True)
