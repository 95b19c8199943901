"""The official ElevenLabs SDK, unmodified but for base URL and key, through the gateway.

Run by the tests of the server, which set GATEWAY_URL (…/gateway, over TLS: the SDK opens its
WebSocket as wss:// whatever the base URL says), GATEWAY_TOKEN and SIM_URL.
"""

import io
import os
import unittest
import wave

os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

from elevenlabs.client import ElevenLabs  # noqa: E402  (after the proxies are out of the way)
from elevenlabs.core.api_error import ApiError  # noqa: E402

from simulator import Sim  # noqa: E402

BASE_URL = os.environ["GATEWAY_URL"] + "/elevenlabs"
TOKEN = os.environ["GATEWAY_TOKEN"]
MODEL = "eleven_flash_v2_5"
ONCE = {"max_retries": 0}


def client(token=TOKEN):
    return ElevenLabs(base_url=BASE_URL, api_key=token)


def beep(seconds):
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(b"\0\0" * 16_000 * seconds)
    file.seek(0)
    file.name = "beep.wav"
    return file


class ElevenLabsTest(unittest.TestCase):
    def setUp(self):
        self.sim = Sim("elevenlabs")
        self.sim.clear()
        self.addCleanup(self.sim.clear)

    def test_speech(self):
        sound = client().text_to_speech.convert("voice", text="Nothing lost.", model_id=MODEL)
        self.assertEqual(b"".join(sound), self.sim.sent("text_to_speech"))
        self.assertNotIn(TOKEN, str(self.sim.last("text_to_speech")["request"]))

    def test_streamed_speech(self):
        stream = client().text_to_speech.stream("voice", text="Nothing twice.", model_id=MODEL)
        self.assertEqual(b"".join(stream), self.sim.sent("text_to_speech.stream"))

    def test_speech_while_the_text_is_written(self):
        text = iter(["Nothing lost, ", "nothing twice."])
        sound = client().text_to_speech.convert_realtime("voice", text=text, model_id=MODEL)
        self.assertGreater(len(b"".join(sound)), 0)

    def test_hearing(self):
        answer = client().speech_to_text.convert(model_id="scribe_v2", file=beep(seconds=2))
        self.assertTrue(answer.text)

    def test_models_and_voices(self):
        names = [model.model_id for model in client().models.list()]
        self.assertIn(MODEL, names)

    def test_errors_keep_their_shape(self):
        with self.assertRaises(ApiError) as caught:
            client("dmd_nonsense").models.list(request_options=ONCE)
        self.assertEqual(caught.exception.status_code, 401)
        self.assertEqual(caught.exception.body["detail"]["code"], "malformed_token")
        self.sim.fault(
            "text_to_speech", kind="refuse", status=429, code="rate_limit_exceeded", retryAfter=1
        )
        with self.assertRaises(ApiError) as caught:
            sound = client().text_to_speech.convert("voice", text="x", request_options=ONCE)
            b"".join(sound)
        self.assertEqual(caught.exception.status_code, 429)
        self.assertEqual(caught.exception.headers["retry-after"], "1")
        self.assertEqual(caught.exception.body["detail"]["code"], "rate_limit_exceeded")


if __name__ == "__main__":
    unittest.main(verbosity=2)
