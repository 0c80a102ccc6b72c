"""A small RTSP server (RFC 2326) of H.264 (RFC 6184): RTP within the connection, as cameras do it over TCP."""

from __future__ import annotations

import io
import re
import socketserver
import struct
from base64 import b64encode

import av

_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:video\r\n"
)
_MOST_BYTES = 1000
_PARTS = 0x1C
"""Type of a unit that is sent in parts (FU-A)."""


class RtspServer(socketserver.ThreadingTCPServer):
    """Sends MPEG-TS as RTP; each connection gets the next share of its pictures, and breaks.

    Args:
        stream: MPEG-TS with H.264.
        connections: After so many connections all is sent, and the last one stays open in silence.
        login: User and password that a client must give, as `user:password`.
    """

    def __init__(self, stream: bytes, connections: int = 1, login: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Client)
        with av.open(io.BytesIO(stream)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.pts is not None]
        self.pictures = [(packet.pts, packet.is_keyframe, bytes(packet)) for packet in packets]
        self.left, self.login = connections, login
        self.requests: list[str] = []

    def share(self) -> list[tuple[int, bytes]]:
        """Take the pictures of the next connection; each share begins with a keyframe."""
        ends = [number for number, (_, is_key, _) in enumerate(self.pictures) if is_key] + [None]
        end = ends[len(ends) // self.left] if self.left > 1 else None
        taken, self.pictures = self.pictures[:end], self.pictures[end:] if end else []
        self.left -= 1
        return [(pts, data) for pts, _, data in taken]


class _Client(socketserver.StreamRequestHandler):
    server: RtspServer

    def handle(self) -> None:
        while request := self._request():
            self.server.requests.append(request)
            method, number = request.split()[0], re.search(r"CSeq: *(\d+)", request, re.I)[1]
            login = self.server.login
            if login and f"Basic {b64encode(login.encode()).decode()}" not in request:
                self._answer(number, "401 Unauthorized", 'WWW-Authenticate: Basic realm="camera"')
                continue
            match method:
                case "DESCRIBE":
                    head = f"Content-Type: application/sdp\r\nContent-Length: {len(_SDP)}"
                    self._answer(number, "200 OK", head, _SDP)
                case "SETUP":
                    self._answer(
                        number, "200 OK", "Session: 7\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1"
                    )
                case "PLAY":
                    self._answer(number, "200 OK", "Session: 7")
                    self._send(self.server.share())
                    if self.server.left:
                        return
                case _:
                    self._answer(number, "200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")

    def _request(self) -> str:
        """Return the next request; reports of the client about what it got are passed over."""
        lines = []
        while (line := self.rfile.readline()) not in {b"\r\n", b""}:
            while line[:1] == b"$":
                line += self.rfile.read(max(0, 4 - len(line)))
                length = 4 + int.from_bytes(line[2:4], "big")
                line += self.rfile.read(max(0, length - len(line)))
                line = line[length:] or self.rfile.readline()
            lines.append(line.decode())
        return "".join(lines)

    def _answer(self, number: str, status: str, head: str, body: str = "") -> None:
        self.wfile.write(f"RTSP/1.0 {status}\r\nCSeq: {number}\r\n{head}\r\n\r\n{body}".encode())

    def _send(self, pictures: list[tuple[int, bytes]]) -> None:
        number = 0
        for pts, data in pictures:
            units = [unit for unit in re.split(rb"\x00*\x00\x00\x01", data) if unit]
            payloads = [payload for unit in units for payload in _payloads(unit)]
            for place, payload in enumerate(payloads, 1):
                marker = 0x80 if place == len(payloads) else 0
                head = struct.pack(">BBHII", 0x80, marker | 96, number, pts & 0xFFFFFFFF, 7)
                self.wfile.write(b"$\0" + struct.pack(">H", len(head + payload)) + head + payload)
                number += 1


def _payloads(unit: bytes) -> list[bytes]:
    """Return a unit as it is, or in parts."""
    if len(unit) <= _MOST_BYTES:
        return [unit]
    starts = range(1, len(unit), _MOST_BYTES)
    kind, priority = unit[0] & 0x1F, unit[0] & 0xE0
    return [
        bytes([priority | _PARTS, kind | (0x80 if start == 1 else 0) | (0x40 if start == starts[-1] else 0)])
        + unit[start : start + _MOST_BYTES]
        for start in starts
    ]
