#!/usr/bin/env python3
"""Hands frames from one interface to another after a fixed time, both ways: the length of a line.

usage: delay.py ONE OTHER MILLISECONDS      (half of a round trip's time is one way's)
"""

import collections
import select
import socket
import struct
import sys
import time

# What lies on the line at once: beyond it frames are lost, as in a full buffer.
QUEUE = 20000


def port(device):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
    s.bind((device, 0))
    s.setsockopt(263, 1, struct.pack("iHH8s", socket.if_nametoindex(device), 1, 0, b""))
    s.setblocking(False)
    return s


def main():
    one, other = port(sys.argv[1]), port(sys.argv[2])
    wait = float(sys.argv[3]) / 2000
    ways = {one: (other, collections.deque()), other: (one, collections.deque())}
    while True:
        now = time.monotonic()
        due = [line[0][0] for _, line in ways.values() if line]
        timeout = max(0.0, min(due) - now) if due else None
        for s in select.select([one, other], [], [], timeout)[0]:
            take(s, ways[s][1], wait)
        now = time.monotonic()
        for target, line in ways.values():
            while line and line[0][0] <= now:
                try:
                    target.send(line.popleft()[1])
                except OSError:
                    pass  # a frame is lost, as on a line


def take(s, line, wait):
    due = time.monotonic() + wait
    for _ in range(256):
        try:
            frame, (_, _, kind, *_) = s.recvfrom(65600)
        except BlockingIOError:
            return
        # 4: PACKET_OUTGOING, which we sent ourselves.
        if kind != 4 and len(line) < QUEUE:
            line.append((due, frame))


if __name__ == "__main__":
    main()
