//! What must be true when the server stands again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use reqwest::Method;
use serde_json::{Value, json};

use super::load::Known;
use crate::world::{World, nanos};

/// Counts what was compared.
#[derive(Debug, Default, Clone)]
pub struct Report {
    /// Calls that the simulator received.
    pub received: u64,
    /// Of these: events that equal its bill.
    pub exact: u64,
    /// Of these: partial events of calls that were under way at a death.
    pub lost: u64,
    /// Of these: other partial events, the caller left.
    pub partial: u64,
    /// Besides these: calls that were written down and died on their way to the provider. Nobody
    /// can know that they did not reach it, so each is a partial event, too.
    pub unreceived: u64,
    pub reports: u64,
    pub resent_new: u64,
    pub resent_known: u64,
    pub keys: u64,
    pub audit_entries: u64,
    pub administered: u64,
}

impl Report {
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            received: self.received + other.received,
            exact: self.exact + other.exact,
            lost: self.lost + other.lost,
            partial: self.partial + other.partial,
            unreceived: self.unreceived + other.unreceived,
            reports: self.reports + other.reports,
            resent_new: self.resent_new + other.resent_new,
            resent_known: self.resent_known + other.resent_known,
            keys: self.keys + other.keys,
            audit_entries: self.audit_entries + other.audit_entries,
            administered: self.administered + other.administered,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} calls received by the provider, each one event: {} to the nano-dollar, the others \
             partial ({} under way at a death, {} whose caller left); {} more were written down \
             and died before the provider received them, each one partial event; {} reports, each once (sent again after a death: {} accepted, {} known); \
             {} keys handed out, each in an audit chain of {} entries in all; \
             {} tenants and tokens",
            self.received,
            self.exact,
            self.lost,
            self.partial,
            self.unreceived,
            self.reports,
            self.resent_new,
            self.resent_known,
            self.keys,
            self.audit_entries,
            self.administered,
        )
    }
}

/// Knows everything that was acknowledged in a world.
pub struct Judge {
    token: String,
    /// All events so far, in the order of their sequences.
    events: Vec<Value>,
    /// Where the event of a call stands, by the client's name for the call.
    calls: BTreeMap<String, usize>,
    ids: BTreeSet<String>,
    reports: BTreeSet<String>,
    finished: BTreeSet<String>,
    /// Where the next page of the audit log begins, and the purposes that were read.
    audited: String,
    purposes: BTreeSet<String>,
    report: Report,
}

