"""What the tour walks through: the two programs, their HTTP, the command line, and the notebook in
which a stay remembers its tokens and keys."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

# How long a program may take to be ready or to end; a loaded machine is slow.
PATIENCE_SECONDS = 90

# A proxy of the surroundings has no business between programs on one machine.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class TourError(Exception):
    """Something did not hold. The text is for a person."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def require_free(address, option):
    """Says clearly that an address is taken, before a program stumbles over it."""
    host, port = address.rsplit(":", 1)
    with socket.socket() as probe:
        # As the programs do: a connection of a minute ago does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            raise TourError(
                f"{address} cannot be listened on ({error.strerror}). Stop what is there, or choose "
                f"another: make run {option}={host}:{int(port) + 1}"
            ) from error


def masked(secret):
    """Enough of a secret to recognise it, too little to use it."""
    return f"{secret[:8]}…({len(secret)} characters)"


def _die_with_parent():
    # Should the tour itself be killed, nothing of it is left behind. 1 is PR_SET_PDEATHSIG.
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Program:
    """A program in a session of its own, so that Ctrl-C reaches only the tour, which then stops
    the programs in order."""

    def __init__(self, name, command, log_path, environment):
        self.name = name
        self.log_path = log_path
        with open(log_path, "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    def last_words(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            lines = log.read().splitlines()[-15:]
        return "\n".join([f"the end of {self.log_path}:"] + [f"    {line}" for line in lines])

    def wait_until_ready(self, url):
        deadline = time.monotonic() + PATIENCE_SECONDS
        answer = "nothing yet"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise TourError(
                    f"{self.name} ended with status {self.process.returncode}; {self.last_words()}"
                )
            try:
                with DIRECT.open(url, timeout=5) as response:
                    return response.status
            except urllib.error.HTTPError as error:
                answer = f"HTTP {error.code}"
            except OSError as error:
                answer = str(error)
            time.sleep(0.1)
        raise TourError(f"{self.name} is not ready ({url}: {answer}); {self.last_words()}")

    def stop(self):
        """Asks it to end; its exit status, or None when it had to be killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    def code(self):
        """The stable code of an error, in our envelope."""
        try:
            return self.json()["error"]["code"]
        except (ValueError, KeyError, TypeError):
            return None


class Http:
    """Plain HTTP, as anybody's curl would do it."""

    def __init__(self, base_url, token=None):
        self.base_url = base_url
        self.token = token

    def call(self, method, path, body=None, token=None, query=None):
        if query:
            path += "?" + urllib.parse.urlencode(query)
        headers = {"accept": "application/json"}
        token = token or self.token
        if token:
            headers["authorization"] = f"Bearer {token}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        request = urllib.request.Request(
            self.base_url + path, data=data, headers=headers, method=method
        )
        try:
            with DIRECT.open(request, timeout=60) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def get(self, path, token=None, **query):
        return self.call("GET", path, token=token, query=query)

    def expect(self, status, method, path, body=None, token=None, query=None):
        answer = self.call(method, path, body=body, token=token, query=query)
        if answer.status != status:
            raise TourError(
                f"{method} {path} answered {answer.status} instead of {status}: "
                f"{answer.body[:500].decode(errors='replace')}"
            )
        return answer


class CommandLine:
    """`diamond`, as a person would type it; the token travels by environment only."""

    def __init__(self, program, url):
        self.program = program
        self.url = url

    def run(self, arguments, token, stdin=""):
        environment = dict(os.environ, DIAMOND_URL=self.url, DIAMOND_TOKEN=token)
        environment["NO_PROXY"] = "127.0.0.1,localhost"
        # Nobody's profile plays a part.
        environment["XDG_CONFIG_HOME"] = "/nonexistent"
        done = subprocess.run(
            [self.program, *arguments],
            input=stdin,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise TourError(
                f"`diamond {' '.join(arguments)}` ended with status {done.returncode}: "
                f"{done.stderr.strip()}"
            )
        return done.stdout

    def json(self, arguments, token, stdin=""):
        return json.loads(self.run([*arguments, "--output", "json"], token, stdin))


class Notebook:
    """Tokens and keys of a stay, readable by its owner alone."""

    def __init__(self, path):
        self.path = path
        self.pages = {"tokens": {}, "keys": {}}
        try:
            with open(path, encoding="utf-8") as file:
                self.pages.update(json.load(file))
        except FileNotFoundError:
            pass

    def token(self, tenant):
        return self.pages["tokens"].get(tenant)

    def key(self, tenant):
        return self.pages["keys"].get(tenant)

    def write(self, page, tenant, value):
        self.pages[page][tenant] = value
        write_private(self.path, json.dumps(self.pages, indent=2) + "\n")


def write_private(path, text):
    draft = f"{path}.new"
    if os.path.exists(draft):
        os.unlink(draft)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    os.replace(draft, path)
