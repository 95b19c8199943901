//! The management conversations of every service, carried to the simulator, which keeps its own
//! list of keys.

use std::time::Duration;

use diamond_domain::SecretValue;
use diamond_providers::{
    Answer, HeaderText, KeyManagement, KeyVerdict, ManagementError, MintSpec, OutboundRequest,
    Provider, ShortLived, ShortLivedSpec, Step,
};
use serde_json::Value;

use crate::world::Sim;

/// A service at the simulator, with a key that manages others where there is one.
struct Desk {
    sim: Sim,
    provider: std::sync::Arc<dyn Provider>,
    client: reqwest::Client,
}

impl Desk {
    async fn of(service: &str) -> Self {
        let service = service.parse().unwrap();
        Self {
            sim: Sim::start(&[]).await,
            provider: diamond_providers::all().get(&service).unwrap(),
            client: reqwest::Client::new(),
        }
    }

    fn management(&self) -> &dyn KeyManagement {
        self.provider.management().unwrap()
    }

    async fn key(&self, kind: &str) -> SecretValue {
        let service = self.provider.service();
        let url = format!("{}/_sim/keys?service={service}", self.sim.url);
        let keys: Value = self
            .client
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let keys = keys["keys"].as_array().unwrap();
        let key = keys.iter().find(|key| key["kind"] == kind).unwrap();
        SecretValue::new(key["value"].as_str().unwrap().to_owned())
    }

