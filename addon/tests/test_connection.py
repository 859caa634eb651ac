# SPDX-License-Identifier: GPL-3.0-or-later
"""A peer that does not read costs a bounded amount of memory."""

import os
import socket
import sys
import types
import unittest

import pure  # noqa: F401

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "standin"))

from tcp_echo import connection


class FullSocket:
    """A socket whose peer does not read."""

    family = socket.AF_INET

    def send(self, _data, _flags=0):
        raise BlockingIOError

    def fileno(self):
        return -1


class UnreadTest(unittest.TestCase):
    def test_a_peer_is_cut_off_when_more_comes_and_32_mib_wait(self):
        called = []
        server = types.SimpleNamespace(call=lambda function, *_args: called.append(function))
        service = types.SimpleNamespace(token="token", server=server)
        peer = connection.Connection(service, FullSocket(), 1)
        kept = 0
        while peer.cut_off not in called:
            peer.send(bytes(1 << 20))
            kept += 1
            self.assertLess(kept, 100)
        self.assertEqual(kept - 1, 33)  # 32 MiB wait, one more comes, and then it is too much
        waiting = sum(map(len, peer._backlog))
        peer.send(bytes(1 << 20))
        self.assertEqual(sum(map(len, peer._backlog)), waiting)
        self.assertLessEqual(waiting, connection.MAX_UNREAD + (1 << 20))


if __name__ == "__main__":
    unittest.main()
