"""The steps of the tour, in their order."""

import datetime
import decimal
import json
import os
import secrets

from tour_world import (
    CommandLine,
    Http,
    Notebook,
    Program,
    TourError,
    free_port,
    masked,
    require_free,
    write_private,
)

try:
    import openai
except ImportError as missing:
    raise SystemExit(
        "The OpenAI SDK is not there: start this with `make tour` or `make run`."
    ) from missing

TENANTS = {
    "zaxon": "managed-enterprise",
    "coaching": "managed-starter",
    "enterprise-client": "customer-provided",
}
# What a tenant's own backend needs, and no more.
TENANT_SCOPES = "keys:read,keys:reveal,gateway,usage:write,usage:read,cost:read"
CHAT_MODEL = "gpt-4o-mini"
EMBEDDING_MODEL = "text-embedding-3-small"
PROMPT = [{"role": "user", "content": "Say in one sentence what a key manager does."}]


class Tour:
    """The steps, in their order. Each raises TourError when something does not hold."""

    def __init__(self, options, folder):
        self.folder = folder
        self.data_dir = os.path.join(folder, "data")
        self.listen = options.listen or f"127.0.0.1:{free_port()}"
        self.sim_listen = options.sim_listen or f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.listen}"
        self.sim_url = f"http://{self.sim_listen}"
        self.bin_dir = options.bin_dir
        self.stay = options.stay
        self.notebook = Notebook(os.path.join(folder, "tour-tokens.json"))
        self.api = Http(self.url)
        self.sim = Http(self.sim_url)
        self.diamond = CommandLine(os.path.join(self.bin_dir, "diamond"), self.url)
        self.programs = []
        self.operator = None
        self.billed_before = set()
        self.began = None
        self.events = []

    # The world

    def start(self):
        """The simulated providers and the server, on loopback."""
        if self.stay:
            require_free(self.listen, "LISTEN")
            require_free(self.sim_listen, "SIM_LISTEN")
        logs = os.path.join(self.folder, "logs")
        os.makedirs(logs, exist_ok=True)
        sim = [self.binary("diamond-sim"), "serve", "--listen", self.sim_listen]
        if self.stay:
            sim += ["--state", os.path.join(self.folder, "sim-state.json")]
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("DIAMOND_")
        }
        simulator = Program("diamond-sim", sim, os.path.join(logs, "sim.log"), environment)
        self.programs.append(simulator)
        simulator.wait_until_ready(f"{self.sim_url}/_sim/keys?service=openai")
        server_command = [
            self.binary("diamond-server"), "serve",
            "--data-dir", self.data_dir, "--listen", self.listen,
        ]
        environment["NO_COLOR"] = "1"
        environment["DIAMOND_SERVICES__OPENAI__BASE_URL"] = f"{self.sim_url}/openai"
        server = Program(
            "diamond-server", server_command, os.path.join(logs, "server.log"), environment
        )
        self.programs.append(server)
        server.wait_until_ready(f"{self.url}/readyz")
        show(f"diamond-server at {self.url}, data in {self.data_dir}")
        show(f"diamond-sim    at {self.sim_url}, in the place of OpenAI")

    def stop(self):
        """The server first, so that it drains while its providers still answer."""
        failures = []
        for program in reversed(self.programs):
            status = program.stop()
            if status != 0:
                failures.append(f"{program.name} ended with {status}; {program.last_words()}")
        self.programs.clear()
        if failures:
            raise TourError("\n".join(failures))

    def binary(self, name):
        path = os.path.join(self.bin_dir, name)
        if not os.access(path, os.X_OK):
            raise TourError(f"there is no {path}: `make programs` builds it")
        return path

    # Tenants, tokens, keys

    def operator_token(self):
        """The first start wrote the operator's token where only its owner reads it."""
        path = os.path.join(self.data_dir, "operator-token")
        mode = os.stat(path).st_mode & 0o777
        require(mode == 0o600, f"{path} has mode {mode:o} instead of 600")
        with open(path, encoding="utf-8") as file:
            self.operator = file.read().strip()
        self.api.expect(200, "GET", "/api/tenants", token=self.operator)
        show(f"{path}: {masked(self.operator)}")

    def tenants(self):
        """Three tenants, each with an access token of its own."""
        for tenant, tier in TENANTS.items():
            found = self.api.get(f"/api/tenants/{tenant}", token=self.operator)
            if found.status == 404:
                self.diamond.run(["admin", "tenant:create", tenant, "--tier", tier], self.operator)
            made = self.api.expect(200, "GET", f"/api/tenants/{tenant}", token=self.operator).json()
            require(made["tier"] == tier, f"{tenant} has the tier {made['tier']}")
            there = "made" if found.status == 404 else "was there"
            token = self.notebook.token(tenant)
            if not token or self.refused(token, tenant):
                made_token = self.diamond.json(
                    [
                        "admin", "token:create", "--tenant", tenant, "--scope", TENANT_SCOPES,
                        "--name", f"{tenant}-backend", "--owner", "tour",
                        "--purpose", "the tour",
                    ],
                    self.operator,
                )
                token = made_token["token"]
                self.notebook.write("tokens", tenant, token)
            write_private(self.token_file(tenant), token + "\n")
            show(f"{tenant:18} {made['tier']:20} {there:10} token {masked(token)}")

    def refused(self, token, tenant):
        """Whether a token from an earlier stay has expired or was revoked since."""
        return self.api.get(f"/api/keys/openai/{tenant}/versions", token=token).status == 401

    def token_file(self, tenant):
        return os.path.join(self.folder, f"token-{tenant}")

    def put_keys(self):
        """Each tenant's OpenAI key, sealed before the answer. Its value comes by standard input."""
        starting = self.sim.expect(200, "GET", "/_sim/keys?service=openai").json()["keys"]
        for tenant in TENANTS:
            key = self.notebook.key(tenant)
            if not key and tenant == "zaxon":
                key = next(k["value"] for k in starting if k.get("kind", "project") == "project")
            key = key or f"sk-proj-{tenant}-{secrets.token_hex(20)}"
            # The provider has to know the key; telling it twice changes nothing.
            self.sim.expect(
                200, "POST", "/_sim/keys", {"service": "openai", "value": key, "state": "active"}
            )
            path = f"/api/keys/openai/{tenant}/versions"
            versions = self.api.expect(200, "GET", path, token=self.operator).json()["items"]
            known = self.notebook.key(tenant)
            if known and any(version["state"] == "active" for version in versions):
                show(f"{tenant:18} was there")
                continue
            kind = "customer" if TENANTS[tenant] == "customer-provided" else "dedicated"
            said = self.diamond.run(
                ["ai", "keys:put", "openai", tenant, "--kind", kind], self.operator, stdin=key
            )
            self.notebook.write("keys", tenant, key)
            show(f"{tenant:18} {said.strip()}")

    def fetch_keys(self):
        """The tenant's token fetches the key, by API and by command line, and both are the key."""
        token = self.notebook.token("zaxon")
        leased = self.api.expect(
            200, "POST", "/api/keys/openai/zaxon", {"userId": "ada"}, token
        ).json()
        require(leased["apiKey"] == self.notebook.key("zaxon"), "the API gave another key")
        show("POST /api/keys/openai/zaxon")
        show(json.dumps({**leased, "apiKey": masked(leased["apiKey"])}, ensure_ascii=False))
        printed = self.diamond.run(["ai", "keys:get", "openai", "zaxon"], token).strip()
        require(printed == leased["apiKey"], "the command line gave another key")
        show(f"diamond ai keys:get openai zaxon: {masked(printed)}")

    def stranger(self):
        """Another tenant's token sees no such tenant, and neither does it see a made-up one."""
        token = self.notebook.token("coaching")
        answers = []
        for tenant in ("zaxon", "no-such-tenant"):
            answer = self.api.call("POST", f"/api/keys/openai/{tenant}", {}, token)
            require(answer.status == 404, f"{tenant} answered {answer.status}")
            answers.append(answer.code())
        require(answers == ["tenant_not_found"] * 2, f"the codes are {answers}")
        show(f"coaching's token asks for zaxon's key: 404 {answers[0]}")
        nobody = self.api.call("POST", "/api/keys/openai/zaxon", {})
        require(nobody.status == 401, f"without a token the answer is {nobody.status}")
        show(f"nobody's token: 401 {nobody.code()}")

    # Calls

    def begin_run(self):
        self.billed_before = {call["requestId"] for call in self.bill()}
        self.began = now()

    def client(self):
        return openai.OpenAI(
            base_url=f"{self.url}/gateway/openai/v1",
            api_key=self.notebook.token("zaxon"),
            default_headers={"x-diamond-user": "ada"},
            max_retries=0,
        )

    def chat(self):
        """The official OpenAI SDK: only base URL and key are ours."""
        self.begin_run()
        answer = self.client().chat.completions.create(model=CHAT_MODEL, messages=PROMPT)
        text = answer.choices[0].message.content
        require(text, "the answer is empty")
        require(answer.usage.total_tokens > 0, "the answer has no usage")
        show(f"{answer.model}: {short(text)}")
        show(f"{answer.usage.prompt_tokens} tokens in, {answer.usage.completion_tokens} out")

    def chat_streamed(self):
        """The same, streamed; the client did not ask for usage and sees none."""
        pieces = []
        stream = self.client().chat.completions.create(
            model=CHAT_MODEL, messages=PROMPT, stream=True
        )
        for chunk in stream:
            require(chunk.usage is None, "a chunk carries usage that nobody asked for")
            require(chunk.choices, "a chunk without choices came through")
            pieces.append(chunk.choices[0].delta.content or "")
        require("".join(pieces), "nothing was streamed")
        show(f"{len(pieces)} chunks: {short(''.join(pieces))}")

    def responses(self):
        """The Responses API, plain and streamed."""
        answer = self.client().responses.create(model=CHAT_MODEL, input="Name one virtue of a ledger.")
        require(answer.output_text, "the answer is empty")
        show(f"{answer.model}: {short(answer.output_text)}")
        kinds = []
        for event in self.client().responses.create(
            model=CHAT_MODEL, input="Name another.", stream=True
        ):
            kinds.append(event.type)
        require(kinds[-1] == "response.completed", f"the stream ended with {kinds[-1]}")
        show(f"streamed: {len(kinds)} events, from {kinds[0]} to {kinds[-1]}")

    def embeddings(self):
        """Embeddings."""
        answer = self.client().embeddings.create(model=EMBEDDING_MODEL, input=["nano", "dollar"])
        require(len(answer.data) == 2, f"{len(answer.data)} vectors instead of 2")
        show(f"{answer.model}: 2 vectors of {len(answer.data[0].embedding)} numbers")

    # Truth

    def usage_events(self):
        """Each call is a durable, exactly priced usage event, a moment later."""
        token = self.notebook.token("zaxon")
        query = {"tenantId": "zaxon", "from": self.began, "to": now(), "limit": "100"}
        self.events = []
        while True:
            page = self.api.expect(200, "GET", "/api/usage/events", token=token, query=query).json()
            self.events += page["items"]
            if not page.get("nextCursor") or not page["items"]:
                break
            query["cursor"] = page["nextCursor"]
        require(len(self.events) == 5, f"there are {len(self.events)} events of 5 calls")
        for event in self.events:
            show(
                f"{event['operation']:18} {event['model']:24} {event['costUsd']} USD "
                f"{event['costBasis']}, user {event['userId']}"
            )
            require(event["userId"] == "ada", f"the user is {event['userId']}")
            require(event["costBasis"] == "priced_usage", f"the basis is {event['costBasis']}")
            require(not event["partial"], "an event is partial")

    def same_as_bill(self):
        """To the nano-dollar, call by call, our events are the provider's own bill."""
        billed = {
            call["requestId"]: decimal.Decimal(call["costUsd"])
            for call in self.bill()
            if call["requestId"] not in self.billed_before
        }
        ours = {
            event["providerRequestId"]: decimal.Decimal(event["costUsd"]) for event in self.events
        }
        require(
            billed.keys() == ours.keys(),
            f"billed calls {sorted(billed)} are not our events {sorted(ours)}",
        )
        for request_id, cost in billed.items():
            require(
                ours[request_id] == cost,
                f"{request_id}: billed {cost}, metered {ours[request_id]}",
            )
        require(sum(billed.values()) > 0, "the bill is empty")
        show(f"{len(billed)} calls, billed {sum(billed.values())} USD, metered the same")

    def cost(self):
        """True Production Cost, now, by API and by command line."""
        token = self.notebook.token("zaxon")
        path = "/api/analytics/tpc/zaxon"
        query = {"from": self.began, "to": now()}
        run = self.api.expect(200, "GET", path, token=token, query=query).json()
        total = sum(decimal.Decimal(event["costUsd"]) for event in self.events)
        require(
            decimal.Decimal(run["directCostUsd"]) == total,
            f"the direct cost of this run is {run['directCostUsd']}, its events sum to {total}",
        )
        daily = self.api.expect(
            200, "GET", path, token=token, query={"period": "daily"}
        ).json()
        parts = sum(
            decimal.Decimal(daily[name]) for name in ("directCostUsd", "sgaUsd", "complianceUsd")
        )
        require(decimal.Decimal(daily["tpcUsd"]) == parts, "TPC is not the sum of its parts")
        printed = self.diamond.json(
            ["ai", "costs:analyze", "--tenant", "zaxon", "--period", "daily"], token
        )
        for name in ("directCostUsd", "tpcUsd"):
            require(
                printed[name] == daily[name],
                f"{name}: the command line says {printed[name]}, the API {daily[name]}",
            )
        show(f"GET {path}?period=daily")
        for name in ("directCostUsd", "sgaUsd", "complianceUsd", "tpcUsd", "calls"):
            show(f"    {name:14} {daily[name]}")
        show("diamond ai costs:analyze --tenant zaxon --period daily: the same")

    def audit(self):
        """Every key that was handed out is in the audit chain, and the chain holds."""
        verdict = self.diamond.json(["admin", "audit:verify"], self.operator)
        require(verdict["ok"] is True, f"the verdict is {verdict}")
        require((verdict.get("entries") or 0) > 0, "the chain is empty")
        show(f"diamond admin audit:verify: {verdict['outcome']}, {verdict['entries']} entries")

    def metrics(self):
        """Figures for Prometheus."""
        text = self.api.expect(200, "GET", "/metrics", token=self.operator).body.decode()
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        require(lines, "there are no metrics")
        for secret in [self.operator, *self.notebook.pages["tokens"].values(),
                       *self.notebook.pages["keys"].values()]:
            require(secret not in text, "a secret stands in the metrics")
        show(f"{len(lines)} series, such as {lines[0]}")

    def bill(self):
        return self.sim.expect(200, "GET", "/_sim/bill?service=openai").json()["calls"]

    STEPS = [
        start, operator_token, tenants, put_keys, fetch_keys, stranger, chat, chat_streamed,
        responses, embeddings, usage_events, same_as_bill, cost, audit, metrics,
    ]

    def walk(self):
        for number, step in enumerate(self.STEPS, start=1):
            print(f"\n{number:2}. {step.__doc__.strip()}", flush=True)
            try:
                step(self)
            except Stopped:
                raise
            except Exception as error:
                raise TourError(f"step {number}, {step.__name__}, failed: {describe(error)}") from error


class Stopped(BaseException):
    """Somebody pressed Ctrl-C or sent SIGTERM."""


def require(holds, otherwise):
    if not holds:
        raise TourError(otherwise)


def describe(error):
    return str(error) if isinstance(error, TourError) else f"{type(error).__name__}: {error}"


def show(text):
    print(f"    {text}", flush=True)


def short(text, length=76):
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
