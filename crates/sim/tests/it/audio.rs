use serde_json::{Value, json};

use crate::harness::Sim;

/// Silence: 16 kHz, 16 bit, one channel.
fn wav(milliseconds: usize) -> Vec<u8> {
    let data = vec![0; milliseconds * 32];
    let size = u32::try_from(data.len()).unwrap();
    let mut file = b"RIFF".to_vec();
    file.extend((size + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(16_000_u32.to_le_bytes());
    file.extend(32_000_u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(size.to_le_bytes());
    file.extend(data);
    file
}

#[tokio::test]
async fn hearing_is_billed_by_time_or_by_token() {
    let sim = Sim::start().await;
    let path = "audio/transcriptions";
    let by_time = sim
        .upload(path, wav(2_345), &[("model", "whisper-1")])
        .await
        .json();
    assert_eq!(by_time["text"], "a.wav lasts 2345 milliseconds.");
    assert_eq!(
        by_time["usage"].to_string(),
        r#"{"seconds":2.345,"type":"duration"}"#
    );
    let by_token = sim
        .upload(path, wav(2_345), &[("model", "gpt-4o-transcribe")])
        .await
        .json();
    assert_eq!(by_token["usage"]["input_token_details"]["audio_tokens"], 24);
    assert_eq!(by_token["usage"]["output_tokens"], 8);
    let bill = sim.bill().await;
    // 2,345 ms × 100 nano-dollars
    assert_eq!(bill["calls"][0]["quantities"]["audio_milliseconds"], 2_345);
    assert_eq!(bill["calls"][0]["costUsd"], "0.000234500");
    // 24 × 2.50/M + 8 × 10/M = 0.00006 + 0.00008
    assert_eq!(bill["calls"][1]["costUsd"], "0.000140000");
}

#[tokio::test]
async fn formats_without_usage_are_billed_all_the_same() {
    let sim = Sim::start().await;
    let formats = [
        ("text", "a.wav lasts 1000 milliseconds.\n"),
        (
            "srt",
            "1\n00:00:00,000 --> 00:00:01,000\na.wav lasts 1000 milliseconds.\n\n",
        ),
        (
            "vtt",
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na.wav lasts 1000 milliseconds.\n\n",
        ),
    ];
    for (format, text) in formats {
        let fields = [("model", "whisper-1"), ("response_format", format)];
        assert_eq!(
            sim.upload("audio/transcriptions", wav(1_000), &fields)
                .await
                .text(),
            text
        );
    }
    let translated = sim
        .upload("audio/translations", wav(1_000), &[("model", "whisper-1")])
        .await;
    assert_eq!(translated.status, 200);
    assert_eq!(sim.bill().await["totalCostUsd"], "0.000400000");
}

#[tokio::test]
async fn a_streamed_transcription_ends_with_its_usage() {
    let sim = Sim::start().await;
    let fields = [("model", "gpt-4o-transcribe"), ("stream", "true")];
    let events = sim
        .upload("audio/transcriptions", wav(1_000), &fields)
        .await
        .events();
    let last = events.last().unwrap();
    assert_eq!(last["type"], "transcript.text.done");
    assert_eq!(last["usage"]["output_tokens"], 8);
    let said: String = events
        .iter()
        .filter_map(|event| event["delta"].as_str())
        .collect();
    assert_eq!(said, last["text"].as_str().unwrap());
    assert_eq!(sim.only_call().await["quantities"]["output_tokens"], 8);
}

#[tokio::test]
async fn speech_is_billed_by_character_or_by_token() {
    let sim = Sim::start().await;
    let say = |model: &str| json!({"model": model, "voice": "alloy", "input": "Grüße!"});
    let spoken = sim.post("audio/speech", &say("tts-1")).await;
    assert_eq!(spoken.header("content-type"), Some("audio/mpeg"));
    assert!(spoken.bytes.starts_with(&[0xff, 0xfb]));
    // 6 characters × 15/M
    let call = sim.only_call().await;
    assert_eq!(call["quantities"], json!({"requests": 1, "characters": 6}));
    assert_eq!(call["costUsd"], "0.000090000");

    let mut streamed = say("gpt-4o-mini-tts");
    streamed["stream_format"] = json!("sse");
    let events = sim.post("audio/speech", &streamed).await.events();
    let done = events.last().unwrap();
    // 8 bytes: 2 tokens; 6 × 20 ms of sound, 50 ms a token: 3 tokens
    let usage: Value = json!({"input_tokens": 2, "output_tokens": 3, "total_tokens": 5});
    assert_eq!(done["usage"], usage);
    // 2 × 0.60/M + 3 × 12/M = 0.0000012 + 0.000036
    assert_eq!(sim.bill().await["calls"][1]["costUsd"], "0.000037200");
    streamed["model"] = json!("tts-1");
    assert_eq!(sim.post("audio/speech", &streamed).await.status, 400);
}
