//! Bodies.

use axum::{
    body::{Body, HttpBody as _, to_bytes},
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use diamond_domain::json_is_deeper_than;
use http::{HeaderMap, header};

use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;

use crate::{ApiState, errors::ApiError};

/// A JSON body of an ordinary size.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// A JSON body that carries a secret: a refusal quotes nothing of it.
#[derive(Debug)]
pub struct SecretJson<T>(pub T);

impl<T: DeserializeOwned> FromRequest<ApiState> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        parse(&json_body(request, state).await?).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<ApiState> for SecretJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        parse_secret(&json_body(request, state).await?).map(Self)
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    insist_on_object(body)?;
    serde_json::from_slice(body).map_err(|error| refuse(&error, &error.to_string()))
}

fn parse_secret<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    insist_on_object(body)?;
    serde_json::from_slice(body).map_err(|error| {
        // The parser's own words may quote the secret.
        let place = format!(
            "a field is unknown, missing or of the wrong kind near line {} column {}",
            error.line(),
            error.column()
        );
        refuse(&error, &place)
    })
}

/// An array of the fields' values in their order would be taken for the fields themselves.
fn insist_on_object(body: &[u8]) -> Result<(), ApiError> {
    match is_array(body) {
        true => Err(ApiError::unprocessable(
            "invalid_body",
            "the body is an object, not an array",
        )),
        false => Ok(()),
    }
}

/// Whether a JSON text is an array.
pub fn is_array(text: &[u8]) -> bool {
    text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

fn refuse(error: &serde_json::Error, what: &str) -> ApiError {
    if error.is_data() {
        ApiError::unprocessable(
            "invalid_body",
            format!("the body is not acceptable: {what}"),
        )
    } else {
        ApiError::bad_request(
            "malformed_json",
            format!(
                "the body is not JSON: line {} column {}",
                error.line(),
                error.column()
            ),
        )
    }
}

async fn json_body(request: Request, state: &ApiState) -> Result<Bytes, ApiError> {
    if content_type(request.headers()).as_deref() != Some("application/json") {
        return Err(ApiError::unsupported_media_type("application/json"));
    }
    let settings = &state.settings;
    let body = read_body(request.into_body(), settings.body_bytes_max).await?;
    check_depth(&body, settings.json_depth_max)?;
    Ok(body)
}

/// Refuses a text whose objects and arrays stand too deep in each other. Whether it is JSON is for
/// the parser to say.
pub fn check_depth(text: &[u8], depth_max: usize) -> Result<(), ApiError> {
    if json_is_deeper_than(text, depth_max) {
        return Err(ApiError::bad_request(
            "json_too_deep",
            format!("objects and arrays stand at most {depth_max} deep in each other"),
        ));
    }
    Ok(())
}

/// The media type, without parameters and in lower case.
pub fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(
        value
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase(),
    )
}

/// Reads a whole body, which is refused as soon as it is larger than allowed.
pub async fn read_body(body: Body, bytes_max: usize) -> Result<Bytes, ApiError> {
    let too_large = || {
        ApiError::too_large(
            "body_too_large",
            format!("the body is larger than {bytes_max} bytes"),
        )
    };
    // What is announced to be too large is not waited for.
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    to_bytes(body, bytes_max).await.map_err(|error| {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(inner) = cause {
            if inner.is::<LengthLimitError>() {
                return too_large();
            }
            cause = inner.source();
        }
        ApiError::bad_request("body_broken_off", "the body broke off")
    })
}

#[cfg(test)]
mod tests {
    use diamond_api_types::{CreateTenantRequest, PutKeyRequest};
    use diamond_domain::RequestId;

    use super::*;

    fn told(error: ApiError) -> (u16, String) {
        let (status, body) = error.into_envelope(RequestId::from_bits(1));
        (status.as_u16(), serde_json::to_string(&body.0).unwrap())
    }

    #[test]
    fn what_is_not_json_differs_from_what_is_not_acceptable() {
        let (status, body) = told(parse::<CreateTenantRequest>(b"{\"id\":").unwrap_err());
        assert!(status == 400 && body.contains("malformed_json"), "{body}");
        let (status, body) =
            told(parse::<CreateTenantRequest>(b"{\"id\":\"zaxon\",\"x\":1}").unwrap_err());
        assert!(
            status == 422 && body.contains("unknown field `x`"),
            "{body}"
        );
    }

    #[test]
    fn an_array_is_not_taken_for_the_fields_in_their_order() {
        use diamond_api_types::UpdateTenantRequest;
        for body in [&b"[]"[..], b" [\"x\",true,[],\"suspended\"]"] {
            let (status, _) = told(parse::<UpdateTenantRequest>(body).unwrap_err());
            assert_eq!(status, 422);
        }
        assert!(parse_secret::<PutKeyRequest>(b"[\"sk-canary\",false,null]").is_err());
    }

    #[test]
    fn a_refusal_of_a_key_quotes_nothing_of_it() {
        for body in [
            &b"{\"validate\":\"sk-canary\"}"[..],
            b"{\"sk-canary\":1}",
            b"{\"apiKey\":\"x\",\"expectedVersion\":\"sk-canary\"}",
            b"\"sk-canary\"",
            b"sk-canary",
        ] {
            let (_, told) = told(parse_secret::<PutKeyRequest>(body).unwrap_err());
            assert!(!told.contains("canary"), "{told}");
        }
    }

    #[tokio::test]
    async fn a_body_has_a_limit() {
        let read = |bytes: usize| read_body(Body::from(vec![b' '; bytes]), 10);
        assert_eq!(read(10).await.unwrap().len(), 10);
        let (status, body) = told(read(11).await.unwrap_err());
        assert!(status == 413 && body.contains("body_too_large"), "{body}");
    }
}
