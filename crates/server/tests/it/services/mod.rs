//! The services that are carried beside OpenAI: each plain, streamed, uploaded to, refused, and
//! held against the simulator's own bill.

mod carried;
mod declared;
mod deepgram;
mod elevenlabs;
mod hume;
mod live;
mod manage;
mod socket;

use diamond_domain::Money;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::world::{TENANT_SCOPES, World, nanos};

/// A tenant of one service, and where its key goes.
pub struct Tenant {
    pub world: World,
    pub token: String,
    service: &'static str,
    /// Header and what stands before the token in it.
    place: (&'static str, &'static str),
}

impl Tenant {
    pub async fn of(service: &'static str, place: (&'static str, &'static str)) -> Self {
        Self::in_world(World::start().await, service, place).await
    }

    /// The same in a world that was started otherwise.
    pub async fn in_world(
        world: World,
        service: &'static str,
        place: (&'static str, &'static str),
    ) -> Self {
        world.tenant("zaxon").await;
        world.put_key_of(service, "zaxon").await;
        let token = world.token("zaxon", TENANT_SCOPES).await;
        Self {
            world,
            token,
            service,
            place,
        }
    }

    /// A request through the gateway, with the token where the service's SDK puts the key.
    pub fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        let (name, value) = self.credential();
        self.bare(method, path).header(name, value)
    }

    /// The header that carries the token.
    pub fn credential(&self) -> (&'static str, String) {
        let (name, before) = self.place;
        (name, format!("{before}{}", self.token))
    }

    /// Where a path of the service's is.
    pub fn url(&self, path: &str) -> String {
        format!("{}/gateway/{}/{path}", self.world.url, self.service)
    }

    /// The same without a credential.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.world.client.request(method, self.url(path))
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        let request = self.ask(Method::POST, path).json(body);
        request.send().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path).send().await.unwrap()
    }

    /// What goes wrong with the next call.
    pub async fn fault(&self, mut fault: Value) {
        fault["service"] = json!(self.service);
        self.world.sim_post("/_sim/faults", fault).await;
    }

    /// The bytes that the provider sent last for an operation.
    pub async fn sent(&self, operation: &str) -> Vec<u8> {
        use base64::Engine;
        let body = &self.last(operation).await["response"]["bodyBase64"];
        base64::engine::general_purpose::STANDARD
            .decode(body.as_str().unwrap())
            .unwrap()
    }

    /// The last exchange of an operation, as the provider saw it.
    pub async fn last(&self, operation: &str) -> Value {
        let path = format!("/_sim/last?service={}&operation={operation}", self.service);
        self.world.sim_get(&path).await
    }

    /// Holds the events against the bill and says how many calls there were.
    pub async fn agree(&self) -> usize {
        crate::gateway::agree_with(self.service, &self.world, "zaxon").await
    }

    /// The newest event.
    pub async fn event(&self) -> Value {
        let events = self.world.events("zaxon").await;
        events.last().unwrap().clone()
    }

    /// The first event there is, when it is there: nobody waits for the end of its call.
    pub async fn first_event(&self) -> Value {
        loop {
            if let Some(event) = self.world.events("zaxon").await.first() {
                return event.clone();
            }
        }
    }

    /// What the bill's sum is, to be compared with arithmetic that stands in a test.
    pub async fn billed(&self) -> i128 {
        let path = format!("/_sim/bill?service={}", self.service);
        nanos(&self.world.sim_get(&path).await["totalCostUsd"])
    }

    /// The alarms' codes.
    pub async fn alarms(&self) -> Vec<String> {
        let alarms = self
            .world
            .operate(Method::GET, "/api/alarms", Value::Null)
            .await
            .with(200);
        let items = alarms["items"].as_array().unwrap().iter();
        items
            .map(|alarm| alarm["code"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Dollars with all their digits.
pub fn dollars(text: &str) -> i128 {
    text.parse::<Money>().unwrap().nanos()
}

/// A header of an answer.
pub fn header(response: &Response, name: &str) -> String {
    let value = response.headers().get(name);
    let value = value.unwrap_or_else(|| panic!("no header {name}"));
    value.to_str().unwrap().to_owned()
}

/// A WAV file of silence: 16 kHz, 16 bits.
pub fn wav(milliseconds: u32, channels: u16) -> Vec<u8> {
    let frame = u32::from(channels) * 2;
    let data = milliseconds * 16 * frame;
    let mut file = b"RIFF".to_vec();
    file.extend((data + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    file.extend(channels.to_le_bytes());
    file.extend(16_000_u32.to_le_bytes());
    file.extend((16_000 * frame).to_le_bytes());
    file.extend(u16::try_from(frame).unwrap().to_le_bytes());
    file.extend(b"\x10\0data");
    file.extend(data.to_le_bytes());
    file.resize(file.len() + data as usize, 0);
    file
}
