//! An answer that says no.

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

/// Stands in a body where the answer's own name is to be put.
pub(crate) const REQUEST_ID: &str = "$request_id";

/// What is wrong, before a company has put it into its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble<'a> {
    /// No key at all.
    NoKey,
    /// A key that is none: mistyped, disabled, deleted or expired. With its middle hidden.
    BadKey(&'a str),
    /// A good key without the permission.
    MissingScope(&'a str),
    /// Too many calls a minute.
    TooFast { code: Option<&'a str>, wait: u64 },
    /// Too many calls at one time.
    TooMany { most: u64 },
    /// Whoever pays has nothing left.
    Exhausted { whose: Whose, code: Option<&'a str> },
    /// What a fault asks for.
    Asked {
        status: u16,
        code: Option<&'a str>,
        retry_after: Option<u64>,
    },
    /// A body that is no JSON, or no form.
    Unreadable,
    /// A path that the company does not have.
    NoRoute { method: &'a str, path: &'a str },
    /// Something that the real company does and the simulated one does not.
    NotSimulated(&'a str),
}

/// Whose money is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Key,
    Project,
    Organization,
}

/// A refusal in a company's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// What stands in the list of refusals: the code, else the status.
    pub(crate) reason: String,
    pub(crate) content_type: &'static str,
    body: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Refusal {
    /// A refusal in JSON.
    pub(crate) fn json(status: u16, code: Option<&str>, body: &Value) -> Self {
        let refusal = Self::text(status, code, body.to_string());
        Self {
            content_type: "application/json",
            ..refusal
        }
    }

    /// A refusal in plain text.
    pub(crate) fn text(status: u16, code: Option<&str>, body: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self {
            status,
            reason: code.map_or_else(|| status.as_u16().to_string(), str::to_owned),
            content_type: "text/plain; charset=utf-8",
            body: body.into(),
            headers: Vec::new(),
        }
    }

    /// The same with a header.
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// The same with the time to wait, if there is one.
    pub(crate) fn retry_after(self, seconds: Option<u64>) -> Self {
        match seconds {
            Some(seconds) => self.with("retry-after", seconds),
            None => self,
        }
    }

    /// The body of one answer.
    pub(crate) fn body(&self, request_id: &str) -> Bytes {
        self.body.replace(REQUEST_ID, request_id).into()
    }
}
