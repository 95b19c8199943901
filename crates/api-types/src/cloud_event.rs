//! Usage reports in the envelope of CloudEvents 1.0 (structured JSON).

use diamond_domain::TraceId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::UsageReport;

/// The `type` of a usage report.
pub const CLOUD_EVENT_TYPE: &str = "diamond.usage.v1";

/// What the envelope says instead of the report.
const ENVELOPE_FIELDS: [&str; 3] = ["id", "source", "timestamp"];

/// A usage report as a CloudEvent. Attributes that are not listed here are allowed, as the
/// standard asks, and ignored.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UsageCloudEvent {
    /// The version of the standard.
    #[schema(pattern = "^1\\.0$", example = "1.0")]
    pub specversion: String,
    /// The kind of event.
    #[serde(rename = "type")]
    #[schema(pattern = "^diamond\\.usage\\.v1$", example = "diamond.usage.v1")]
    pub kind: String,
    /// The caller's own name for the fact.
    #[schema(min_length = 1, max_length = 256)]
    pub id: String,
    /// Which of the caller's systems speaks.
    #[schema(min_length = 1, max_length = 256)]
    pub source: String,
    /// When the call began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::words::Timestamp>)]
    pub time: Option<String>,
    /// The form of `data`: JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^application/json$")]
    pub datacontenttype: Option<String>,
    /// The W3C trace context of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")]
    pub traceparent: Option<String>,
    /// The report without what the envelope says (`id`, `source`, `timestamp`).
    #[serde(deserialize_with = "crate::distinct::object")]
    #[schema(value_type = UsageCloudEventData)]
    pub data: Map<String, Value>,
}

/// Why a CloudEvent is not a usage report.
#[derive(Debug, thiserror::Error)]
pub enum CloudEventError {
    /// Another version of the standard.
    #[error("`specversion` is `1.0`")]
    Version,
    /// Another kind of event.
    #[error("`type` is `{CLOUD_EVENT_TYPE}`")]
    Kind,
    /// The data is in another form.
    #[error("`datacontenttype` is `application/json`")]
    ContentType,
    /// Said twice.
    #[error("`data.{0}` is said by the envelope")]
    Twice(&'static str),
    /// The data is not a report.
    #[error("{0}")]
    Data(#[source] serde_json::Error),
}

impl UsageCloudEvent {
    /// The report inside.
    ///
    /// # Errors
    /// [`CloudEventError`] when it is not one.
    pub fn into_report(self) -> Result<UsageReport, CloudEventError> {
        if self.specversion != "1.0" {
            return Err(CloudEventError::Version);
        }
        if self.kind != CLOUD_EVENT_TYPE {
            return Err(CloudEventError::Kind);
        }
        let json = |form: &str| form.split(';').next().map(str::trim) == Some("application/json");
        if !self.datacontenttype.as_deref().is_none_or(json) {
            return Err(CloudEventError::ContentType);
        }
        let mut data = self.data;
        if let Some(field) = ENVELOPE_FIELDS
            .into_iter()
            .find(|field| data.contains_key(*field))
        {
            return Err(CloudEventError::Twice(field));
        }
        data.insert("id".to_owned(), self.id.into());
        data.insert("source".to_owned(), self.source.into());
        if let Some(time) = self.time {
            data.insert("timestamp".to_owned(), time.into());
        }
        let trace = self
            .traceparent
            .as_deref()
            .and_then(TraceId::from_traceparent);
        if let Some(trace) = trace {
            data.entry("traceId")
                .or_insert_with(|| trace.to_string().into());
        }
        serde_json::from_value(Value::Object(data)).map_err(CloudEventError::Data)
    }
}

/// The shape of `data`: a [`UsageReport`] without the fields that the envelope says.
#[derive(Debug)]
pub enum UsageCloudEventData {}

impl PartialSchema for UsageCloudEventData {
    fn schema() -> RefOr<Schema> {
        let mut schema = UsageReport::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            for field in ENVELOPE_FIELDS {
                object.properties.remove(field);
                object.required.retain(|required| required != field);
            }
        }
        schema
    }
}

impl ToSchema for UsageCloudEventData {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        UsageReport::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(changes: &[(&str, Value)]) -> Result<UsageReport, CloudEventError> {
        let mut event = serde_json::json!({
            "specversion": "1.0", "type": CLOUD_EVENT_TYPE, "id": "a-1", "source": "/jobs/night",
            "time": "2026-11-20T10:00:00Z", "datacontenttype": "application/json; charset=utf-8",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "comexampleextension": 7,
            "data": {"service": "openai", "model": "gpt-4o", "quantities": {"input_tokens": 5}},
        });
        for (field, value) in changes {
            event[*field] = value.clone();
        }
        serde_json::from_value::<UsageCloudEvent>(event)
            .unwrap()
            .into_report()
    }

    #[test]
    fn the_envelope_and_the_data_make_one_report() {
        let report = event(&[]).unwrap();
        assert_eq!(report.id, "a-1");
        assert_eq!(report.source.as_deref(), Some("/jobs/night"));
        assert_eq!(
            report.timestamp.unwrap().to_string(),
            "2026-11-20T10:00:00Z"
        );
        assert_eq!(
            report.trace_id.unwrap().to_string(),
            "4bf92f3577b34da6a3ce929d0e0e4736"
        );
    }

    #[test]
    fn what_is_not_a_usage_report_is_refused_with_the_reason() {
        assert!(matches!(
            event(&[("specversion", "0.3".into())]),
            Err(CloudEventError::Version)
        ));
        assert!(matches!(
            event(&[("type", "com.example.other".into())]),
            Err(CloudEventError::Kind)
        ));
        assert!(matches!(
            event(&[("datacontenttype", "text/xml".into())]),
            Err(CloudEventError::ContentType)
        ));
        assert!(matches!(
            event(&[("data", serde_json::json!({"id": "b"}))]),
            Err(CloudEventError::Twice("id"))
        ));
        assert!(matches!(
            event(&[("data", serde_json::json!({"service": "openai"}))]),
            Err(CloudEventError::Data(_))
        ));
    }

    #[test]
    fn the_shape_of_the_data_lacks_what_the_envelope_says() {
        let schema = serde_json::to_value(UsageCloudEventData::schema()).unwrap();
        let properties = schema["properties"].as_object().unwrap();
        assert!(properties.contains_key("quantities"));
        assert!(
            ENVELOPE_FIELDS
                .iter()
                .all(|field| !properties.contains_key(*field))
        );
    }
}
