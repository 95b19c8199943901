//! Limits on what may be spent: how they are named, what they count, what they do when a call's
//! most cannot be told.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Money, id::impl_serde_as_text};

/// A budget's name within its tenant: `[a-z][a-z0-9-]*[a-z0-9]`, 2 to 40 characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BudgetName(Arc<str>);

/// Why a text is not a budget's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a budget's name has 2 to 40 lower-case letters, digits and hyphens, begins with a letter and \
     does not end with a hyphen"
)]
pub struct BudgetNameError;

impl BudgetName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The budget that a new tenant is given.
    #[must_use]
    pub fn default_budget() -> Self {
        Self("default".into())
    }
}

impl FromStr for BudgetName {
    type Err = BudgetNameError;

    fn from_str(text: &str) -> Result<Self, BudgetNameError> {
        let letters = text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let valid = (2..=40).contains(&text.len()) && letters && begins && !text.ends_with('-');
        valid.then(|| Self(text.into())).ok_or(BudgetNameError)
    }
}

impl fmt::Display for BudgetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BudgetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl_serde_as_text!(BudgetName);

/// What a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetMeasure {
    /// What the platform owes the providers.
    #[default]
    Cost,
    /// What the tenant pays by its plan.
    Charge,
}

impl BudgetMeasure {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Cost, Self::Charge];

    /// The text, as it stands in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Charge => "charge",
        }
    }
}

impl fmt::Display for BudgetMeasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for BudgetMeasure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| format!("a budget counts `cost` or `charge`, not `{text}`"))
    }
}

/// What happens to a call whose most cannot be told (no price, no bound on its output).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnUnbounded {
    /// It is refused.
    Refuse,
    /// This much is set aside for it, in US dollars of cost; it may come to cost more.
    Reserve(Money),
}

impl OnUnbounded {
    const RESERVE: &'static str = "reserve:";
}

/// As text: `refuse`, or `reserve:` and an amount.
impl fmt::Display for OnUnbounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse => f.write_str("refuse"),
            Self::Reserve(amount) => write!(f, "{}{amount}", Self::RESERVE),
        }
    }
}

/// Why a text does not say what to do with a call whose most cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OnUnboundedError {
    /// Cutting a call down to what is left would change what the caller asked for.
    #[error(
        "`clamp` is not offered: requests are forwarded as they are; use `refuse`, or \
         `reserve:AMOUNT`"
    )]
    Clamp,
    /// Neither of the two.
    #[error(
        "it is `refuse`, or `reserve:` and an amount of US dollars above zero (`reserve:0.50`)"
    )]
    Form,
}

impl FromStr for OnUnbounded {
    type Err = OnUnboundedError;

    fn from_str(text: &str) -> Result<Self, OnUnboundedError> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "clamp" => Err(OnUnboundedError::Clamp),
            _ => text
                .strip_prefix(Self::RESERVE)
                .and_then(|amount| amount.parse().ok())
                .filter(|amount: &Money| *amount > Money::ZERO)
                .map(Self::Reserve)
                .ok_or(OnUnboundedError::Form),
        }
    }
}

impl_serde_as_text!(OnUnbounded);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_form() {
        for name in ["default", "eu-2", "ab"] {
            assert_eq!(name.parse::<BudgetName>().unwrap().as_str(), name);
        }
        let long = "a".repeat(41);
        for name in ["", "a", "A1", "2a", "a-", "a b", "a_b", &long] {
            assert_eq!(name.parse::<BudgetName>(), Err(BudgetNameError), "{name}");
        }
    }

    #[test]
    fn what_happens_to_unbounded_calls_reads_back() {
        for (text, read) in [
            ("refuse", OnUnbounded::Refuse),
            (
                "reserve:0.500000000",
                OnUnbounded::Reserve(Money::from_nanos(500_000_000)),
            ),
        ] {
            assert_eq!(text.parse::<OnUnbounded>().unwrap(), read);
            assert_eq!(read.to_string(), text);
        }
        assert_eq!("clamp".parse::<OnUnbounded>(), Err(OnUnboundedError::Clamp));
        for text in [
            "",
            "reserve",
            "reserve:",
            "reserve:0",
            "reserve:-1",
            "other",
        ] {
            let error = text.parse::<OnUnbounded>();
            assert_eq!(error, Err(OnUnboundedError::Form), "{text}");
        }
    }
}
