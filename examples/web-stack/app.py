"""Counts visits in redis."""

import redis

store = redis.Redis()


def application(environ, start_response):
    try:
        status, text = "200 OK", f"visits: {store.incr('visits')}\n"
    except redis.RedisError as error:
        status, text = "503 Service Unavailable", f"redis: {error}\n"
    start_response(status, [("Content-Type", "text/plain")])
    return [text.encode()]
