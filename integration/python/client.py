"""Circus's own client: every command, and the answers that its users rely on.

client.py ENDPOINT, against a circusd with a watcher `web` of two processes and one, `idle`, that is
not started.
"""

import asyncio
import os
import sys
import time

from circus.client import AsyncCircusClient, CircusClient, cast_message
from tornado.ioloop import IOLoop

ENDPOINT = sys.argv[1]
client = CircusClient(endpoint=ENDPOINT, timeout=30)


def ok(command, **properties):
    reply = client.send_message(command, **properties)
    assert reply["status"] == "ok", (command, properties, reply)
    return reply


def error(errno, command, **properties):
    reply = client.send_message(command, **properties)
    assert (reply["status"], reply["errno"]) == ("error", errno), (command, properties, reply)
    return reply["reason"]


def pids(name="web"):
    return set(ok("list", name=name)["pids"])


def wait_for(what, fact):
    end = time.monotonic() + 60
    while not fact():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def looks():
    assert ok("list")["watchers"] == ["idle", "web"]
    assert ok("status")["statuses"] == {"idle": "stopped", "web": "active"}
    assert client.send_message("status", name="WEB")["status"] == "active"
    assert ok("numwatchers")["numwatchers"] == 2
    assert ok("numprocesses")["numprocesses"] == 2
    assert ok("numprocesses", name="idle")["numprocesses"] == 0
    options = ok("options", name="web")["options"]
    assert (options["cmd"], options["numprocesses"], options["stop_signal"]) == ("sleep 1001", 2, 15)
    assert ok("get", name="web", keys=["cmd", "graceful_timeout"])["options"] == {
        "cmd": "sleep 1001",
        "graceful_timeout": 30.0,
    }
    assert ok("globaloptions", option="endpoint")["options"] == {"endpoint": ENDPOINT}
    assert ok("listsockets")["sockets"] == []


def figures():
    own = ok("dstats")["info"]
    assert own["pid"] == 1 and "circusd" in own["cmdline"], own
    infos = ok("stats")["infos"]
    assert set(infos) == {"idle", "web"} and len(infos["web"]) == 2, infos
    for pid, info in ok("stats", name="web")["info"].items():
        assert str(info["pid"]) == pid and "sleep" in info["cmdline"], info
        assert ok("stats", name="web", process=int(pid))["info"]["pid"] == int(pid)


def changes():
    before = pids()
    assert len(before) == 2 and all(os.path.exists("/proc/%d" % pid) for pid in before)
    assert ok("incr", name="web", nb=2, waiting=True)["numprocesses"] == 4
    assert before < pids() and len(pids()) == 4
    assert ok("decr", name="web", nb=3, waiting=True)["numprocesses"] == 1
    assert len(pids()) == 1
    ok("set", name="web", options={"numprocesses": 2, "graceful_timeout": 5}, waiting=True)
    assert ok("get", name="web", keys=["graceful_timeout"])["options"]["graceful_timeout"] == 5
    assert len(pids()) == 2

    before = pids()
    ok("reload", name="web", waiting=True)
    assert len(pids()) == 2 and not before & pids()
    before = pids()
    ok("restart", name="web", waiting=True)
    assert len(pids()) == 2 and not before & pids()

    victim, other = sorted(pids())
    ok("signal", name="web", pid=victim, signum=9)
    wait_for("it is replaced", lambda: len(pids()) == 2 and victim not in pids())
    assert other in pids()
    ok("kill", name="web", signum="SIGKILL", waiting=True)
    wait_for("the other is replaced", lambda: len(pids()) == 2 and other not in pids())

    ok("stop", name="web", waiting=True)
    assert client.send_message("status", name="web")["status"] == "stopped" and not pids()
    ok("start", name="web", waiting=True)
    assert len(pids()) == 2
    ok("stop", waiting=True)
    assert set(ok("status")["statuses"].values()) == {"stopped"}
    ok("start", waiting=True)
    assert ok("status")["statuses"] == {"idle": "stopped", "web": "active"}


def a_watcher_comes_and_goes():
    ok("add", name="New", cmd="sleep 1002", options={"numprocesses": 3}, start=True, waiting=True)
    wait_for("it runs", lambda: len(pids("new")) == 3)
    assert "new" in ok("list")["watchers"]
    ok("rm", name="new", waiting=True)
    assert ok("list")["watchers"] == ["idle", "web"]


def mistakes():
    assert "zz" in error(3, "status", name="zz")
    assert "nonsense" in error(2, "nonsense")
    error(3, "incr")
    error(3, "set", name="web", options={"numprocesses": "many"})
    assert ok("numwatchers")["numwatchers"] == 2


def casts():
    client.socket.send_string(__import__("json").dumps(cast_message("incr", name="web")))
    wait_for("the cast is heard", lambda: len(pids()) == 3)
    ok("decr", name="web", waiting=True)


async def many_at_once():
    clients = [AsyncCircusClient(endpoint=ENDPOINT) for _ in range(10)]
    replies = await asyncio.gather(*(one.send_message("status") for one in clients))
    assert all(reply["statuses"]["web"] == "active" for reply in replies)
    for one in clients:
        one.stop()


looks()
figures()
changes()
a_watcher_comes_and_goes()
mistakes()
casts()
IOLoop.current().run_sync(many_at_once)
print("all is as with Circus", flush=True)
ok("quit", waiting=True)
