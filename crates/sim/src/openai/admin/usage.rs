//! `/organization/costs` and `/organization/usage/…`: the bill in OpenAI's buckets.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    bill::Call,
    openai::{
        context::{Context, Served},
        error::{self, Refusal},
    },
    prices,
    quantities::{Meter, Quantities},
    service::Service,
};

/// A day in seconds.
const DAY: i64 = 86_400;

/// What is added up in one row.
#[derive(Default)]
struct Row {
    quantities: Quantities,
    cost_nanos: u128,
}

/// A row's labels: the grouped fields and their values.
type Labels = Vec<(&'static str, Value)>;

/// Money by day.
pub(in crate::openai) fn costs(context: &Context<'_>) -> Result<Served, Refusal> {
    let report = Report::read(context, DAY, (7, 180))?;
    let rows = |labels: &Labels, row: &Row| {
        let value = prices::dollars(row.cost_nanos);
        let mut result = json!({
            "object": "organization.costs.result",
            "amount": {"value": serde_json::from_str::<Value>(&value).unwrap_or_default(), "currency": "usd"},
            "line_item": null, "project_id": null, "api_key_id": null,
        });
        put_labels(&mut result, labels);
        result
    };
    Ok(Served::free(&report.page(context, |_| true, rows)))
}

/// Quantities by minute, hour or day.
pub(in crate::openai) fn usage(context: &Context<'_>) -> Result<Served, Refusal> {
    let what = context.part(0).to_owned();
    let operations: &[&str] = match what.as_str() {
        "completions" => &["chat.completions", "responses"],
        "embeddings" => &["embeddings"],
        "moderations" => &["moderations"],
        "images" => &["images.generations"],
        "audio_speeches" => &["audio.speech"],
        "audio_transcriptions" => &["audio.transcriptions", "audio.translations"],
        "vector_stores"
        | "code_interpreter_sessions"
        | "file_search_calls"
        | "web_search_calls"
        | "decisions" => &[],
        _ => {
            let path = format!("/v1/organization/usage/{what}");
            return Err(error::no_route("GET", &path));
        }
    };
    let (width, limits) = match context.request.query("bucket_width").unwrap_or("1d") {
        "1m" => (60, (60, 1_440)),
        "1h" => (3_600, (24, 168)),
        "1d" => (DAY, (7, 31)),
        _ => {
            let message = "Invalid 'bucket_width': expected 1m, 1h or 1d.";
            return Err(error::invalid("bucket_width", "invalid_value", message));
        }
    };
    let report = Report::read(context, width, limits)?;
    let rows = |labels: &Labels, row: &Row| {
        let mut result = usage_row(&what, &row.quantities);
        put_labels(&mut result, labels);
        result
    };
    let meant = |call: &Call| operations.contains(&call.operation.as_str());
    Ok(Served::free(&report.page(context, meant, rows)))
}

fn usage_row(what: &str, quantities: &Quantities) -> Value {
    let get = |meter| quantities.get(meter);
    let mut row = json!({
        "object": format!("organization.usage.{what}.result"),
        "num_model_requests": get(Meter::Requests),
        "project_id": null, "user_id": null, "api_key_id": null, "model": null,
    });
    let mut put = |name: &str, amount: u64| row[name] = json!(amount);
    match what {
        "completions" => {
            let (short, long) = (
                get(Meter::CacheWriteTokens),
                get(Meter::CacheWriteLongTokens),
            );
            let cached = get(Meter::CachedInputTokens);
            let input = get(Meter::InputTokens);
            put("input_tokens", input);
            put("input_cached_tokens", cached);
            put("input_cache_write_tokens", short + long);
            put("input_cache_write_30m_tokens", short);
            put("input_cache_write_12h_tokens", long);
            put(
                "input_uncached_tokens",
                input.saturating_sub(cached + short + long),
            );
            put("input_audio_tokens", 0);
            put("output_tokens", get(Meter::OutputTokens));
            put("output_audio_tokens", 0);
        }
        "embeddings" | "moderations" => put("input_tokens", get(Meter::InputTokens)),
        "images" => put("images", get(Meter::Images)),
        "audio_speeches" => put("characters", get(Meter::Characters)),
        "audio_transcriptions" => {
            put("seconds", get(Meter::AudioMilliseconds).div_ceil(1_000));
        }
        _ => {}
    }
    row
}

fn put_labels(result: &mut Value, labels: &Labels) {
    for (name, value) in labels {
        result[*name] = value.clone();
    }
}

/// What a report was asked for.
struct Report {
    start: i64,
    end: i64,
    width: i64,
    buckets: i64,
    group_by: Vec<&'static str>,
    keys: Vec<String>,
    projects: Vec<String>,
    models: Vec<String>,
}

impl Report {
    fn read(context: &Context<'_>, width: i64, limits: (i64, i64)) -> Result<Self, Refusal> {
        let request = context.request;
        let number = |name: &str| {
            request
                .query(name)
                .and_then(|text| text.parse::<i64>().ok())
        };
        let start = number("start_time").ok_or_else(|| error::missing("start_time"))?;
        let end = number("end_time").unwrap_or_else(|| context.now() + 1);
        let buckets = number("limit").unwrap_or(limits.0);
        if !(1..=limits.1).contains(&buckets) {
            let message = format!("Invalid 'limit': expected 1 to {}.", limits.1);
            return Err(error::invalid("limit", "invalid_value", message));
        }
        let known = [
            "project_id",
            "api_key_id",
            "model",
            "line_item",
            "service_tier",
        ];
        let asked = request.query_list("group_by");
        let owned = |name| {
            request
                .query_list(name)
                .into_iter()
                .map(str::to_owned)
                .collect()
        };
        Ok(Self {
            // A page begins where the one before it ended.
            start: number("page").unwrap_or(start - start.rem_euclid(width)),
            end,
            width,
            buckets,
            group_by: known
                .into_iter()
                .filter(|name| asked.contains(name))
                .collect(),
            keys: owned("api_key_ids"),
            projects: owned("project_ids"),
            models: owned("models"),
        })
    }

    fn labels(&self, call: &Call) -> Labels {
        let value = |name: &str| match name {
            "project_id" => json!(call.project_id),
            "api_key_id" => json!(call.key_id),
            "service_tier" => json!(call.service_tier),
            _ => json!(call.model),
        };
        self.group_by
            .iter()
            .map(|name| (*name, value(name)))
            .collect()
    }

    fn includes(&self, call: &Call) -> bool {
        let listed = |list: &[String], value: &str| {
            list.is_empty() || list.iter().any(|listed| listed == value)
        };
        listed(&self.keys, &call.key_id)
            && listed(
                &self.projects,
                call.project_id.as_deref().unwrap_or_default(),
            )
            && listed(&self.models, &call.model)
    }

    fn page(
        &self,
        context: &Context<'_>,
        meant: impl Fn(&Call) -> bool,
        view: impl Fn(&Labels, &Row) -> Value,
    ) -> Value {
        let last = self
            .start
            .saturating_add(self.width.saturating_mul(self.buckets));
        let end = self.end.min(last);
        let mut buckets: BTreeMap<i64, BTreeMap<String, (Labels, Row)>> = BTreeMap::new();
        context.world.bill.for_each(Service::Openai, |call| {
            let inside = call.served_at >= self.start && call.served_at < end;
            if !inside || !meant(call) || !self.includes(call) {
                return;
            }
            let bucket = call.served_at - (call.served_at - self.start).rem_euclid(self.width);
            let labels = self.labels(call);
            let name = labels
                .iter()
                .map(|(_, value)| format!("{value}\n"))
                .collect();
            let rows = buckets.entry(bucket).or_default();
            let (_, row) = rows.entry(name).or_insert_with(|| (labels, Row::default()));
            row.quantities.join(&call.quantities);
            row.cost_nanos += call.cost_nanos();
        });
        let mut data = Vec::new();
        let mut bucket = self.start;
        while bucket < end {
            let rows = buckets.remove(&bucket).unwrap_or_default();
            let results: Vec<Value> = rows
                .values()
                .map(|(labels, row)| view(labels, row))
                .collect();
            data.push(json!({
                "object": "bucket",
                "start_time": bucket,
                "end_time": bucket + self.width,
                "results": results,
            }));
            bucket += self.width;
        }
        let has_more = self.end > last;
        json!({
            "object": "page",
            "data": data,
            "has_more": has_more,
            "next_page": has_more.then(|| last.to_string()),
        })
    }
}
