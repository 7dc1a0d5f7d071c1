"""Runs the program in its root, with a name server beside it, and sees whether it finds the API server by its name.

A program that is linked with glibc statically looks up names by code that glibc loads for the purpose where it can; this
shows that it does without. To be run in a network of its own; the arguments say how to enter the root, of which the last is.
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import threading

KNOWN = b"\x03api\x07example\x04test\x00"
PORT = 6443


def loopback_up():
    """As `ip link set lo up`, which not every machine has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up_and_running = 0x1 | 0x40
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", up_and_running))


def serve_names(server):
    """Answers that one name has the address 127.0.0.1, and that there is no other."""
    while True:
        query, client = server.recvfrom(512)
        end = query.index(b"\x00", 12) + 1
        name, kind = query[12:end], struct.unpack("!H", query[end : end + 2])[0]
        is_known, is_address = name.lower() == KNOWN, kind == 1
        answers = int(is_known and is_address)
        flags = 0x8180 if is_known else 0x8183
        answer = query[:2] + struct.pack("!HHHHH", flags, 1, answers, 0, 0) + query[12 : end + 4]
        if answers:
            answer += b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton("127.0.0.1")
        server.sendto(answer, client)


def started(within, host):
    """The program, whose API server has this name."""
    root = within[-1]
    kubeconfig = {
        "clusters": [{"name": "c", "cluster": {"server": f"https://{host}:{PORT}"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "current-context": "c",
    }
    with open(os.path.join(root, "kubeconfig"), "w", encoding="utf-8") as file:
        json.dump(kubeconfig, file)
    arguments = ["--metrics-addr=127.0.0.1:0", "--live-addr=127.0.0.1:0"]
    environment = {"KUBECONFIG": "/kubeconfig", "PATH": os.environ["PATH"]}
    process = subprocess.Popen(
        [*within, "/bin/external-secrets", *arguments], env=environment, stderr=subprocess.PIPE, text=True
    )
    # So that nothing waits for a log that does not come.
    end = threading.Timer(30, process.kill)
    end.daemon = True
    end.start()
    return process


def is_reached(listener, seconds):
    """Whether a connection comes within some seconds."""
    listener.settimeout(seconds)
    try:
        listener.accept()[0].close()
    except TimeoutError:
        return False
    return True


def main():
    within = sys.argv[1:]
    loopback_up()
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("127.0.0.1", 53))
    threading.Thread(target=serve_names, args=(names,), daemon=True).start()
    with open(os.path.join(within[-1], "etc", "resolv.conf"), "w", encoding="utf-8") as file:
        file.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    listener = socket.create_server(("127.0.0.1", PORT))

    process = started(within, "api.example.test")
    found = is_reached(listener, 20)
    process.kill()
    if not found:
        sys.exit(f"image-check: it does not reach the API server by its name; its log:\n{process.stderr.read()}")
    print("image-check: a name that is known leads to the API server")

    process = started(within, "nobody.example.test")
    line = next((line for line in process.stderr if "could not be asked" in line), "")
    process.kill()
    if not line or is_reached(listener, 0.1):
        sys.exit(f"image-check: a name that nobody has is not told: {line}")
    print("image-check: a name that nobody has leads nowhere, which the log says")


main()
