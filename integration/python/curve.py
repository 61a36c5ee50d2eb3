"""pyzmq with CURVE keys: curve.py ENDPOINT PUBSUB OWN-SECRET-CERTIFICATE SERVER-CERTIFICATE"""

import json
import sys
import time

import zmq
from zmq.auth import load_certificate

endpoint, pubsub, own, server = sys.argv[1:]


def connected(kind, to):
    socket = zmq.Context.instance().socket(kind)
    socket.curve_publickey, socket.curve_secretkey = load_certificate(own)
    socket.curve_serverkey, _ = load_certificate(server)
    if kind == zmq.SUB:
        socket.subscribe(b"watcher.web.")
    socket.connect(to)
    return socket


def ask(command, **properties):
    dealer.send_json({"command": command, "properties": properties})
    assert dealer.poll(30000), "no answer"
    return dealer.recv_json()


dealer = connected(zmq.DEALER, endpoint)
listener = connected(zmq.SUB, pubsub)
assert ask("status")["statuses"] == {"web": "active"}
end = time.monotonic() + 60
# Until the subscription is there.
while not listener.poll(100):
    assert time.monotonic() < end
    assert ask("restart", name="web", waiting=True)["status"] == "ok"
topic, payload = listener.recv_multipart()
assert topic.startswith(b"watcher.web.") and json.loads(payload)["time"] > 0
print("pyzmq has its answer and its publication")
