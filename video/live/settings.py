"""How `earsight watch` looks."""

from dataclasses import dataclass

from ...common.errors import EarsightError


@dataclass(frozen=True)
class Rolling:
    """Windows that roll over the pictures, and what of them makes an event.

    Attributes:
        window, hop: seconds that the model sees at once, and from one window to the next.
        on, off: an action is taken to be done from this probability on, and to be over below that one, which is less:
            what lies between changes nothing, so that it does not flicker (Schmitt's trigger).

    Raises:
        EarsightError: they contradict each other.
    """

    window: float = 4.0
    hop: float = 0.5
    on: float = 0.5
    off: float = 0.3

    def __post_init__(self) -> None:
        if self.hop > self.window:
            raise EarsightError(f"--hop {self.hop:g}: more than the window's {self.window:g} s, and would leave "
                                "pictures out; lower it")
        if not self.off <= self.on:
            raise EarsightError(f"--off {self.off:g}: above --on {self.on:g}; an action that begins would be over at "
                                "once: lower it")
