//! The only type whose JSON contains a secret.

use std::fmt;

use diamond_domain::SecretValue;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A secret on its way over the wire: the answer that hands a key or token over, and the request
/// that supplies a key. Its `Debug` is a blank and its bytes are wiped when it is dropped.
#[derive(Clone)]
pub struct SecretText(SecretValue);

impl SecretText {
    /// Takes the value for sending.
    #[must_use]
    pub const fn new(value: SecretValue) -> Self {
        Self(value)
    }

    /// The value that arrived.
    #[must_use]
    pub fn into_value(self) -> SecretValue {
        self.0
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl From<SecretValue> for SecretText {
    fn from(value: SecretValue) -> Self {
        Self(value)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(SecretValue::new(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_travels_but_does_not_print() {
        let secret: SecretText = serde_json::from_str("\"sk-canary\"").unwrap();
        assert_eq!(secret.expose(), "sk-canary");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"sk-canary\"");
        assert!(!format!("{secret:?}").contains("canary"));
    }
}
