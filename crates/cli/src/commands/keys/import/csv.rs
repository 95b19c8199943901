//! Tables of keys (RFC 4180), read so that no field outlives its use.

use std::{path::Path, str::FromStr};

use diamond_domain::SecretValue;
use zeroize::Zeroizing;

use super::{Found, Keys, Kind, Target, mapping::kind_of};
use crate::failure::Failure;

/// What the columns are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    service: String,
    tenant: String,
    kind: String,
    key: String,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            service: "service".into(),
            tenant: "tenant".into(),
            kind: "kind".into(),
            key: "key".into(),
        }
    }
}

impl FromStr for Columns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut columns = Self::default();
        for part in text.split(',') {
            let place = match part.split_once('=') {
                Some(("service", name)) => (&mut columns.service, name),
                Some(("tenant", name)) => (&mut columns.tenant, name),
                Some(("kind", name)) => (&mut columns.kind, name),
                Some(("key", name)) => (&mut columns.key, name),
                _ => {
                    return Err(format!(
                        "expected service=NAME, tenant=NAME, kind=NAME or key=NAME, not `{part}`"
                    ));
                }
            };
            place.1.trim().clone_into(place.0);
        }
        Ok(columns)
    }
}

/// Reads the keys of a table.
pub fn read(path: &Path, text: &str, columns: &Columns, default: Kind) -> Result<Keys, Failure> {
    let shown = path.display();
    let mut faults = Vec::new();
    let mut records = Records::new(text);
    let heading = records.next();
    let heading = heading.ok_or_else(|| Failure::input(format!("{shown} is empty")))?;
    let (_, heading) = heading.map_err(|fault| Failure::input(format!("{shown}, {fault}")))?;
    let place_of = |name: &str| heading.iter().position(|field| field.trim() == name);
    let needed = |name: &str| {
        place_of(name).ok_or_else(|| {
            Failure::input_with_hint(
                format!("{shown}, line 1: there is no column `{name}`"),
                "say what the columns are called: --columns service=…,tenant=…,kind=…,key=…",
            )
        })
    };
    let service_at = needed(&columns.service)?;
    let tenant_at = needed(&columns.tenant)?;
    let key_at = needed(&columns.key)?;
    let kind_at = place_of(&columns.kind);
    let mut keys = Keys::default();
    for record in records {
        let (line, fields) = match record {
            Ok(record) => record,
            Err(fault) => {
                faults.push(format!("{shown}, {fault}"));
                break;
            }
        };
        let place = format!("{shown}, line {line}");
        let field = |at: usize| fields.get(at).map(|field| field.trim());
        let read = || {
            if fields.len() != heading.len() {
                return Err(format!(
                    "{} fields, and the heading has {}",
                    fields.len(),
                    heading.len()
                ));
            }
            let service = field(service_at).unwrap_or_default();
            let tenant = field(tenant_at).unwrap_or_default();
            let said = kind_at.and_then(field).filter(|text| !text.is_empty());
            let target = Target {
                service: service
                    .parse()
                    .map_err(|error| format!("service: {error}"))?,
                tenant: tenant.parse().map_err(|error| format!("tenant: {error}"))?,
                kind: said.map_or(Ok(default), kind_of)?,
            };
            let key = field(key_at).unwrap_or_default();
            check_value(key)?;
            Ok((target, SecretValue::new(key.to_owned())))
        };
        match read() {
            Ok((target, value)) => keys.found.push(Found {
                place,
                target,
                value,
            }),
            Err(fault) => faults.push(format!("{place}: {fault}")),
        }
    }
    if faults.is_empty() {
        Ok(keys)
    } else {
        Err(Failure::input(faults.join("\n")))
    }
}

/// Whether it can be a key; it is not repeated.
pub fn check_value(text: &str) -> Result<(), String> {
    if (8..=1024).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err("the key has 8 to 1024 printable ASCII characters without spaces".to_owned())
}

type Record = (usize, Vec<Zeroizing<String>>);

/// The records of a table, each with the line in which it begins.
struct Records<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
}

