"""A server in a thread, whose limits a test may change, and clients that behave badly."""

import contextlib
import socket
import threading

from skylobe.app.serving import listen, make_server


@contextlib.contextmanager
def served(app):
    """Serve an app; gives the server and its address."""
    listening = listen("localhost", 0)
    server = make_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield server, listening.getsockname()
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@contextlib.contextmanager
def clients(address, number, sent=b""):
    """Open connections and say something on each."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(number):
            one = stack.enter_context(socket.create_connection(address, timeout=20))
            one.sendall(sent)
            made.append(one)
        yield made


def everything(client):
    """Read until the server ends the connection."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            parts.append(part)
    return b"".join(parts)


def until(condition):
    """Wait for a condition, which must come true."""
    waiting = threading.Event()
    for _ in range(2000):
        if condition():
            return
        waiting.wait(0.01)
    raise AssertionError("it never came true")
