"""Plugins as Circus's users write them."""

import sys

from circus.plugins import CircusPlugin


class Companion(CircusPlugin):
    """Keeps one watcher as large as another one: a call to look, a cast to change."""

    name = "companion"

    def __init__(self, *args, **config):
        super().__init__(*args, **config)
        self.leader = config["leader"]
        self.follower = config["follower"]

    def handle_init(self):
        print("companion of", self.leader)
        sys.stdout.flush()

    def handle_recv(self, data):
        watcher, action, message = self.split_data(data)
        if watcher != self.leader or action not in ("spawn", "reap", "kill"):
            return
        pid = self.load_message(message)["process_pid"]
        number = self.call("numprocesses", name=self.leader)["numprocesses"]
        self.cast("set", name=self.follower, options={"numprocesses": number})
        print("companion saw", action, "of", pid)
        sys.stdout.flush()

    def handle_stop(self):
        print("companion stops")
        sys.stdout.flush()
