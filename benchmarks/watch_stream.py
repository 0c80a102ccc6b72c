"""How `vidagent watch` does on a live stream: events found, false alerts, seconds late, over two lost connections.

    python -m benchmarks.watch_stream [--minutes 20] [--events 10]

Draws a stream of MPEG-TS with texts at random times, serves it over HTTP at the speed of the clock, breaks the
connection twice for 8 s, and compares what the embedded model tells with what was drawn. An event within a gap that was
told as skipped counts for nobody. Takes as long as the stream is.
"""

from __future__ import annotations

import argparse
import bisect
import http.server
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import av
import cv2
import numpy as np

TEXT = "GATE 7 OPEN"
QUESTION = f'When does the text "{TEXT}" appear?'
FPS = 10
GAP_S = 8.0
NEAR_S = 1.5
"""After a gap a time counts by this machine's clock, and a server may begin to send a keyframe late."""


def main() -> None:
    """Draw, serve, watch, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--events", type=int, default=10)
    asked = parser.parse_args()
    seconds = asked.minutes * 60
    events = planted(asked.events, seconds)
    with tempfile.TemporaryDirectory(prefix="vidagent-watch-") as folder:
        path = Path(folder, "stream.ts")
        draw(path, seconds, events)
        breaks = [seconds / 3, 2 * seconds / 3]
        with Server(path, breaks) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            lines = watch(f"http://127.0.0.1:{server.server_port}/live.ts", Path(folder))
            server.shutdown()
    print(report(events, lines))


def planted(count: int, seconds: float) -> list[tuple[float, float]]:
    """Return events of 0.5 to 4 s, one in each equal part of the stream."""
    chance, part = random.Random(7), seconds / count
    starts = [number * part + chance.uniform(0.1, 0.8) * part for number in range(count)]
    return [(round(start, 1), round(start + chance.uniform(0.5, 4.0), 1)) for start in starts]


def draw(path: Path, seconds: float, events: list[tuple[float, float]]) -> None:
    """Draw a moving disc, other texts all the time, and the text of the events."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"g": "20", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        for number in range(round(seconds * FPS)):
            time_s = number / FPS
            picture = np.full((360, 640, 3), 60 + int(20 * np.sin(time_s / 30)), np.uint8)
            cv2.circle(picture, (20 + number * 3 % 600, 300), 20, (200, 120, 40), -1)
            write(picture, f"PLATFORM {int(time_s // 60) % 9 + 1}", (40, 60))
            if any(start <= time_s < end for start, end in events):
                write(picture, TEXT, (180, 190))
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(video.encode())


def write(picture: np.ndarray, text: str, at: tuple[int, int]) -> None:
    """Write white letters."""
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_DUPLEX, 1.2, (240, 240, 240), 2, cv2.LINE_AA)


class Server(http.server.ThreadingHTTPServer):
    """Serves a file as it would be sent live, from now on; refuses for `GAP_S` from each break on."""

    daemon_threads = True

    def __init__(self, path: Path, breaks: list[float]) -> None:
        """Index the file by its keyframes and packets."""
        super().__init__(("127.0.0.1", 0), Live)
        self.data, self.breaks, self.began_s = path.read_bytes(), breaks, 0.0
        with av.open(str(path)) as container:
            packets = [p for p in container.demux(video=0) if p.pts is not None and p.pos is not None]
        first = float(packets[0].dts * packets[0].time_base)
        self.times = [float(packet.dts * packet.time_base) - first for packet in packets]
        self.places = [packet.pos for packet in packets]
        self.keys = [number for number, packet in enumerate(packets) if packet.is_keyframe]

    def now_s(self) -> float:
        """Return the time of the stream."""
        self.began_s = self.began_s or time.monotonic()
        return time.monotonic() - self.began_s

    def is_broken(self) -> bool:
        """Tell whether there is no connection now; after its end there is none any more."""
        return self.now_s() > self.times[-1] or any(
            start <= self.now_s() < start + GAP_S for start in self.breaks
        )


class Live(http.server.BaseHTTPRequestHandler):
    """Sends packets when they are due."""

    server: Server

    def do_GET(self) -> None:
        """Serve from the last keyframe on."""
        if self.server.is_broken():
            self.send_error(503)
            return
        self.send_response(200)
        self.end_headers()
        due = bisect.bisect_right(self.server.times, self.server.now_s())
        at = max([number for number in self.server.keys if number <= due] or [0])
        ends_with = len(self.server.places) - 1
        while at < ends_with and not self.server.is_broken():
            due = min(ends_with, bisect.bisect_right(self.server.times, self.server.now_s()))
            if due > at:
                self.wfile.write(self.server.data[self.server.places[at] : self.server.places[due]])
                self.wfile.flush()
                at = due
            time.sleep(0.05)

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


def watch(url: str, folder: Path) -> list[dict]:
    """Return the lines of a watch with the embedded model."""
    command = [sys.executable, "-m", "vidagent", "watch", url, QUESTION, "--model", "signals", "--idle", "20"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    sys.stderr.write(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def report(events: list[tuple[float, float]], lines: list[dict]) -> str:
    """Compare; of each event the first alert counts."""
    alerts = [line for line in lines if line["kind"] == "alert"]
    gaps = [(line["start_s"], line["end_s"]) for line in lines if line["kind"] == "skipped"]
    lost = [event for event in events if any(start <= event[1] and event[0] <= end for start, end in gaps)]
    wanted = [event for event in events if event not in lost]
    hits = {event: [a for a in alerts if meets(a, event)] for event in events}
    false = [alert for alert in alerts if not any(meets(alert, event) for event in events)]
    late = [found[0]["late_s"] for found in hits.values() if found]
    off = [abs(found[0]["start_s"] - event[0]) for event, found in hits.items() if found]
    found = sum(bool(hits[event]) for event in wanted)
    return (
        f"events {len(events)}, in gaps {len(lost)}; found {found} of {len(wanted)}, false alerts {len(false)}; "
        f"late by {statistics.median(late or [0]):.1f} s (median), {max(late, default=0):.1f} s (most); "
        f"start off by {max(off, default=0):.2f} s at most; gaps told {[round(e - s, 1) for s, e in gaps]}; "
        f"{lines[-1] if lines else 'no lines'}"
    )


def meets(alert: dict, event: tuple[float, float]) -> bool:
    """Tell whether an alert is about an event."""
    return bool(alert["start_s"] <= event[1] + NEAR_S and event[0] - NEAR_S <= alert["end_s"])


if __name__ == "__main__":
    main()
