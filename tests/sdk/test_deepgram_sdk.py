"""The official Deepgram SDK, unmodified but for addresses and key, through the gateway.

Run by the tests of the server, which set GATEWAY_URL (…/gateway), GATEWAY_TOKEN and SIM_URL.
"""

import io
import os
import unittest
import wave

os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

from deepgram import DeepgramClient  # noqa: E402  (after the proxies are out of the way)
from deepgram.core.api_error import ApiError  # noqa: E402
from deepgram.environment import DeepgramClientEnvironment  # noqa: E402

from simulator import Sim  # noqa: E402

BASE_URL = os.environ["GATEWAY_URL"] + "/deepgram"
SOCKETS = BASE_URL.replace("http", "ws", 1)
TOKEN = os.environ["GATEWAY_TOKEN"]
ONCE = {"max_retries": 0}
# Four hosts at Deepgram, one address here.
PLACES = DeepgramClientEnvironment(
    base=BASE_URL, production=SOCKETS, agent=SOCKETS, agent_rest=BASE_URL
)


def client(token=TOKEN, **options):
    return DeepgramClient(api_key=token, environment=PLACES, **options)


def beep(seconds):
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(b"\0\0" * 16_000 * seconds)
    return file.getvalue()


class DeepgramTest(unittest.TestCase):
    def setUp(self):
        self.sim = Sim("deepgram")
        self.sim.clear()
        self.addCleanup(self.sim.clear)

    def test_hearing(self):
        answer = client().listen.v1.media.transcribe_file(
            request=beep(seconds=2), model="nova-3", diarize=True
        )
        self.assertTrue(answer.results.channels[0].alternatives[0].transcript)
        self.assertNotIn(TOKEN, str(self.sim.last("listen")["request"]))

    def test_speaking(self):
        sound = client().speak.v1.audio.generate(text="Nothing lost.", model="aura-2-thalia-en")
        self.assertEqual(b"".join(sound), self.sim.sent("speak"))

    def test_hearing_as_it_comes(self):
        kinds = []
        with client().listen.v1.connect(
            model="nova-3", encoding="linear16", sample_rate=16_000
        ) as socket:
            for _ in range(3):
                socket.send_media(b"\0\0" * 16_000)
            socket.send_close_stream()
            for message in socket:
                kinds.append(message.type)
        self.assertEqual(kinds, ["Results"] * 3 + ["Metadata"])

    def test_a_bearer_is_taken_too(self):
        bearer = DeepgramClient(access_token=TOKEN, environment=PLACES)
        sound = bearer.speak.v1.audio.generate(text="Nothing twice.", model="aura-asteria-en")
        self.assertEqual(b"".join(sound), self.sim.sent("speak"))

    def test_errors_keep_their_shape(self):
        with self.assertRaises(ApiError) as caught:
            sound = client("dmd_nonsense").speak.v1.audio.generate(text="x", request_options=ONCE)
            b"".join(sound)
        self.assertEqual(caught.exception.status_code, 401)
        self.assertEqual(caught.exception.body["err_code"], "malformed_token")
        self.sim.fault(
            "listen", kind="refuse", status=429, code="TOO_MANY_REQUESTS", retryAfter=1
        )
        with self.assertRaises(ApiError) as caught:
            client().listen.v1.media.transcribe_file(
                request=beep(seconds=1), model="nova-3", request_options=ONCE
            )
        self.assertEqual(caught.exception.status_code, 429)
        self.assertEqual(caught.exception.headers["retry-after"], "1")
        self.assertEqual(caught.exception.body["err_code"], "TOO_MANY_REQUESTS")


if __name__ == "__main__":
    unittest.main(verbosity=2)
