# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames are found in a stream however it is cut."""

import random
import unittest

import pure
from tcp_echo import frames


def read_all(reader, segments):
    found = []
    for segment in segments:
        reader.feed(segment)
        found += reader.frames()
    return found


class FrameReaderTest(unittest.TestCase):
    def test_frames_come_out_as_they_went_in_for_any_segmentation(self):
        for seed in range(300):
            rng = random.Random(seed)
            payloads = [rng.randbytes(rng.choice((0, 1, 3, 200, 5000))) for _ in range(20)]
            stream = b"".join(map(frames.pack, payloads))
            longest = rng.choice((1, 2, 7, 1000, len(stream)))
            reader = frames.FrameReader()
            self.assertEqual(
                read_all(reader, pure.cut(rng, stream, longest)), payloads, f"seed {seed}"
            )
            self.assertEqual(reader.buffered, 0)

    def test_an_incomplete_frame_waits(self):
        reader = frames.FrameReader()
        self.assertEqual(read_all(reader, [frames.pack(b"whole"), b"\0\0\0\5half"]), [b"whole"])
        self.assertEqual(read_all(reader, [b"x"]), [b"halfx"])

    def test_a_frame_of_the_limit_is_read_and_a_longer_one_refused_by_its_header(self):
        reader = frames.FrameReader(limit=10)
        self.assertEqual(read_all(reader, [frames.pack(b"0123456789")]), [b"0123456789"])
        with self.assertRaises(frames.FrameError):
            read_all(reader, [b"\0\0\0\x0b"])

    def test_what_came_before_a_refused_frame_is_read(self):
        reader = frames.FrameReader(limit=10)
        reader.feed(frames.pack(b"good") + b"\xff\xff\xff\xff")
        found = reader.frames()
        self.assertEqual(next(found), b"good")
        with self.assertRaises(frames.FrameError):
            next(found)

    def test_an_http_request_is_refused_at_its_fourth_byte(self):
        reader = frames.FrameReader()
        self.assertEqual(read_all(reader, [b"P", b"O", b"S"]), [])
        with self.assertRaises(frames.FrameError):
            read_all(reader, [b"T"])

    def test_the_longest_frame_is_read_from_small_segments(self):
        payload = bytes(frames.MAX_PAYLOAD)
        stream = memoryview(frames.pack(payload))
        segments = (stream[start : start + 65536] for start in range(0, len(stream), 65536))
        self.assertEqual(read_all(frames.FrameReader(), segments), [payload])


if __name__ == "__main__":
    unittest.main()