impl Judge {
    pub async fn new(world: &World) -> Self {
        Self {
            token: world.ready_tenant("zaxon").await,
            events: Vec::new(),
            calls: BTreeMap::new(),
            ids: BTreeSet::new(),
            reports: BTreeSet::new(),
            finished: BTreeSet::new(),
            audited: "0".to_owned(),
            purposes: BTreeSet::new(),
            report: Report::default(),
        }
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    pub fn report(&self) -> Report {
        self.report.clone()
    }

    /// After a death and a restart.
    pub async fn judge(&mut self, world: &World, known: Known, death: u64) {
        assert!(known.faults.is_empty(), "death {death}: {:?}", known.faults);
        self.send_again(world, &known).await;
        self.read_events(world).await;
        self.compare_reports();
        self.finished.extend(known.finished);
        self.compare_calls(world, death).await;
        self.compare_audit(world, &known.revealed).await;
        self.report.administered += (known.tenants.len() + known.tokens.len()) as u64;
        for tenant in &known.tenants {
            let path = format!("/api/tenants/{tenant}");
            let found = world.operate(Method::GET, &path, Value::Null).await;
            assert_eq!(found.with(200)["id"], *tenant);
        }
        for token in &known.tokens {
            let path = "/api/usage/events?limit=1";
            let found = world.send(Method::GET, path, Some(token), None).await;
            found.with(200);
        }
        let lost = self.events.iter().any(|event| event["outcome"] == "lost");
        let alarms = world.operate(Method::GET, "/api/alarms", Value::Null).await;
        let alarms = alarms.with(200).to_string();
        assert!(!lost || alarms.contains("recovered_calls"), "{alarms}");
    }

    /// At the end of a world: all of it once more, from the beginning.
    pub async fn judge_all(&mut self, world: &World) {
        let all = read_from(world, "0").await;
        assert!(all == self.events, "what was read before has changed");
    }

    async fn send_again(&mut self, world: &World, known: &Known) {
        self.reports
            .extend(known.acknowledged.iter().map(|(_, event)| event.clone()));
        let unanswered = known.unanswered.values().flatten().cloned();
        // What was acknowledged is known, each one.
        let again = known.acknowledged.iter().map(|(report, _)| report.clone());
        let again: Vec<Value> = again.take(200).collect();
        for item in self.tell(world, &again).await {
            assert_eq!(
                item["verdict"], "duplicate",
                "acknowledged and lost: {item}"
            );
        }
        for item in self.tell(world, &unanswered.collect::<Vec<_>>()).await {
            match item["verdict"].as_str() {
                Some("accepted") => self.report.resent_new += 1,
                Some("duplicate") => self.report.resent_known += 1,
                _ => panic!("{item}"),
            }
            let event = item["eventId"].as_str().unwrap().to_owned();
            self.reports.insert(event);
        }
        self.report.reports = self.reports.len() as u64;
    }

    async fn tell(&self, world: &World, reports: &[Value]) -> Vec<Value> {
        if reports.is_empty() {
            return Vec::new();
        }
        let body = json!(reports);
        let told = world
            .send(Method::POST, "/api/usage", Some(&self.token), Some(&body))
            .await;
        told.with(200)["items"].as_array().unwrap().clone()
    }

    /// Reads on: what was there before stays as it was.
    async fn read_events(&mut self, world: &World) {
        let after = self.events.len().to_string();
        for event in read_from(world, &after).await {
            let place = self.events.len();
            assert_eq!(event["ledgerSequence"], place as u64 + 1, "a gap: {event}");
            let id = event["eventId"].as_str().unwrap().to_owned();
            assert!(self.ids.insert(id), "counted twice: {event}");
            if let Some(call) = event["tags"]["call"].as_str() {
                let former = self.calls.insert(call.to_owned(), place);
                assert!(former.is_none(), "a call is two events: {event}");
                assert_eq!(
                    event["userId"],
                    format!("{call}@example.com"),
                    "whose: {event}"
                );
            }
            self.events.push(event);
        }
    }

    fn compare_reports(&self) {
        let told = self.events.iter().filter(|event| event["source"] == "api");
        let told: BTreeSet<&str> = told
            .map(|event| event["eventId"].as_str().unwrap())
            .collect();
        let expected: BTreeSet<&str> = self.reports.iter().map(String::as_str).collect();
        assert!(
            told == expected,
            "reports are missing or too many: {:?}",
            told.symmetric_difference(&expected).collect::<Vec<_>>()
        );
    }

    async fn compare_calls(&mut self, world: &World, death: u64) {
        let bill = world.sim_get("/_sim/bill?service=openai").await;
        let bill = bill["calls"].as_array().unwrap();
        let mut exact = 0;
        let mut received = BTreeSet::new();
        for line in bill {
            let name = line["clientRequestId"].as_str().unwrap();
            assert!(received.insert(name), "received twice: {line}");
            let place = self.calls.get(name);
            let place = *place.unwrap_or_else(|| panic!("death {death}: no event of {line}"));
            let event = &self.events[place];
            let id = &event["providerRequestId"];
            assert!(id.is_null() || *id == line["requestId"], "{event}\n{line}");
            if event["partial"] == false {
                assert_eq!(
                    nanos(&event["costUsd"]),
                    nanos(&line["costUsd"]),
                    "{event}\n{line}"
                );
                assert_eq!(event["model"], line["model"], "{event}\n{line}");
                exact += 1;
            }
        }
        let mut lost = 0;
        let mut partial = 0;
        let mut unreceived = 0;
        for (name, place) in &self.calls {
            let event = &self.events[*place];
            let is_lost = event["outcome"] == "lost";
            if event["partial"] == true {
                assert!(!self.finished.contains(name), "delivered whole: {event}");
                match (received.contains(name.as_str()), is_lost) {
                    (true, true) => lost += 1,
                    (true, false) => partial += 1,
                    (false, true) => unreceived += 1,
                    (false, false) => panic!("counted, though nobody received it: {event}"),
                }
            } else {
                assert!(received.contains(name.as_str()), "invented: {event}");
            }
            assert!(!is_lost || event["partial"] == true, "{event}");
        }
        for name in &self.finished {
            assert!(self.calls.contains_key(name), "delivered, no event: {name}");
        }
        self.report.received = bill.len() as u64;
        assert_eq!(
            exact + lost + partial,
            self.report.received,
            "death {death}"
        );
        (self.report.exact, self.report.lost, self.report.partial) = (exact, lost, partial);
        self.report.unreceived = unreceived;
    }

    async fn compare_audit(&mut self, world: &World, revealed: &[String]) {
        let verdict = world
            .operate(Method::GET, "/api/audit/verify", Value::Null)
            .await
            .with(200);
        assert_eq!(verdict["ok"], true, "{verdict}");
        loop {
            let path = format!("/api/audit?limit=1000&cursor={}", self.audited);
            let page = world.operate(Method::GET, &path, Value::Null).await;
            let page = page.with(200);
            let items = page["items"].as_array().unwrap();
            for entry in items {
                self.report.audit_entries += 1;
                assert_eq!(entry["sequence"], self.report.audit_entries, "{entry}");
                self.audited = entry["sequence"].to_string();
                if let Some(purpose) = entry["purpose"].as_str()
                    && entry["action"] == "key_reveal"
                {
                    assert_eq!(entry["outcome"], "granted");
                    let new = self.purposes.insert(purpose.to_owned());
                    assert!(new, "audited twice: {entry}");
                }
            }
            if page["nextCursor"].is_null() {
                break;
            }
        }
        for purpose in revealed {
            assert!(
                self.purposes.contains(purpose),
                "a key without an audit entry: {purpose}"
            );
        }
        self.report.keys += revealed.len() as u64;
    }
}

async fn read_from(world: &World, after: &str) -> Vec<Value> {
    let mut events = Vec::new();
    let mut cursor = after.to_owned();
    loop {
        let path = format!("/api/usage/events?limit=1000&cursor={cursor}");
        let page = world.operate(Method::GET, &path, Value::Null).await;
        let page = page.with(200);
        events.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return events,
        }
    }
}
