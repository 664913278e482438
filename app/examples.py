"""What the command line shows of itself: two uses of each command, and an overview."""

EXAMPLES = {
    "transcribe": ("earsight transcribe talk.m4a interviews/",
                   "earsight transcribe clips/ --format srt --output subtitles/"),
    "classify": ("earsight classify push-ups.mp4 --top 3",
                 "earsight classify training.mp4 --timeline --format srt"),
    "explain": ("earsight explain clip.wav --output clip.png",
                "earsight explain push-ups.mp4 --output push-ups.svg --layer 1 --direction backward"),
    "align": ('earsight align clip.wav "bin blue at f two now"',
              "earsight align data/mine/test.jsonl.gz --format ctm --output times/"),
    "listen": ("earsight listen --subtitles live.vtt",
               "arecord -t raw -f S16_LE -r 16000 | earsight listen - --format jsonl"),
    "watch": ("earsight watch 0", "earsight watch rtsp://camera.local/stream --format jsonl"),
    "serve": ("earsight serve",
              "earsight serve --host 0.0.0.0 --port 8443 --keys keys.txt --certificate server.pem"),
    "prepare": ("earsight prepare csv clips.csv data/mine",
                "earsight prepare series sensors.csv data/mine series=recording time=t label=activity"),
    "check": ("earsight check data/mine/train.jsonl.gz data/mine/dev.jsonl.gz",
              "earsight check data/mine/*.jsonl.gz --model en-small"),
    "learn": ("earsight learn clips/ --output models/mine",
              "earsight learn more-clips/ --add --output models/mine --minutes 5"),
    "train": ("earsight train fit --config configs/an4.yaml --run runs/an4",
              "earsight train fit --config configs/an4.yaml --model.encoder.cell gru --resume auto"),
    "tune": ("earsight tune --config configs/tiny.yaml --trials 20",
             "earsight tune --config configs/tiny.yaml --find lr"),
    "evaluate": ("earsight evaluate runs/mine/model.ckpt data/mine/test.jsonl.gz",
                 "earsight evaluate en-small data/an4/test.jsonl.gz --report report/"),
    "predict": ("earsight predict --model runs/mine/model.ckpt data/mine/test.jsonl.gz --output test.jsonl",
                "earsight predict --model runs/mine/model.ckpt clips.csv --output out.jsonl --trainer.devices 2"),
    "export": ("earsight export runs/mine/model.ckpt models/mine",
               "earsight export runs/mine/model.ckpt models/mine --int8 --card card.json"),
    "lm": ("earsight lm text.txt --vocabulary 40000 --size 15 --output lm.bin",
           "earsight lm mine.txt --mix en --share 0.2 --order 4 --output mine.bin"),
    "tune-decoder": ("earsight tune-decoder models/mine data/mine/dev.jsonl.gz --lm lm.arpa",
                     "earsight tune-decoder models/mine dev-a.jsonl.gz dev-b.jsonl.gz --lexicon lexicon.txt"),
    "calibrate": ("earsight calibrate models/mine data/mine/dev.jsonl.gz --others other-sounds/",
                  "earsight calibrate digits data/fsdd/dev.jsonl.gz --output models/digits"),
    "models": ("earsight models pack models/mine mine.zip > mine.zip.sha256",
               "earsight models pull mine https://example.org/mine.zip"),
    "doctor": ("earsight doctor", "earsight doctor > report.txt"),
    "completion": ('eval "$(earsight completion bash)"',
                   "earsight completion fish > ~/.config/fish/completions/earsight.fish"),
}

OVERVIEW = """\
Earsight {version}: speech into text, video into actions, by models of your own.

Recognise
  earsight transcribe talk.m4a                           what is said
  earsight classify push-ups.mp4                         what is done
  earsight align clip.wav "the words that are said"      when each word is said
  earsight explain clip.wav --output clip.png            what the model does with it
  earsight listen                                        what is said, while it is said (earsight[live])
  earsight watch 0                                       what is done, before a camera
  earsight serve                                         all of it over HTTP (pip install 'earsight[serve]')

Train on your own clips (pip install 'earsight[train]')
  earsight learn clips/ --output models/mine             clips/LABEL/*.wav, *.mp4; or a table: path,label
  earsight prepare csv clips.csv data/mine               the same in steps, each of which you can change
  earsight train fit --config configs/tiny.yaml --run runs/mine --data.train data/mine/train.jsonl.gz
  earsight export runs/mine/model.ckpt models/mine       a folder that --model takes

See what is there
  earsight models                                        the models that came with it
  earsight doctor                                        what this installation lacks
  earsight COMMAND --help                                options, and examples; `earsight --help` lists the commands
"""


def epilog(command: str) -> str:
    """The end of a command's help."""
    return "examples:\n" + "\n".join(f"  {line}" for line in EXAMPLES[command])
