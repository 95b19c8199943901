//! Reads columns into the domain's types; what does not fit is named by its column, never shown.

use std::str::FromStr;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::{Row as _, any::AnyRow};

use crate::DbError;

/// One row, read column by column.
pub(crate) struct Reading<'a>(pub(crate) &'a AnyRow);

impl Reading<'_> {
    pub(crate) fn text(&self, column: &'static str) -> Result<String, DbError> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn optional_text(&self, column: &'static str) -> Result<Option<String>, DbError> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn parsed<T: FromStr>(&self, column: &'static str) -> Result<T, DbError> {
        parse(&self.text(column)?, column)
    }

    pub(crate) fn optional_parsed<T: FromStr>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, DbError> {
        let text = self.optional_text(column)?;
        text.map(|text| parse(&text, column)).transpose()
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, DbError> {
        parse_json(&self.text(column)?, column)
    }

    pub(crate) fn optional_json<T: DeserializeOwned>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, DbError> {
        let text = self.optional_text(column)?;
        text.map(|text| parse_json(&text, column)).transpose()
    }

    pub(crate) fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T, DbError> {
        let number: i64 = self.0.try_get(column)?;
        T::try_from(number).map_err(|_| DbError::corrupt(format!("column {column}")))
    }

    pub(crate) fn optional_number<T: TryFrom<i64>>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, DbError> {
        let number: Option<i64> = self.0.try_get(column)?;
        let damaged = || DbError::corrupt(format!("column {column}"));
        number
            .map(|number| T::try_from(number).map_err(|_| damaged()))
            .transpose()
    }

    pub(crate) fn flag(&self, column: &'static str) -> Result<bool, DbError> {
        match self.number::<i64>(column)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DbError::corrupt(format!("column {column}"))),
        }
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, DbError> {
        time_from(self.number(column)?, column)
    }

    pub(crate) fn optional_time(&self, column: &'static str) -> Result<Option<Timestamp>, DbError> {
        let micros: Option<i64> = self.0.try_get(column)?;
        micros.map(|micros| time_from(micros, column)).transpose()
    }
}

fn parse<T: FromStr>(text: &str, column: &'static str) -> Result<T, DbError> {
    text.parse()
        .map_err(|_| DbError::corrupt(format!("column {column}")))
}

fn parse_json<T: DeserializeOwned>(text: &str, column: &'static str) -> Result<T, DbError> {
    serde_json::from_str(text).map_err(|_| DbError::corrupt(format!("column {column}")))
}

fn time_from(micros: i64, column: &'static str) -> Result<Timestamp, DbError> {
    Timestamp::from_microsecond(micros).map_err(|_| DbError::corrupt(format!("column {column}")))
}

/// A value as JSON text, for a column that holds a list.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, DbError> {
    serde_json::to_string(value).map_err(|error| DbError::Refused(Box::new(error)))
}

/// An unsigned number as the database has it.
pub(crate) fn to_number(number: u64) -> Result<i64, DbError> {
    i64::try_from(number).map_err(|error| DbError::Refused(Box::new(error)))
}
