"""Commands that recognise what is still coming: listen, watch."""

import argparse
from dataclasses import fields
from functools import partial

from ...audio.live.endpoints import EndpointRules
from ...common.errors import EarsightError
from ...video.live.settings import Rolling
from ..recognisers import classifier, listener
from .recognising import decoding


def listen_command(args: argparse.Namespace) -> int:
    if args.list_devices:
        from ...audio.live.sources import devices

        print("\n".join(devices()))
        return 0
    from ...audio.live.listening import listen

    rules = EndpointRules(**{rule.name: getattr(args, rule.name) for rule in fields(EndpointRules)})
    make = partial(listener, args.model, 1, **decoding(args))
    return listen(make, args.source, args.rate, args.device, rules, args.format, args.subtitles)


def watch_command(args: argparse.Namespace) -> int:
    from ...common.batch_run import default_jobs
    from ...video.live.watching import watch
    from ...video.recognition.recogniser import ActionRecogniser

    settings = Rolling(**{each.name: getattr(args, each.name) for each in fields(Rolling)})
    recogniser = classifier(args.model, default_jobs())
    if not isinstance(recogniser, ActionRecogniser):
        raise EarsightError(f"model {args.model} does not take pictures; choose another (see `earsight models`)")
    return watch(recogniser, args.source, settings, args.format)
