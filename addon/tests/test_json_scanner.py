# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a bare JSON object is found however the stream is cut."""

import json
import random
import unittest

import pure
from tcp_echo import json_scanner

TEXTS = ('"', "\\", "\\\\", '\\"', "{", "}", "[", "]", "", "ü", "☃", "🐵", "\n", "token", "a" * 300)


def random_text(rng):
    return "".join(rng.choice(TEXTS) for _ in range(rng.randint(0, 8)))


def random_value(rng, depth):
    kind = rng.randint(0, 5 if depth else 3)
    if kind == 4:
        return [random_value(rng, depth - 1) for _ in range(rng.randint(0, 4))]
    if kind == 5:
        return random_object(rng, depth - 1)
    leaves = (random_text(rng), rng.random(), rng.choice((None, True, False)), rng.randint(0, 9))
    return leaves[kind]


def random_object(rng, depth):
    return {random_text(rng): random_value(rng, depth) for _ in range(rng.randint(0, 5))}


def scan(segments):
    scanner = json_scanner.ObjectScanner()
    for segment in segments:
        end = scanner.feed(segment)
        if end is not None:
            return end
    return None


class ObjectScannerTest(unittest.TestCase):
    def test_the_end_is_found_for_any_segmentation(self):
        for seed in range(2000):
            rng = random.Random(seed)
            text = json.dumps(
                random_object(rng, 4), ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, 2))
            )
            white = rng.choice((b"", b" ", b"\r\n\t "))
            message = white + text.encode("utf-8")
            stream = message + rng.choice((b"", b"\n", b'{"next": 1}', b"}}]]"))
            longest = rng.choice((1, 2, 5, 100, len(stream)))
            with self.subTest(seed=seed):
                self.assertEqual(scan(pure.cut(rng, stream, longest)), len(message))
                self.assertIsNone(scan(pure.cut(rng, message[:-1], longest)))

    def test_chunks_that_end_within_an_escape_or_a_character_make_no_difference(self):
        body = '{"a": "\\\\\\"☃🐵"}'.encode()
        for size in (65530, 65536, 131072):
            for shift in range(12):
                message = b'{"pad": "' + b"x" * (size - shift) + b'", "in": ' + body + b"}"
                self.assertEqual(scan([message]), len(message))

    def test_anything_but_an_object_is_refused(self):
        for stream in (b"[1]", b"  x", b"\xef\xbb\xbf{}", b'"{}"'):
            with self.assertRaises(json_scanner.ScanError):
                scan([stream])

    def test_nesting_that_json_could_not_read_is_refused(self):
        with self.assertRaises(json_scanner.ScanError):
            scan([b'{"a":' * 2000])
        nested = b'{"a":' * json_scanner.MAX_DEPTH + b"1" + b"}" * json_scanner.MAX_DEPTH
        self.assertEqual(scan([nested]), len(nested))
        json.loads(nested)

    def test_megabytes_of_the_worst_are_scanned(self):
        # These take hours if any step is quadratic.
        for piece in (b"\\\\", b'\\"', b"[]", b'""', b"\\u0041", b"{}"):
            text = piece * (2 * 1024 * 1024 // len(piece))
            inside = b'{"code": "' + text + b'"}' if piece[:1] == b"\\" else b"{" + text + b"}"
            segments = (inside[start : start + 1500] for start in range(0, len(inside), 1500))
            self.assertEqual(scan(segments), len(inside))

    def test_single_bytes_are_scanned(self):
        message = b'{"code": "' + b"x = 1\\n" * 30000 + b'"}'
        self.assertEqual(scan(message[i : i + 1] for i in range(len(message))), len(message))


class TokenTest(unittest.TestCase):
    def test_the_token_is_found_before_the_message_has_ended(self):
        for prefix, token in (
            (b'{"token": "abc", "code": "x', "abc"),
            (b' {"a": [1, {"token": "no"}], "token":"abc"', "abc"),
            (b'{"\\u0074oken" : "a\\u0062c"', "abc"),
            (b'{"code": "\\"token\\": \\"no\\"", "token": "abc", "', "abc"),
        ):
            self.assertEqual(json_scanner.token_in_prefix(prefix), token, prefix)

    def test_what_only_looks_like_the_token_is_not_taken_for_it(self):
        for prefix in (
            b'{"token": "ab',
            b'{"token": ["abc"]',
            b'{"a": {"token": "abc"}',
            b'{"code": "\\"token\\": \\"abc\\"',
            b'{"a": "token", "b": "abc"',
            b'{"token", "abc"',
            b'["token", "abc"]',
            b"",
        ):
            self.assertIsNone(json_scanner.token_in_prefix(prefix), prefix)

    def test_a_prefix_full_of_quotes_is_scanned(self):
        self.assertIsNone(json_scanner.token_in_prefix(b'{"a": "' + b'\\"' * 32768))


if __name__ == "__main__":
    unittest.main()
