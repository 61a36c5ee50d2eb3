"""Eight clients, each with a new connection for each request, until standard input ends.

load.py PORT. Prints what happened, how often: each way to fail has its own line.
"""

import collections
import socket
import sys
import threading
import time

PORT = int(sys.argv[1])
CLIENTS = 8
# Longer than a server on a busy machine takes; whoever waits so long is not answered at all.
TIMEOUT_S = 60

count = collections.Counter()
lock = threading.Lock()
end = threading.Event()


def ask():
    try:
        client = socket.create_connection(("127.0.0.1", PORT), timeout=TIMEOUT_S)
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "unanswered"
    with client:
        answer = b""
        try:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while part := client.recv(4096):
                answer += part
        except TimeoutError:
            return "unanswered"
        except (ConnectionResetError, BrokenPipeError):
            return "reset"
    if not answer:
        return "closed"
    is_whole = answer.startswith(b"HTTP/1.") and b" 200 OK\r\n" in answer and answer.endswith(b"served\n")
    return "answered" if is_whole else "cut"


def client():
    while not end.is_set():
        try:
            what = ask()
        except OSError as error:
            what = f"other:{error.errno}"
        with lock:
            count[what] += 1


threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
begin = time.monotonic()
for thread in threads:
    thread.start()
while not count["answered"]:
    time.sleep(0.01)
open("/tmp/asking", "w").close()
sys.stdin.read()
end.set()
for thread in threads:
    thread.join()
print("per_second", round(sum(count.values()) / (time.monotonic() - begin)))
for what, times in count.items():
    print(what, times)