    /// Sends a request and reads its answer.
    async fn send<T>(&self, request: &OutboundRequest, read: impl FnOnce(&Answer<'_>) -> T) -> T {
        let service = self.provider.service();
        let url = format!("{}/{service}{}", self.sim.url, request.path_and_query);
        let mut sending = self.client.request(request.method.clone(), url);
        for (name, text) in &request.headers {
            sending = match text {
                HeaderText::Plain(text) => sending.header(name, text),
                HeaderText::Secret(secret) => sending.header(name, secret.expose()),
            };
        }
        let answer = sending.body(request.body.clone()).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.unwrap();
        let clock = format!("{}/_sim/minted", self.sim.url);
        let clock: Value = self
            .client
            .get(clock)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let now = jiff::Timestamp::from_second(clock["now"].as_i64().unwrap()).unwrap();
        read(&Answer {
            status,
            headers: &headers,
            body: &body,
            now,
        })
    }

    /// Carries a conversation to its end.
    async fn carry<T>(&self, step: Result<Step<T>, ManagementError>) -> Result<T, ManagementError> {
        let mut step = step?;
        loop {
            match step {
                Step::Done(value) => return Ok(value),
                Step::Ask(ask) => {
                    let request = ask.request.clone();
                    step = self.send(&request, |answer| ask.answered(answer)).await?;
                }
            }
        }
    }

    async fn verdict(&self, key: &SecretValue) -> KeyVerdict {
        let request = self.provider.validation(key).unwrap();
        self.send(&request, |answer| self.provider.read_validation(answer))
            .await
    }

    async fn short_lived(&self, key: &SecretValue, kind: Option<&str>) -> ShortLived {
        let spec = ShortLivedSpec {
            kind: kind.map(str::to_owned),
            lifetime: None,
        };
        self.carry(self.provider.short_lived(key, &spec))
            .await
            .unwrap()
    }
}

fn spec(name: &str) -> MintSpec {
    MintSpec {
        key_name: format!("ukm-i-zaxon-{name}"),
        place_name: "ukm-i-zaxon".to_owned(),
        place: None,
        permissions: Vec::new(),
        lifetime: Some(Duration::from_secs(3_600)),
        usage_limit: None,
        addresses: Vec::new(),
        tags: Vec::new(),
    }
}

#[tokio::test]
async fn keys_live_from_their_making_to_their_end() {
    for service in ["openai", "elevenlabs", "deepgram"] {
        let desk = Desk::of(service).await;
        let (admin, management) = (desk.key("admin").await, desk.management());
        let proof = management.validation(&admin);
        let status = desk.send(&proof, |answer| answer.status).await;
        assert_eq!(status, 200, "{service}");
        let first = desk
            .carry(management.mint(&admin, &spec("one")))
            .await
            .unwrap();
        assert_eq!(
            desk.verdict(&first.value).await,
            KeyVerdict::Valid,
            "{service}"
        );
        assert!(first.expires_at.is_some(), "{service}");
        // The second stands where the first does.
        let second = desk
            .carry(management.mint(&admin, &spec("two")))
            .await
            .unwrap();
        assert_eq!(first.key.place, second.key.place, "{service}");
        for place in [None, Some(&first.key.place)] {
            let listed = desk.carry(management.list(&admin, place)).await.unwrap();
            let found = listed.iter().find(|listed| listed.key == first.key);
            let found = found.unwrap_or_else(|| panic!("{service}: {listed:?}"));
            assert_eq!(found.name, "ukm-i-zaxon-one");
            assert!(found.live);
            if found.hint.is_some() {
                assert!(
                    found.may_be(&first.value) && !found.may_be(&second.value),
                    "{service}"
                );
            }
        }
        for _ in 0..2 {
            let ended = desk.carry(management.revoke(&admin, &first.key)).await;
            assert_eq!(
                ended,
                Ok(()),
                "{service}: ending it twice changes nothing more"
            );
        }
        let dead = desk.verdict(&first.value).await;
        assert!(
            matches!(dead, KeyVerdict::Invalid { .. }),
            "{service}: {dead:?}"
        );
        assert_eq!(
            desk.verdict(&second.value).await,
            KeyVerdict::Valid,
            "{service}"
        );
        assert!(desk.carry(management.capacity(&admin)).await.is_ok());
        let stranger = SecretValue::new("nobody-knows-this".to_owned());
        let refused = desk.carry(management.list(&stranger, None)).await;
        assert!(
            matches!(
                refused,
                Err(ManagementError::Credential(KeyVerdict::Invalid { .. }))
            ),
            "{service}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_key_is_switched_off_and_on_where_there_is_a_switch() {
    let desk = Desk::of("elevenlabs").await;
    let (admin, management) = (desk.key("admin").await, desk.management());
    let made = desk
        .carry(management.mint(&admin, &spec("one")))
        .await
        .unwrap();
    for enabled in [false, true] {
        let switched = management.set_enabled(&admin, &made.key, enabled);
        desk.carry(switched).await.unwrap();
        let valid = desk.verdict(&made.value).await == KeyVerdict::Valid;
        assert_eq!(valid, enabled);
        let listed = desk
            .carry(management.list(&admin, Some(&made.key.place)))
            .await;
        assert_eq!(listed.unwrap()[0].live, enabled);
    }
    // A workspace takes so many accounts; all tenants share one of them.
    for number in 0..25 {
        let of_another = MintSpec {
            place_name: format!("ukm-i-tenant{number}"),
            ..spec("one")
        };
        desk.carry(management.mint(&admin, &of_another))
            .await
            .unwrap();
    }
    let capacity = desk.carry(management.capacity(&admin)).await.unwrap();
    assert_eq!((capacity[0].used, capacity[0].limit), (1, Some(20)));
}

#[tokio::test]
async fn keys_are_exchanged_for_tokens_that_end_soon() {
    let desk = Desk::of("elevenlabs").await;
    let key = desk.key("project").await;
    let token = desk.short_lived(&key, Some("tts_websocket")).await;
    assert!(token.single_use);
    let desk = Desk::of("deepgram").await;
    let key = desk.key("project").await;
    let token = desk.short_lived(&key, None).await;
    assert_ne!(token.value.expose(), key.expose());
    let url = format!("{}/deepgram/v1/speak", desk.sim.url);
    let spoken = desk
        .client
        .post(url)
        .bearer_auth(token.value.expose())
        .json(&serde_json::json!({ "text": "x" }));
    assert_eq!(spoken.send().await.unwrap().status(), 200);
    let desk = Desk::of("hume").await;
    let key = desk.key("project").await;
    let pair = format!("{0}:{0}-secret", key.expose());
    let token = desk
        .short_lived(&SecretValue::new(pair.clone()), None)
        .await;
    let url = format!("{}/hume/v1/expression/run", desk.sim.url);
    let runs = desk.client.get(url).bearer_auth(token.value.expose());
    assert_eq!(runs.send().await.unwrap().status(), 200);
    // The key of a pair is proved without its secret.
    let verdict = desk.verdict(&SecretValue::new(pair)).await;
    assert_eq!(verdict, KeyVerdict::Valid);
}
