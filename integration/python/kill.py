"""Kills processes of a watcher, each with all of its group: kill.py idle|any WATCHER TIMES

An idle one is stopped first and looked at: only one that has no connection at that moment is
killed, so nobody can lose by its death; any other goes on.
"""

import os
import signal
import subprocess
import sys
import time

KIND, WATCHER, TIMES = sys.argv[1], sys.argv[2], int(sys.argv[3])
LISTENING = "0A"


def listed():
    words = ["circusctl", "list", WATCHER]
    pids = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return [int(pid) for pid in pids.strip().split(",") if pid]


def stat(pid):
    """State and process group."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(") ")[2].split()
    except OSError:
        return ("gone", 0)
    return (fields[0], int(fields[2]))


def members(group):
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if stat(pid)[1] == group]


def connections():
    """Inodes of the tcp sockets that are connected, or were."""
    with open("/proc/net/tcp") as file:
        lines = [line.split() for line in file.readlines()[1:]]
    return {f"socket:[{line[9]}]" for line in lines if line[3] != LISTENING}


def descriptors(pid):
    links = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            links.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            pass
    return links


def is_idle(group):
    """Of one that is stopped: what it was just accepting it has then."""
    while any(stat(pid)[0] not in ("T", "gone") for pid in members(group)):
        time.sleep(0.001)
    connected = connections()
    return all(not descriptors(pid) & connected for pid in members(group))


def kill(group):
    if KIND == "any":
        os.killpg(group, signal.SIGKILL)
        return True
    os.killpg(group, signal.SIGSTOP)
    idle = is_idle(group)
    os.killpg(group, signal.SIGKILL if idle else signal.SIGCONT)
    return idle


killed = 0
turn = 0
while killed < TIMES:
    # A master has its worker, and others serve meanwhile.
    whole = [pid for pid in listed() if len(members(pid)) > 1]
    if len(whole) < 3:
        time.sleep(0.05)
        continue
    turn += 1
    if kill(whole[turn % len(whole)]):
        killed += 1
print("killed", killed)
