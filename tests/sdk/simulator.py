"""The simulator's own account of one service, and its faults, for the SDKs' tests."""

import base64
import json
import os
import urllib.request

SIM_URL = os.environ["SIM_URL"].rstrip("/")


class Sim:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __init__(self, service):
        self.service = service

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            SIM_URL + path, data=data, method=method, headers={"content-type": "application/json"}
        )
        with self.opener.open(request, timeout=30) as response:
            return json.load(response)

    def last(self, operation):
        return self.call("GET", f"/_sim/last?service={self.service}&operation={operation}")

    def sent(self, operation):
        """The bytes of the last answer that the provider sent for this operation."""
        return base64.b64decode(self.last(operation)["response"]["bodyBase64"])

    def fault(self, operation, **fault):
        body = {"service": self.service, "operation": operation, **fault}
        self.call("POST", "/_sim/faults", body)

    def clear(self):
        self.call("DELETE", "/_sim/faults")
