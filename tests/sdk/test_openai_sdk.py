"""The official OpenAI SDK, unmodified but for base URL and key, through the gateway.

The tests of the server start the programs and then this, with the environment

    GATEWAY_URL    …/gateway/openai/v1
    GATEWAY_TOKEN  an access token with scope `gateway`
    SIM_URL        the simulator behind the gateway

Nothing of that is optional: what cannot run fails. No secret is printed.
"""

import io
import json
import math
import os
import struct
import unittest
import wave

os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

import openai  # noqa: E402  (after the proxies of the surroundings are out of the way)

from simulator import Sim  # noqa: E402

BASE_URL = os.environ["GATEWAY_URL"]
TOKEN = os.environ["GATEWAY_TOKEN"]

CHAT_MODEL = "gpt-4o-mini"
EMBEDDING_MODEL = "text-embedding-3-small"
SPEECH_MODEL = "tts-1"
HEARING_MODEL = "whisper-1"
MESSAGES = [{"role": "user", "content": "Say something short about ledgers."}]


def client(token=TOKEN, **options):
    """No retries: what the gateway answers is what the test sees."""
    return openai.OpenAI(base_url=BASE_URL, api_key=token, max_retries=0, **options)


def events(sse):
    """The data of each event of a stream of server-sent events."""
    blocks = sse.decode().replace("\r\n", "\n").split("\n\n")
    lines = [line for block in blocks for line in block.split("\n")]
    return [line[len("data:") :].strip() for line in lines if line.startswith("data:")]


def chunks(sse):
    return [json.loads(data) for data in events(sse) if data != "[DONE]"]


def beep(seconds=1, rate=16_000):
    """A sound of this length as a WAV file: a sine of 440 Hz, 16 bits, one channel."""
    samples = (int(8_000 * math.sin(math.tau * 440 * n / rate)) for n in range(seconds * rate))
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    file.name = "beep.wav"
    file.seek(0)
    return file


class SdkTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.sim = Sim("openai")
        self.sim.clear()
        self.addCleanup(self.sim.clear)


class ChatTest(SdkTest):
    def test_plain(self):
        raw = client().chat.completions.with_raw_response.create(
            model=CHAT_MODEL, messages=MESSAGES
        )
        answer = raw.parse()
        self.assertTrue(answer.choices[0].message.content)
        self.assertEqual(
            answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens
        )
        # What the client decoded is what the provider sent.
        last = self.sim.last("chat.completions")
        self.assertEqual(raw.headers["x-request-id"], last["requestId"])
        sent = self.sim.sent("chat.completions")
        encoding = dict(last["response"]["headers"]).get("content-encoding")
        if encoding is None:
            self.assertEqual(raw.content, sent)

    def stream(self, **options):
        """The bytes that reach the client of a streamed call."""
        with client().chat.completions.with_streaming_response.create(
            model=CHAT_MODEL,
            messages=MESSAGES,
            stream=True,
            extra_headers={"accept-encoding": "identity"},
            **options,
        ) as response:
            return b"".join(response.iter_bytes())

    def test_streamed_with_usage_is_what_the_provider_sent(self):
        received = self.stream(stream_options={"include_usage": True})
        self.assertEqual(received, self.sim.sent("chat.completions"))
        last = chunks(received)[-1]
        self.assertEqual(last["choices"], [])
        self.assertGreater(last["usage"]["total_tokens"], 0)
        self.assertEqual(events(received)[-1], "[DONE]")

    def test_streamed_without_usage_hides_what_was_added_for_metering(self):
        received = self.stream()
        request = json.loads(self.sim.last("chat.completions")["request"]["bodyText"])
        self.assertEqual(request["stream_options"], {"include_usage": True})
        self.assertEqual(request["messages"], MESSAGES)
        sent = chunks(self.sim.sent("chat.completions"))
        self.assertGreater(sent[-1]["usage"]["total_tokens"], 0)
        # Everything but the chunk that was added, each without the field that came with it.
        expected = [
            {name: value for name, value in chunk.items() if name not in ("usage", "obfuscation")}
            for chunk in sent
            if chunk["choices"]
        ]
        got = [
            {name: value for name, value in chunk.items() if name not in ("usage", "obfuscation")}
            for chunk in chunks(received)
        ]
        self.assertEqual(got, expected)
        self.assertTrue(all(chunk.get("usage") is None for chunk in chunks(received)))
        self.assertEqual(events(received)[-1], "[DONE]")

    def test_streamed_through_the_sdk(self):
        pieces = []
        stream = client().chat.completions.create(model=CHAT_MODEL, messages=MESSAGES, stream=True)
        for chunk in stream:
            self.assertIsNone(chunk.usage)
            pieces.append(chunk.choices[0].delta.content or "")
        self.assertTrue("".join(pieces))
        sent = chunks(self.sim.sent("chat.completions"))
        text = [c["choices"][0]["delta"].get("content") or "" for c in sent if c["choices"]]
        self.assertEqual("".join(pieces), "".join(text))

    def test_our_headers_and_the_token_do_not_reach_the_provider(self):
        client(default_headers={"x-diamond-user": "ada"}).chat.completions.create(
            model=CHAT_MODEL, messages=MESSAGES
        )
        request = self.sim.last("chat.completions")["request"]
        names = [name.lower() for name, _ in request["headers"]]
        self.assertEqual([name for name in names if name.startswith("x-diamond")], [])
        self.assertNotIn(TOKEN, json.dumps(request))