impl<'a> Records<'a> {
    fn new(text: &'a str) -> Self {
        // What spreadsheets write first.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            rest: text.chars().peekable(),
            line: 1,
        }
    }

    /// The text of a field in quotes, whose first quote is taken already.
    fn quoted(&mut self, field: &mut Zeroizing<String>) -> Result<(), String> {
        let began = self.line;
        loop {
            match self.rest.next() {
                None => return Err(format!("line {began}: a quote is not closed")),
                Some('"') if self.rest.next_if_eq(&'"').is_some() => field.push('"'),
                Some('"') => break,
                Some(letter) => {
                    self.line += usize::from(letter == '\n');
                    field.push(letter);
                }
            }
        }
        match self.rest.peek() {
            None | Some(',' | '\n' | '\r') => Ok(()),
            Some(_) => Err(format!(
                "line {}: something stands behind a closing quote",
                self.line
            )),
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, String>;

    fn next(&mut self) -> Option<Self::Item> {
        // Empty lines are no records.
        while let Some(end) = self.rest.next_if(|letter| matches!(letter, '\n' | '\r')) {
            self.line += usize::from(end == '\n');
        }
        self.rest.peek()?;
        let line = self.line;
        let mut fields = Vec::new();
        // As large as the largest key at once: a text that grows leaves copies behind.
        let empty = || Zeroizing::new(String::with_capacity(1_100));
        let mut field = empty();
        loop {
            match self.rest.next() {
                Some('"') if field.is_empty() => {
                    if let Err(fault) = self.quoted(&mut field) {
                        return Some(Err(fault));
                    }
                }
                Some(',') => fields.push(std::mem::replace(&mut field, empty())),
                Some('\r') if self.rest.peek() == Some(&'\n') => {}
                None | Some('\n') => {
                    self.line += 1;
                    fields.push(field);
                    return Some(Ok((line, fields)));
                }
                Some(letter) => field.push(letter),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(usize, Vec<String>)> {
        let records = Records::new(text).map(|record| {
            let (line, fields) = record.unwrap();
            (line, fields.iter().map(|field| field.to_string()).collect())
        });
        records.collect()
    }

    #[test]
    fn quotes_commas_and_line_ends() {
        let text = "\u{feff}a,b\r\n\"x,\"\"y\"\"\nz\",2\r\n\r\n3,\r\n\"\",";
        let expected = [
            (1, vec!["a", "b"]),
            (2, vec!["x,\"y\"\nz", "2"]),
            (5, vec!["3", ""]),
            (6, vec!["", ""]),
        ];
        let read = lines(text);
        assert_eq!(read.len(), expected.len());
        for (found, (line, fields)) in read.iter().zip(expected) {
            assert_eq!(
                (found.0, found.1.iter().map(String::as_str).collect()),
                (line, fields)
            );
        }
    }

    #[test]
    fn a_table_is_read_or_every_fault_is_named_and_no_key() {
        let path = Path::new("keys.csv");
        let read = |text: &str| read(path, text, &Columns::default(), Kind::Dedicated);
        let keys = read(
            "key,tenant,service,kind\nsk-0123456789,acme,openai,\nsk-abcdefghij,acme,openai,customer\n",
        );
        let keys = keys.unwrap();
        assert_eq!(keys.found[1].place, "keys.csv, line 3");
        assert_eq!(keys.found[1].target.kind, Kind::Customer);
        let faults = read(
            "service,tenant,key\nopenai,admin,sk-0123456789\nopen-ai,acme,sk-0123456789\nopenai,acme,sk 0123456789\nopenai,acme\n",
        );
        let faults = faults.unwrap_err().to_string();
        for (line, word) in [
            (2, "tenant"),
            (3, "service"),
            (4, "printable"),
            (5, "2 fields"),
        ] {
            let fault = faults
                .lines()
                .find(|fault| fault.contains(&format!("line {line}:")));
            assert!(fault.unwrap().contains(word), "{faults}");
        }
        assert!(!faults.contains("0123"));
        assert!(
            read("service,tenant\n")
                .unwrap_err()
                .to_string()
                .contains("`key`")
        );
        let open = read("service,tenant,key\nopenai,acme,\"sk-01234567\n").unwrap_err();
        assert!(open.to_string().contains("not closed") && !open.to_string().contains("sk-"));
        assert!(read("").is_err());
    }

    #[test]
    fn columns_may_be_called_otherwise() {
        let columns: Columns = "service=provider,tenant=customer,key=secret"
            .parse()
            .unwrap();
        let text = "secret,provider,customer\nsk-0123456789,openai,acme\n";
        let keys = read(Path::new("k"), text, &columns, Kind::Customer).unwrap();
        assert_eq!(keys.found[0].target.kind, Kind::Customer);
        assert!("colour=red".parse::<Columns>().is_err());
    }
}
