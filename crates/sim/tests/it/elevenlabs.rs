use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{Answer, Sim, finish};

fn ask(sim: &Sim, method: Method, path: &str, key: &str) -> RequestBuilder {
    sim.to("elevenlabs", method, &format!("v1/{path}"))
        .header("xi-api-key", key)
}

async fn manage(sim: &Sim, method: Method, path: &str, body: Value) -> Answer {
    let key = sim.key_of("elevenlabs", "admin").await;
    let path = format!("service-accounts{path}");
    finish(ask(sim, method, &path, &key).json(&body)).await
}

async fn say(sim: &Sim, key: &str, text: &str) -> Answer {
    let body = json!({"text": text, "model_id": "eleven_multilingual_v2"});
    finish(ask(sim, Method::POST, "text-to-speech/anybody", key).json(&body)).await
}

async fn account(sim: &Sim) -> String {
    let made = manage(sim, Method::POST, "", json!({"name": "ukm"})).await;
    made.json()["service-account-user-id"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn key(sim: &Sim, account: &str, more: Value) -> Value {
    let mut body = json!({"name": "ukm-key", "permissions": ["text_to_speech"]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let path = format!("/{account}/api-keys");
    let made = manage(sim, Method::POST, &path, body).await;
    assert_eq!(made.status, 200, "{}", made.text());
    made.json()
}

#[tokio::test]
async fn a_text_is_paid_by_the_character_and_its_price_stands_in_a_header() {
    let sim = Sim::start().await;
    let value = sim.key_of("elevenlabs", "project").await;
    // Ten characters in thirteen bytes.
    let answer = say(&sim, &value, "Grüße 🙂 ab").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("audio/mpeg"));
    assert_eq!(answer.header("character-cost"), Some("10"));
    assert_eq!(answer.header("current-concurrent-requests"), Some("1"));
    assert_eq!(answer.header("maximum-concurrent-requests"), Some("100"));
    assert!(!answer.bytes.is_empty());
    let body = json!({"text": "Hello", "model_id": "eleven_flash_v2_5"});
    let stream = ask(
        &sim,
        Method::POST,
        "text-to-speech/x/stream?output_format=pcm_24000",
        &value,
    );
    let stream = finish(stream.json(&body)).await;
    // Half a credit a character, and half of one is one.
    assert_eq!(stream.header("character-cost"), Some("3"));
    let bill = sim.bill_of("elevenlabs").await;
    let (first, second) = (&bill["calls"][0], &bill["calls"][1]);
    assert_eq!(first["quantities"]["characters"], 10);
    assert_eq!(first["quantities"]["credits"], 10);
    // 10 × 0.08/1,000 and 5 × 0.04/1,000
    assert_eq!(first["costUsd"], "0.000800000");
    assert_eq!(second["costUsd"], "0.000200000");
    assert_eq!(first["requestId"], answer.header("request-id").unwrap());
    let plan = finish(ask(&sim, Method::GET, "user/subscription", &value)).await;
    assert_eq!(plan.json()["character_count"], 13);
    let models = finish(ask(&sim, Method::GET, "models", &value))
        .await
        .json();
    assert!(models.as_array().unwrap().iter().any(|model| {
        model["model_id"] == "eleven_flash_v2_5"
            && model["model_rates"]["character_cost_multiplier"] == 0.5
    }));
    for path in ["user", "voices"] {
        assert_eq!(
            finish(ask(&sim, Method::GET, path, &value)).await.status,
            200
        );
    }
}

#[tokio::test]
async fn what_is_heard_is_paid_by_its_length() {
    let sim = Sim::start().await;
    let value = sim.key_of("elevenlabs", "project").await;
    let form = reqwest::multipart::Form::new()
        .text("model_id", "scribe_v2")
        .part(
            "file",
            reqwest::multipart::Part::bytes(vec![1; 16 * 3_600]).file_name("a.mp3"),
        );
    let answer = finish(ask(&sim, Method::POST, "speech-to-text", &value).multipart(form)).await;
    assert_eq!(answer.json()["audio_duration_secs"], 3.6);
    let bill = sim.bill_of("elevenlabs").await;
    // 3,600 ms × 0.22/3,600,000
    assert_eq!(bill["calls"][0]["costUsd"], "0.000220000");
}

#[tokio::test]
async fn a_key_of_a_service_account_from_its_making_to_its_end() {
    let sim = Sim::start().await;
    let account = account(&sim).await;
    let made = key(&sim, &account, json!({"character_limit": 8})).await;
    let value = made["xi-api-key"].as_str().unwrap();
    let id = made["key_id"].as_str().unwrap();
    assert_eq!(say(&sim, value, "Hello").await.status, 200);
    // What it may not, what it has no more of, and what it is not: all three say 401.
    let user = finish(ask(&sim, Method::GET, "user", value)).await;
    let admin = finish(ask(&sim, Method::GET, "service-accounts", value)).await;
    for refused in [user, admin] {
        assert_eq!(refused.status, 401);
        assert_eq!(refused.json()["detail"]["status"], "missing_permissions");
    }
    let empty = say(&sim, value, "Hello").await;
    assert_eq!(
        (empty.status, empty.json()["detail"]["code"].clone()),
        (401, json!("quota_exceeded"))
    );
    let none = say(&sim, "sk_nonsense", "Hello").await;
    assert_eq!(none.json()["detail"]["code"], "invalid_api_key");
    assert_eq!(
        none.json()["detail"]["request_id"],
        none.header("request-id").unwrap()
    );

    let path = format!("/{account}/api-keys/{id}");
    let patch = async |body: Value| manage(&sim, Method::PATCH, &path, body).await.status;
    assert_eq!(patch(json!({"character_limit": "clear"})).await, 200);
    assert_eq!(say(&sim, value, "Hello").await.status, 200);
    let listed = async || {
        let path = format!("/{account}/api-keys");
        let list = manage(&sim, Method::GET, &path, Value::Null).await;
        assert!(!list.text().contains(value));
        list.json()["api-keys"].clone()
    };
    let before = listed().await[0].clone();
    assert_eq!(before["key_id"], id);
    assert_eq!(before["character_count"], 10);
    assert_eq!(before["hashed_xi_api_key"].as_str().unwrap().len(), 64);
    assert_eq!(
        patch(json!({"is_enabled": false, "name": "no_update"})).await,
        200
    );
    assert_eq!(say(&sim, value, "Hello").await.status, 401);
    assert_eq!(listed().await[0]["is_disabled"], true);
    assert_eq!(patch(json!({"is_enabled": true})).await, 200);
    assert_eq!(say(&sim, value, "Hello").await.status, 200);
    let disable = format!("{path}/disable");
    assert_eq!(
        manage(&sim, Method::POST, &disable, Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(say(&sim, value, "Hello").await.status, 401);
    assert_eq!(
        manage(&sim, Method::DELETE, &path, Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(listed().await, json!([]));
    assert_eq!(
        manage(&sim, Method::DELETE, &path, Value::Null)
            .await
            .status,
        404
    );
    let told = sim.minted("elevenlabs", "&namePrefix=ukm-").await;
    assert_eq!(
        (told.len(), &told[0]["live"], &told[0]["serviceAccountId"]),
        (1, &json!(false), &json!(account))
    );
    let accounts = manage(&sim, Method::GET, "", Value::Null).await.json();
    assert_eq!(
        accounts["service-accounts"][0]["service_account_user_id"],
        account
    );
}

#[tokio::test]
async fn a_key_ends_when_it_was_told_to_and_can_end_itself() {
    let sim = Sim::start().await;
    let account = account(&sim).await;
    let now = sim.judge(Method::GET, "minted", &Value::Null).await["now"]
        .as_i64()
        .unwrap();
    let short = json!({"name": "x", "permissions": "all", "expires_at_unix": now + 60});
    let path = format!("/{account}/api-keys");
    let refused = manage(&sim, Method::POST, &path, short).await;
    assert_eq!(refused.status, 422);
    assert!(refused.json()["detail"].is_array());
    let made = key(&sim, &account, json!({"expires_at_unix": now + 1_000})).await;
    let value = made["xi-api-key"].as_str().unwrap();
    assert_eq!(say(&sim, value, "Hello").await.status, 200);
    sim.judge(Method::POST, "clock", &json!({"advanceSeconds": 1_001}))
        .await;
    assert_eq!(say(&sim, value, "Hello").await.status, 401);

    let made = key(&sim, &account, json!({})).await;
    let value = made["xi-api-key"].as_str().unwrap();
    let path = "workspaces/api-keys/disable?api_key_name=self";
    assert_eq!(
        finish(ask(&sim, Method::POST, path, value)).await.status,
        200
    );
    assert_eq!(say(&sim, value, "Hello").await.status, 401);
}

#[tokio::test]
async fn a_workspace_has_room_for_so_many_accounts_and_keys() {
    let sim = Sim::start().await;
    let limits = json!({"service": "elevenlabs", "serviceAccounts": 2, "keys": 1});
    sim.judge(Method::POST, "limits", &limits).await;
    let first = account(&sim).await;
    account(&sim).await;
    let third = manage(&sim, Method::POST, "", json!({"name": "one too many"})).await;
    assert_eq!(
        (third.status, third.json()["detail"]["code"].clone()),
        (400, json!("service_account_limit_reached"))
    );
    key(&sim, &first, json!({})).await;
    let path = format!("/{first}/api-keys");
    let body = json!({"name": "y", "permissions": "all"});
    let second = manage(&sim, Method::POST, &path, body).await;
    assert_eq!(second.json()["detail"]["code"], "api_key_limit_reached");
}

#[tokio::test]
async fn a_workspace_speaks_so_often_at_one_time_whatever_the_key() {
    let sim = Sim::start().await;
    let limits = json!({"service": "elevenlabs", "organizationId": "org-sim", "concurrency": 1});
    sim.judge(Method::POST, "limits", &limits).await;
    let value = sim.key_of("elevenlabs", "project").await;
    let other = account(&sim).await;
    let other = key(&sim, &other, json!({})).await["xi-api-key"].clone();
    let other = other.as_str().unwrap();
    let slow =
        json!({"service": "elevenlabs", "operation": "text_to_speech.stream", "kind": "hang"});
    sim.judge(Method::POST, "faults", &slow).await;
    let body = json!({"text": "Hello"});
    let hanging = ask(&sim, Method::POST, "text-to-speech/x/stream", &value)
        .json(&body)
        .send();
    let crowd = async || {
        let limits = sim
            .judge(Method::GET, "limits?service=elevenlabs", &Value::Null)
            .await;
        limits["concurrency"][0].clone()
    };
    let meanwhile = async {
        while crowd().await["running"] != 1 {}
        say(&sim, other, "Hello").await
    };
    let refused = tokio::select! {
        answer = hanging => panic!("it answered: {answer:?}"),
        refused = meanwhile => refused,
    };
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.json()["detail"]["code"],
        "concurrent_limit_exceeded"
    );
    assert_eq!(
        refused.json()["detail"]["status"],
        "too_many_concurrent_requests"
    );
    // Whoever left gave the place back.
    while crowd().await["running"] != 0 {}
    assert_eq!(say(&sim, other, "Hello").await.status, 200);
    assert_eq!(say(&sim, other, "Hello").await.status, 200);
    assert_eq!(crowd().await["mostSeen"], 1);
}

#[tokio::test]
async fn a_token_is_good_for_one_call() {
    let sim = Sim::start().await;
    let value = sim.key_of("elevenlabs", "project").await;
    let made = ask(&sim, Method::POST, "single-use-token/batch_scribe", &value);
    let token = finish(made).await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    for status in [200, 401] {
        let form = reqwest::multipart::Form::new()
            .text("model_id", "scribe_v1")
            .part(
                "file",
                reqwest::multipart::Part::bytes(vec![1; 64]).file_name("a.mp3"),
            );
        let path = format!("v1/speech-to-text?token={token}");
        let request = sim.to("elevenlabs", Method::POST, &path).multipart(form);
        assert_eq!(finish(request).await.status, status);
    }
    let last = "last?service=elevenlabs&operation=speech_to_text";
    let last = sim.judge(Method::GET, last, &Value::Null).await;
    assert_eq!(
        last["request"]["path"],
        "/elevenlabs/v1/speech-to-text?token=***"
    );
}

#[tokio::test]
async fn every_trouble_has_its_words() {
    let sim = Sim::start().await;
    let value = sim.key_of("elevenlabs", "project").await;
    let cases = [
        (429, "system_busy", 429, "system_busy"),
        (429, "rate_limit_exceeded", 429, "rate_limit_exceeded"),
        (402, "quota_exceeded", 402, "quota_exceeded"),
    ];
    for (status, code, answered, said) in cases {
        let fault = json!({
            "service": "elevenlabs", "kind": "refuse", "status": status, "code": code,
        });
        sim.judge(Method::POST, "faults", &fault).await;
        let answer = say(&sim, &value, "Hello").await;
        assert_eq!(
            (answer.status, answer.json()["detail"]["code"].as_str()),
            (answered, Some(said))
        );
    }
    let invalid =
        finish(ask(&sim, Method::POST, "text-to-speech/x", &value).json(&json!({}))).await;
    assert_eq!(invalid.status, 422);
    assert_eq!(invalid.json()["detail"][0]["loc"], json!(["body", "text"]));
    let nowhere = finish(ask(&sim, Method::GET, "nowhere", &value)).await;
    assert_eq!(nowhere.json(), json!({"detail": "Not Found"}));
}
