//! What a request's head may be, before anything in it is believed.
//!
//! The HTTP library has limits of its own, further out (a URL of 65,534 bytes, a head of 408 KiB):
//! it answers beyond them with a bare status.

use http::{Request, Response, StatusCode, header};

/// The limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadLimits {
    pub url_bytes_max: usize,
    pub header_bytes_max: usize,
    pub headers_max: usize,
}

/// A head that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Oversized {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl HeadLimits {
    /// Whether the head stays within them.
    pub(crate) fn check<B>(&self, request: &Request<B>) -> Result<(), Oversized> {
        let refuse = |status, code, message| {
            Err(Oversized {
                status,
                code,
                message,
            })
        };
        let uri = request.uri();
        let url = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
        if url > self.url_bytes_max {
            return refuse(
                StatusCode::URI_TOO_LONG,
                "url_too_long",
                format!("path and query have at most {} bytes", self.url_bytes_max),
            );
        }
        let headers = request.headers();
        if headers.len() > self.headers_max {
            return refuse(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "too_many_headers",
                format!("a request has at most {} headers", self.headers_max),
            );
        }
        let bytes: usize = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if bytes > self.header_bytes_max {
            return refuse(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers_too_large",
                format!(
                    "a request's headers have at most {} bytes together",
                    self.header_bytes_max
                ),
            );
        }
        Ok(())
    }
}

impl Oversized {
    /// The answer; the request has no name yet.
    pub(crate) fn answer(&self) -> Response<axum::body::Body> {
        let body = serde_json::json!({
            "error": { "code": self.code, "message": self.message, "requestId": "" }
        });
        let mut response = Response::new(axum::body::Body::from(body.to_string()));
        *response.status_mut() = self.status;
        let json = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_has_its_code() {
        let limits = HeadLimits {
            url_bytes_max: 10,
            header_bytes_max: 20,
            headers_max: 3,
        };
        let request = |path: &str, headers: &[(&str, &str)]| {
            let mut request = Request::get(path);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let checked = limits.check(&request.body(()).unwrap());
            checked.err().map(|error| error.code)
        };
        assert_eq!(request("/123?56789", &[("a", "b")]), None);
        assert_eq!(request("/123?567890", &[]), Some("url_too_long"));
        let four = [("a", ""), ("b", ""), ("c", ""), ("d", "")];
        assert_eq!(request("/", &four), Some("too_many_headers"));
        assert_eq!(
            request("/", &[("a", "01234567890123456789")]),
            Some("headers_too_large")
        );
    }
}
