"""Runs in namespaces of its own: are names asked for over the network?

usage: unshare --net --mount python -m tests.kernel.name_server FOLDER [resolve]

Puts files of its own over /etc/resolv.conf and nsswitch.conf, answers every question at 127.0.0.1 with 10.9.8.7, and
compiles `host named.example`. Prints the names that were asked for, and the program or the reason why there is none.
"""

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

from tui.bpf.classic import listing
from tui.bpf.expressions import ExpressionError, compile_expression


def main() -> None:
    folder = Path(sys.argv[1])
    for name, content in (("resolv.conf", "nameserver 127.0.0.1\n"), ("nsswitch.conf", "hosts: files dns\n")):
        (folder / name).write_text(content)
        subprocess.run(["mount", "--bind", folder / name, f"/etc/{name}"], check=True)
    subprocess.run(["ip", "link", "set", "dev", "lo", "up"], check=True)
    asked: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 53))
        threading.Thread(target=serve, args=(server, asked), daemon=True).start()
        try:
            found = "\n".join(listing(compile_expression("host named.example", resolve=len(sys.argv) > 2).program))
        except ExpressionError as error:
            found = error.reason
        print(json.dumps([asked, found]))


def serve(server: socket.socket, asked: list[str]) -> None:
    while True:
        question, client = server.recvfrom(512)
        end = question.index(b"\0", 12)
        asked.append(".".join(part.decode() for part in labels(question[12:end])))
        is_ipv4 = question[end + 1 : end + 3] == b"\0\1"
        head = question[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_ipv4 else b"\0\0") + bytes(4)
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\x09\x08\x07" if is_ipv4 else b""
        server.sendto(head + question[12 : end + 5] + answer, client)


def labels(name: bytes) -> list[bytes]:
    found = []
    while name:
        found.append(name[1 : 1 + name[0]])
        name = name[1 + name[0] :]
    return found


if __name__ == "__main__":
    main()
