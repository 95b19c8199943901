//! A simulator on a free port, and a client for it.

use diamond_sim::Simulator;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::{sync::DropGuard, task::TaskTracker};

pub const KEY_ID: &str = "key_openai_0001";

pub struct Sim {
    pub simulator: Simulator,
    pub key: String,
    pub admin_key: String,
    client: Client,
    address: String,
    _stop: DropGuard,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The data of a stream's events.
    pub fn events(&self) -> Vec<Value> {
        let text = self.text();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter(|data| *data != "[DONE]")
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }
}

impl Sim {
    pub async fn start() -> Self {
        Self::serve(Simulator::new().unwrap()).await
    }

    pub async fn serve(simulator: Simulator) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let stop = tokio_util::sync::CancellationToken::new();
        let (served, stopped) = (simulator.clone(), stop.clone());
        TaskTracker::new().spawn(async move { served.serve(listener, stopped.cancelled()).await });
        let client = Client::builder().build().unwrap();
        let mut sim = Self {
            simulator,
            key: String::new(),
            admin_key: String::new(),
            client,
            address,
            _stop: stop.drop_guard(),
        };
        let keys = sim
            .judge(Method::GET, "keys?service=openai", &Value::Null)
            .await;
        for key in keys["keys"].as_array().unwrap() {
            let value = key["value"].as_str().unwrap().to_owned();
            match key["kind"].as_str() {
                Some("admin") => sim.admin_key = value,
                _ => sim.key = value,
            }
        }
        sim
    }

    /// Asks the judge.
    pub async fn judge(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = self
            .client
            .request(method, format!("{}/_sim/{path}", self.address));
        let answer = finish(request.json(body)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    pub async fn bill(&self) -> Value {
        self.judge(Method::GET, "bill?service=openai", &Value::Null)
            .await
    }

    /// The only call on the bill.
    pub async fn only_call(&self) -> Value {
        let bill = self.bill().await;
        assert_eq!(bill["calls"].as_array().map(Vec::len), Some(1), "{bill}");
        assert_eq!(bill["totalCostUsd"], bill["calls"][0]["costUsd"]);
        bill["calls"][0].clone()
    }

    pub async fn fault(&self, fault: Value) {
        let mut body = json!({"service": "openai"});
        for (name, value) in fault.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.judge(Method::POST, "faults", &body).await;
    }

    pub async fn set_key(&self, change: Value) {
        let mut body = json!({"service": "openai", "id": KEY_ID});
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.judge(Method::POST, "keys", &body).await;
    }

    /// A request to OpenAI with a key.
    pub fn request(&self, method: Method, path: &str, key: &str) -> RequestBuilder {
        let address = format!("{}/openai/v1/{path}", self.address);
        self.client.request(method, address).bearer_auth(key)
    }

    pub async fn get(&self, path: &str) -> Answer {
        finish(self.request(Method::GET, path, &self.key)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        finish(self.request(Method::POST, path, &self.key).json(body)).await
    }

    /// A request to the administration.
    pub async fn manage(&self, method: Method, path: &str, body: &Value) -> Answer {
        let path = format!("organization/{path}");
        let request = self.request(method.clone(), &path, &self.admin_key);
        finish(if method == Method::GET {
            request
        } else {
            request.json(body)
        })
        .await
    }

    /// A request to any company, without a key.
    pub fn to(&self, service: &str, method: Method, path: &str) -> RequestBuilder {
        let address = format!("{}/{service}/{path}", self.address);
        self.client.request(method, address)
    }

    /// The value of the first key of a company, of this kind.
    pub async fn key_of(&self, service: &str, kind: &str) -> String {
        let path = format!("keys?service={service}");
        let keys = self.judge(Method::GET, &path, &Value::Null).await;
        let mut keys = keys["keys"].as_array().unwrap().iter();
        let key = keys.find(|key| key["kind"] == kind).unwrap();
        key["value"].as_str().unwrap().to_owned()
    }

    /// The bill of any company.
    pub async fn bill_of(&self, service: &str) -> Value {
        let path = format!("bill?service={service}");
        self.judge(Method::GET, &path, &Value::Null).await
    }

    /// Everything that the judge tells of the keys of a company.
    pub async fn minted(&self, service: &str, query: &str) -> Vec<Value> {
        let path = format!("minted?service={service}{query}");
        let told = self.judge(Method::GET, &path, &Value::Null).await;
        told["keys"].as_array().unwrap().clone()
    }

    /// A form with a file to OpenAI.
    pub async fn upload(&self, path: &str, file: Vec<u8>, fields: &[(&str, &str)]) -> Answer {
        let part = reqwest::multipart::Part::bytes(file).file_name("a.wav");
        let mut form = reqwest::multipart::Form::new().part("file", part);
        for (name, value) in fields {
            form = form.text((*name).to_owned(), (*value).to_owned());
        }
        finish(self.request(Method::POST, path, &self.key).multipart(form)).await
    }

    pub fn address(&self) -> &str {
        &self.address
    }
}

pub async fn finish(request: RequestBuilder) -> Answer {
    read(request.send().await.unwrap()).await
}

pub async fn read(response: Response) -> Answer {
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        bytes: response.bytes().await.unwrap().to_vec(),
    }
}

/// A chat with one message.
pub fn chat(model: &str, message: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": message}]})
}