class ResponsesTest(SdkTest):
    def test_plain(self):
        answer = client().responses.create(model=CHAT_MODEL, input="One virtue of a ledger?")
        self.assertEqual(answer.status, "completed")
        self.assertTrue(answer.output_text)
        self.assertGreater(answer.usage.total_tokens, 0)

    def test_streamed(self):
        kinds, text = [], []
        for event in client().responses.create(
            model=CHAT_MODEL, input="Another virtue?", stream=True
        ):
            kinds.append(event.type)
            if event.type == "response.output_text.delta":
                text.append(event.delta)
        self.assertEqual(kinds[0], "response.created")
        self.assertEqual(kinds[-1], "response.completed")
        self.assertTrue("".join(text))
        self.assertEqual(
            kinds, [json.loads(data)["type"] for data in events(self.sim.sent("responses"))]
        )


class OtherCallsTest(SdkTest):
    def test_embeddings(self):
        answer = client().embeddings.create(model=EMBEDDING_MODEL, input=["nano", "dollar"])
        self.assertEqual([row.index for row in answer.data], [0, 1])
        self.assertEqual({len(row.embedding) for row in answer.data}, {1536})
        self.assertGreater(answer.usage.total_tokens, 0)

    def test_transcription(self):
        answer = client().audio.transcriptions.create(model=HEARING_MODEL, file=beep(seconds=2))
        self.assertTrue(answer.text)

    def test_speech(self):
        answer = client().audio.speech.create(
            model=SPEECH_MODEL, voice="alloy", input="Nothing lost, nothing twice."
        )
        self.assertTrue(answer.read())

    def test_models(self):
        names = [model.id for model in client().models.list()]
        self.assertIn(CHAT_MODEL, names)


class ErrorTest(SdkTest):
    """Ours are in the provider's shape, and the provider's own pass unchanged."""

    def test_a_token_that_nobody_has_is_an_authentication_error(self):
        for token in ("sk-proj-not-one-of-ours", "dmd_" + "0" * 43 + "2CZclj"):
            with self.assertRaises(openai.AuthenticationError) as caught:
                client(token).models.list()
            self.assertEqual(caught.exception.status_code, 401)
            self.assertIn(caught.exception.code, ("malformed_token", "unknown_token"))
            self.assertNotIn(token, str(caught.exception))

    def test_the_providers_rate_limit_is_a_rate_limit_error(self):
        self.sim.fault(
            "chat.completions", kind="refuse", status=429, code="rate_limit_exceeded", retryAfter=1
        )
        with self.assertRaises(openai.RateLimitError) as caught:
            client().chat.completions.create(model=CHAT_MODEL, messages=MESSAGES)
        self.assertEqual(caught.exception.code, "rate_limit_exceeded")
        self.assertEqual(caught.exception.response.headers["retry-after"], "1")
        # The key was only limited for that call; the next one goes through.
        client().chat.completions.create(model=CHAT_MODEL, messages=MESSAGES)

    def test_a_providers_failure_is_passed_on_unchanged(self):
        self.sim.fault("embeddings", kind="refuse", status=503, code="server_is_overloaded")
        with self.assertRaises(openai.InternalServerError) as caught:
            client().embeddings.create(model=EMBEDDING_MODEL, input="x")
        self.assertEqual(caught.exception.status_code, 503)
        self.assertEqual(caught.exception.response.content, self.sim.sent("embeddings"))

    def test_an_unknown_model_is_the_providers_not_found(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            client().chat.completions.create(model="gpt-nobody-has-it", messages=MESSAGES)
        self.assertEqual(caught.exception.code, "model_not_found")


if __name__ == "__main__":
    unittest.main(verbosity=2)
