"""The official Anthropic SDK, unmodified but for base URL and key, through the gateway.

Run by the tests of the server, which set GATEWAY_URL (…/gateway), GATEWAY_TOKEN and SIM_URL.
"""

import os
import unittest

os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

import anthropic  # noqa: E402  (after the proxies of the surroundings are out of the way)

from simulator import Sim  # noqa: E402

BASE_URL = os.environ["GATEWAY_URL"] + "/anthropic"
TOKEN = os.environ["GATEWAY_TOKEN"]
MODEL = "claude-haiku-4-5"
MESSAGES = [{"role": "user", "content": "Say something short about ledgers."}]


def client(token=TOKEN, **options):
    """No retries: what the gateway answers is what the test sees."""
    return anthropic.Anthropic(base_url=BASE_URL, api_key=token, max_retries=0, **options)


class AnthropicTest(unittest.TestCase):
    def setUp(self):
        self.sim = Sim("anthropic")
        self.sim.clear()
        self.addCleanup(self.sim.clear)

    def test_plain(self):
        answer = client().messages.create(model=MODEL, max_tokens=64, messages=MESSAGES)
        self.assertTrue(answer.content[0].text)
        self.assertGreater(answer.usage.output_tokens, 0)
        request = self.sim.last("messages")["request"]
        self.assertNotIn(TOKEN, str(request))

    def test_streamed(self):
        with client().messages.stream(model=MODEL, max_tokens=64, messages=MESSAGES) as stream:
            text = "".join(stream.text_stream)
            answer = stream.get_final_message()
        self.assertEqual(text, answer.content[0].text)
        self.assertGreater(answer.usage.output_tokens, 0)

    def test_a_bearer_is_taken_too(self):
        bearer = anthropic.Anthropic(base_url=BASE_URL, auth_token=TOKEN, max_retries=0)
        self.assertTrue([model.id for model in bearer.models.list()])

    def test_errors_keep_their_kinds(self):
        with self.assertRaises(anthropic.AuthenticationError) as caught:
            client("dmd_nonsense").models.list()
        self.assertNotIn("nonsense", str(caught.exception))
        self.sim.fault("messages", kind="refuse", status=429, code="rate_limit_error", retryAfter=1)
        with self.assertRaises(anthropic.RateLimitError) as caught:
            client().messages.create(model=MODEL, max_tokens=64, messages=MESSAGES)
        self.assertEqual(caught.exception.response.headers["retry-after"], "1")
        client().messages.create(model=MODEL, max_tokens=64, messages=MESSAGES)


if __name__ == "__main__":
    unittest.main(verbosity=2)
