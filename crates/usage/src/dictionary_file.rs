//! The dictionary's records, in a journal of its own that can be rewritten.
//!
//! Version (1), kind (1), then: kind 1, an entry: code (8), length of the tenant (1), tenant, name.
//! Kind 2, the end of a rewriting: the position (8) at which the rewritten entries begin; what
//! stands before it is no longer true.

use diamond_journal::Position;

use crate::{UserCode, stored::Malformed};

const VERSION: u8 = 1;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DictionaryRecord<'a> {
    Entry {
        code: UserCode,
        /// Empty for the platform's own people.
        tenant: &'a str,
        name: &'a str,
    },
    Rewritten {
        from: Position,
    },
}

impl<'a> DictionaryRecord<'a> {
    pub(crate) fn write(&self) -> Vec<u8> {
        match self {
            Self::Entry { code, tenant, name } => {
                let mut out = vec![VERSION, 1];
                out.extend_from_slice(&code.0.to_le_bytes());
                out.push(u8::try_from(tenant.len()).unwrap_or(u8::MAX));
                out.extend_from_slice(tenant.as_bytes());
                out.extend_from_slice(name.as_bytes());
                out
            }
            Self::Rewritten { from } => {
                let mut out = vec![VERSION, 2];
                out.extend_from_slice(&from.0.to_le_bytes());
                out
            }
        }
    }

    pub(crate) fn read(record: &'a [u8]) -> Result<Self, Malformed> {
        let malformed = || Malformed("not an entry of the dictionary of users".to_owned());
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| malformed());
        let (head, rest) = record.split_first_chunk::<10>().ok_or_else(malformed)?;
        let mut number = [0; 8];
        number.copy_from_slice(&head[2..]);
        let number = u64::from_le_bytes(number);
        match (head[0], head[1]) {
            (VERSION, 1) => {
                let (length, rest) = rest.split_first().ok_or_else(malformed)?;
                let (tenant, name) = rest
                    .split_at_checked(usize::from(*length))
                    .ok_or_else(malformed)?;
                Ok(Self::Entry {
                    code: UserCode(number),
                    tenant: text(tenant)?,
                    name: text(name)?,
                })
            }
            (VERSION, 2) => Ok(Self::Rewritten {
                from: Position(number),
            }),
            _ => Err(malformed()),
        }
    }
}
