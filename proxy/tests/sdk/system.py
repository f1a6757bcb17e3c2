"""Two scripted providers and a sidecar, each a process of its own on free ports of the loopback."""

import json
import os
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

POLICY = """
baseline = "big"

[providers.local]
dialect = "openai"
base_url = "http://{inside}/v1"
placement = "internal"

[providers.local-messages]
dialect = "anthropic"
base_url = "http://{inside}"
placement = "internal"

[providers.hasty]
dialect = "openai"
base_url = "http://{inside}/v1"
placement = "internal"
timeouts = {{ connect = "100ms", first_byte = "100ms", idle = "100ms" }}

[providers.hasty-messages]
dialect = "anthropic"
base_url = "http://{inside}"
placement = "internal"
timeouts = {{ connect = "100ms", first_byte = "100ms", idle = "100ms" }}

[providers.cloud]
dialect = "openai"
base_url = "http://{outside}/v1"
placement = "external"

[providers.cloud-messages]
dialect = "anthropic"
base_url = "http://{outside}"
placement = "external"

[models.small]
provider = "local"
price = {{ input = "$0.05/M", output = "$0.08/M" }}

[models.small-messages]
provider = "local-messages"
upstream_model = "small"
price = {{ input = "$0.05/M", output = "$0.08/M" }}

[models.hasty]
provider = "hasty"
upstream_model = "small"

[models.hasty-messages]
provider = "hasty-messages"
upstream_model = "small"

[models.big]
provider = "cloud"
price = {{ input = "$2.50/M", output = "$10/M" }}

[models.big-messages]
provider = "cloud-messages"
upstream_model = "big"
price = {{ input = "$2.50/M", output = "$10/M" }}

[profiles.default]
candidates = ["small", "small-messages", "big", "big-messages"]

[[rules]]
name = "closed"
when = {{ tags = {{ x = "closed" }} }}
use = {{ deny = "not here" }}
"""

# SHA-256 of "the-right-key".
TENANTS = """
[tenants.team]
keys = ["sha256:59a7d8bf3ee01c13bad730b310392a8ec171397b2f1e711029b3e25839e9f764"]
"""


def program(variable, name):
    """The path of a program in the directory that the environment names."""
    return str(Path(os.environ[variable]) / name)


class Process:
    """A program that prints a JSON line when it listens. `stop` ends it by its own id."""

    def __init__(self, arguments, pipe):
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, pipe: subprocess.PIPE}
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, text=True, **streams)
        self.output = getattr(self.process, pipe)
        self.listening = self._wait()
        # Nobody reads on, and a full pipe would stop the program.
        threading.Thread(target=self.output.read, daemon=True).start()

    def _wait(self):
        for line in self.output:
            entry = json.loads(line)
            if entry.get("event") == "listening":
                return entry
        raise RuntimeError(f"ended with {self.process.wait()} before it listened")

    def kill(self):
        """As `kill -9`."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.kill()


class Upstream(Process):
    """A scripted provider."""

    def __init__(self, name, model):
        super().__init__([program("UPSTREAM_BIN", "router-upstream"), "--name", name, "--models", model], "stdout")
        self.address = self.listening["addr"]

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.address}{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def script(self, fault, **when):
        """The next request meets this fault, or more of them with `times` or `always`."""
        self._call("POST", "/__script", {"fault": fault, **when})

    def reset(self):
        """No faults, no requests."""
        self._call("POST", "/__script", {"clear": True})
        self._call("DELETE", "/__requests")

    def stats(self):
        return self._call("GET", "/__stats")

    def requests(self):
        return self._call("GET", "/__requests")

    def last_body(self):
        """The body of the last request, byte for byte."""
        return self.requests()[-1]["body"]


class Sidecar(Process):
    """The router under a policy of this text."""

    def __init__(self, folder, policy):
        path = Path(folder) / "policy.toml"
        path.write_text(policy)
        ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
        super().__init__(
            [program("XYNERGY_ROUTER_BIN", "xynergy-router"), "serve", "--policy", str(path), *ports], "stderr"
        )
        self.address = self.listening["data"]
        self.admin = self.listening["admin"]

    @property
    def openai_url(self):
        return f"http://{self.address}/v1"

    @property
    def anthropic_url(self):
        return f"http://{self.address}"

    def metric(self, name, *labels):
        """The sum of a metric over the lines with all of these labels, like `outcome="ok"`."""
        with urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=60) as response:
            lines = response.read().decode().splitlines()
        name = f"xynergy_router_{name}"
        found = [line for line in lines if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found if all(label in line for label in labels))
