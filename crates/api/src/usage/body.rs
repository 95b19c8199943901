//! The forms in which usage is reported.

use bytes::Bytes;
use diamond_api_types::{REPORTS_MAX, UsageCloudEvent, UsageReport};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{errors::ApiError, extract::is_array};

/// The form that a body's media type announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One report or an array of them.
    Plain,
    /// One CloudEvent.
    CloudEvent,
    /// An array of CloudEvents.
    CloudEventBatch,
}

/// A report, or why it is none.
pub type Parsed = Result<UsageReport, NotAReport>;

/// Why one of the items is not a report.
#[derive(Debug, PartialEq, Eq)]
pub struct NotAReport {
    /// The caller's name for it, if one could be read.
    pub id: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl Form {
    /// The form of a media type.
    pub fn of(content_type: Option<&str>) -> Result<Self, ApiError> {
        match content_type {
            Some("application/json") => Ok(Self::Plain),
            Some("application/cloudevents+json") => Ok(Self::CloudEvent),
            Some("application/cloudevents-batch+json") => Ok(Self::CloudEventBatch),
            _ => Err(ApiError::unsupported_media_type(
                "application/json, application/cloudevents+json or \
                 application/cloudevents-batch+json",
            )),
        }
    }

    /// Takes the body apart. In an array each item is judged for itself; a body that is one item
    /// and not a report is refused as a whole.
    pub fn read(self, body: &Bytes) -> Result<Vec<Parsed>, ApiError> {
        let many = match self {
            Self::Plain => is_array(body),
            Self::CloudEvent => false,
            Self::CloudEventBatch => true,
        };
        if many {
            let items: Vec<&RawValue> = serde_json::from_slice(body).map_err(|e| malformed(&e))?;
            if items.len() > REPORTS_MAX {
                return Err(ApiError::unprocessable(
                    "batch_too_large",
                    format!(
                        "a batch has at most {REPORTS_MAX} reports, not {}",
                        items.len()
                    ),
                ));
            }
            return Ok(items.into_iter().map(|item| self.read_one(item)).collect());
        }
        let item: &RawValue = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
        let report = self.read_one(item).map_err(|problem| {
            ApiError::unprocessable(
                "invalid_body",
                format!("the body is not acceptable: {}", problem.message),
            )
        })?;
        Ok(vec![Ok(report)])
    }

    fn read_one(self, item: &RawValue) -> Parsed {
        // An array of the fields' values in their order would be taken for the fields themselves.
        if is_array(item.get().as_bytes()) {
            let message = "a report is an object, not an array".to_owned();
            return Err(NotAReport { id: None, message });
        }
        let read = match self {
            Self::Plain => {
                serde_json::from_str::<UsageReport>(item.get()).map_err(|error| error.to_string())
            }
            Self::CloudEvent | Self::CloudEventBatch => {
                serde_json::from_str::<UsageCloudEvent>(item.get())
                    .map_err(|error| error.to_string())
                    .and_then(|event| event.into_report().map_err(|error| error.to_string()))
            }
        };
        read.map_err(|message| NotAReport {
            id: id_of(item),
            message,
        })
    }
}

fn malformed(error: &serde_json::Error) -> ApiError {
    if error.is_data() {
        return ApiError::unprocessable("invalid_body", "the body is an array of reports");
    }
    let place = format!("line {} column {}", error.line(), error.column());
    ApiError::bad_request("malformed_json", format!("the body is not JSON: {place}"))
}

/// The `id` of something that is otherwise not a report.
fn id_of(item: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    serde_json::from_str::<Named>(item.get())
        .ok()
        .map(|named| named.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"id":"a","service":"openai","model":"m","quantities":{"requests":1}}"#;

    fn read(form: Form, body: &str) -> Result<Vec<Parsed>, ApiError> {
        form.read(&Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn one_bad_report_does_not_spoil_the_batch() {
        let body = format!(r#" [{GOOD},{{"id":"b","service":"OpenAI"}},7,{GOOD}]"#);
        let reports = read(Form::Plain, &body).unwrap();
        assert_eq!(reports.len(), 4);
        assert!(reports[0].is_ok() && reports[3].is_ok());
        let bad = reports[1].as_ref().unwrap_err();
        assert_eq!(bad.id.as_deref(), Some("b"));
        assert!(bad.message.contains("lower-case"));
        assert_eq!(reports[2].as_ref().unwrap_err().id, None);
    }

    #[test]
    fn a_body_that_is_one_bad_report_is_refused() {
        assert!(read(Form::Plain, r#"{"id":"b"}"#).is_err());
        assert!(read(Form::Plain, "").is_err());
        assert!(read(Form::Plain, "[").is_err());
        assert!(read(Form::CloudEvent, GOOD).is_err());
        assert!(read(Form::CloudEventBatch, GOOD).is_err());
        assert_eq!(read(Form::Plain, "[]").unwrap().len(), 0);
    }

    #[test]
    fn an_array_is_not_taken_for_the_fields_in_their_order() {
        let reports = read(
            Form::Plain,
            r#"[["a",null,null,null,"openai","m",null,null,{}]]"#,
        )
        .unwrap();
        assert!(reports[0].is_err());
        assert!(read(Form::CloudEvent, "[]").is_err());
    }

    #[test]
    fn a_batch_has_a_limit() {
        let body = format!("[{}]", vec!["1"; REPORTS_MAX + 1].join(","));
        assert!(read(Form::Plain, &body).is_err());
        let body = format!("[{}]", vec!["1"; REPORTS_MAX].join(","));
        assert_eq!(read(Form::Plain, &body).unwrap().len(), REPORTS_MAX);
    }
}
