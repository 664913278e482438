"""`earsight serve`: the recognisers behind HTTP and websockets, in the shapes of OpenAI's and vosk-server's interfaces.

A request's way: `connections` (sockets) -> `gate` (keys, log, metrics) -> `clips`, `realtime` or `vosk` -> `uploads` (a
file on disk) -> `pool` (`processes` of this machine, or `ray_pool`) -> `worker`, a process of its own, whose `tasks`
recognise and write.
Nothing that a client sends is opened in the process that listens. `page` answers with the files of app/page/.
"""
