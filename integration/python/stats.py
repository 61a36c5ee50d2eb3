"""What circus-top reads: the figures that circusd-stats publishes. stats.py ENDPOINT WATCHER"""

import json
import sys
import time

import zmq

socket = zmq.Context.instance().socket(zmq.SUB)
socket.setsockopt(zmq.SUBSCRIBE, b"stat.")
socket.connect(sys.argv[1])
end = time.monotonic() + 60
one = total = own = None
while not (one and total and own):
    assert time.monotonic() < end and socket.poll(60000), (one, total, own)
    topic, payload = socket.recv_multipart()
    parts, payload = topic.decode().split("."), json.loads(payload)
    if parts[:2] == ["stat", sys.argv[2]]:
        if len(parts) == 3:
            one = payload
        else:
            total = payload
    elif parts[:2] == ["stat", "circus"] and payload.get("name") == "circusd":
        own = payload
assert "sleep" in one["cmdline"] and len(total["pid"]) == 2, (one, total)
assert own["pid"] == 1 or own["pid"] == [1], own
print("circus-top has its figures")
