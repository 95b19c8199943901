//! From the name of a variable or secret to what its key is for.

use std::str::FromStr;

use diamond_domain::{SecretName, ServiceId, TenantId};

use super::{Kind, Target};

/// What one name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    name: String,
    target: Target,
}

impl FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected NAME=SERVICE/TENANT or NAME=SERVICE/TENANT/KIND";
        let (name, target) = text.rsplit_once('=').ok_or(expected)?;
        if name.is_empty() {
            return Err(expected.to_owned());
        }
        let mut parts = target.split('/');
        let (service, tenant) = (
            parts.next().unwrap_or_default(),
            parts.next().ok_or(expected)?,
        );
        let kind = match parts.next() {
            None => Kind::Dedicated,
            Some(kind) => kind_of(kind)?,
        };
        if parts.next().is_some() {
            return Err(expected.to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            target: Target {
                service: parse::<ServiceId>(service)?,
                tenant: parse::<TenantId>(tenant)?,
                kind,
            },
        })
    }
}

/// What a name means: as it was said, else as keys are named here. `Ok(None)` when it is no key's.
pub fn target_of(name: &str, mappings: &[Mapping]) -> Result<Option<Target>, String> {
    if let Some(mapping) = mappings.iter().find(|mapping| mapping.name == name) {
        return Ok(Some(mapping.target.clone()));
    }
    // Shells know no hyphens and write variables large.
    let name = name.to_ascii_lowercase().replace('_', "-");
    if !name.starts_with("ai-") {
        return Ok(None);
    }
    match name
        .parse::<SecretName>()
        .map_err(|error| error.to_string())?
    {
        SecretName::Dedicated { service, tenant } => Ok(Some(Target {
            service,
            tenant,
            kind: Kind::Dedicated,
        })),
        SecretName::Customer { service, tenant } => Ok(Some(Target {
            service,
            tenant,
            kind: Kind::Customer,
        })),
        _ => Err("it names a management credential, and those are not imported".to_owned()),
    }
}

/// A kind by its word.
pub fn kind_of(text: &str) -> Result<Kind, String> {
    match text {
        "dedicated" => Ok(Kind::Dedicated),
        "customer" => Ok(Kind::Customer),
        other => Err(format!(
            "a kind is `dedicated` or `customer`, not `{other}`"
        )),
    }
}

fn parse<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(target: Option<Target>) -> String {
        target.map_or_else(String::new, |target| {
            format!(
                "{}/{}/{}",
                target.service,
                target.tenant,
                target.kind.as_str()
            )
        })
    }

    #[test]
    fn names_say_whose_key_it_is() {
        let said: Mapping = "OLD=NAME=openai/acme/customer".parse().unwrap();
        for (name, target) in [
            ("ai-openai-acme", "openai/acme/dedicated"),
            ("AI_OPENAI_ACME_EU", "openai/acme-eu/dedicated"),
            ("ai-openai-acme-customer", "openai/acme/customer"),
            ("OLD=NAME", "openai/acme/customer"),
            ("OPENAI_API_KEY", ""),
        ] {
            let found = target_of(name, std::slice::from_ref(&said)).unwrap();
            assert_eq!(shown(found), target, "{name}");
        }
        for name in [
            "ai-openai-admin",
            "ai-openai-acme-admin",
            "AI_OPENAI",
            "ai--acme",
        ] {
            assert!(target_of(name, &[]).is_err(), "{name}");
        }
        for text in [
            "NAME",
            "=openai/acme",
            "N=openai",
            "N=openai/acme/other",
            "N=a/b/c/d",
        ] {
            assert!(text.parse::<Mapping>().is_err(), "{text}");
        }
    }
}
