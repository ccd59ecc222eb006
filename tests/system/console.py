# SPDX-License-Identifier: MIT
"""A machine whose console a test reads and types into."""
import os
import re
import select
import signal
import subprocess
import time


class Silence(Exception):
    """What was waited for did not come."""


class Console:
    """A program with its standard input and output on pipes. What it says goes into the test's log,
    each line behind a #, and into text."""

    def __init__(self, command, **more):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, **more)
        self.text, self.at, self.logged = "", 0, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def _log(self, all_of_it=False):
        end = len(self.text) if all_of_it else self.text.rfind("\n") + 1
        for line in self.text[self.logged:end].splitlines():
            print("#", re.sub(r"[\x00-\x08\x0b-\x1f]", "", line).rstrip(), flush=True)
        self.logged = max(self.logged, end)

    def _more(self, seconds):
        """Takes what comes within some seconds. Result: False at its end."""
        fd = self.process.stdout.fileno()
        if not select.select([fd], [], [], seconds)[0]:
            return True
        data = os.read(fd, 65536)
        self.text += data.decode(errors="replace").replace("\r", "")
        self._log(not data)
        return bool(data)

    def expect(self, pattern, seconds):
        """Waits for a pattern in what was not yet looked at. Result: the match."""
        end = time.monotonic() + seconds
        pattern = re.compile(pattern, re.M)
        while True:
            match = pattern.search(self.text, self.at)
            if match:
                self.at = match.end()
                return match
            if time.monotonic() > end:
                self._log(True)
                raise Silence(f"no {pattern.pattern!r} within {seconds} s")
            if not self._more(min(1, max(0, end - time.monotonic()))):
                raise Silence(f"the machine has ended before {pattern.pattern!r}")

    def send(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def run(self, command, seconds):
        """A command in the guest's shell, which may echo it. Result: its output and its exit status."""
        self.send(f"echo \"@\"\"begin\"; {command}; echo \"@\"\"done $?\"\n")
        begin = self.expect(r"@begin\n", seconds).end()
        done = self.expect(r"@done (\d+)\n", seconds)
        return self.text[begin:done.start()], int(done[1])

    def ended(self, seconds):
        """Waits for the end. Result: the exit status."""
        end = time.monotonic() + seconds
        while self._more(1):
            if time.monotonic() > end:
                raise Silence(f"the machine has not ended within {seconds} s")
        return self.process.wait(max(1, end - time.monotonic()))
