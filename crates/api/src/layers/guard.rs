//! No request takes the process or its time.

use std::{
    any::Any,
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Duration,
};

use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use crate::errors::ApiError;

/// Calls a handler. What a panic may leave half done is the request's own, which ends with it.
pub fn call<F>(handler: impl FnOnce() -> F) -> thread::Result<F> {
    catch_unwind(AssertUnwindSafe(handler))
}

/// Waits for what was called. A panic is one failed request, not a lost connection without a word;
/// a handler that hangs holds memory and a connection, and is given up.
pub async fn finish<F>(called: thread::Result<F>, timeout: Duration) -> Response
where
    F: Future<Output = Result<Response, Infallible>>,
{
    let handler = match called {
        Ok(handler) => AssertUnwindSafe(handler).catch_unwind(),
        Err(panic) => return answer_for(&*panic),
    };
    match tokio::time::timeout(timeout, handler).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(never))) => match never {},
        Ok(Err(panic)) => answer_for(&*panic),
        Err(_) => ApiError::timeout().into_response(),
    }
}

fn answer_for(panic: &(dyn Any + Send)) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned());
    ApiError::internal(&format!("panic: {text}")).into_response()
}
