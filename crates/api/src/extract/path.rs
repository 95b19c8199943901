//! Parts of the path.

use axum::extract::{
    FromRequestParts,
    path::{ErrorKind, Path as AxumPath},
    rejection::PathRejection,
};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::errors::ApiError;

/// Parts of the path; a wrong one is refused with the rule that it breaks.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match AxumPath::<T>::from_request_parts(parts, state).await {
            Ok(AxumPath(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => {
                let message = match error.into_kind() {
                    ErrorKind::DeserializeError { key, message, .. } => {
                        format!("`{key}`: {message}")
                    }
                    other => other.to_string(),
                };
                Err(ApiError::bad_request("invalid_path", message))
            }
            Err(_) => Err(ApiError::internal(
                "a route without the parts that its handler takes",
            )),
        }
    }
}
