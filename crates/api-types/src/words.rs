//! How the words of the domain look in JSON, for the OpenAPI document.
//!
//! The domain knows nothing of OpenAPI, so the shapes stand here, each under the word's own name.
//! They say exactly what the domain's parsers accept: a value that fits the shape is taken.

use diamond_domain as domain;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        KnownFormat, Object, ObjectBuilder, RefOr, Schema, SchemaFormat, Type,
        schema::{AdditionalProperties, SchemaType},
    },
};

/// Defines shape types: a name, its doc comment as description, and its schema.
macro_rules! shapes {
    ($($(#[doc = $doc:literal])* $name:ident = $object:expr;)*) => {
        $(
            $(#[doc = $doc])*
            #[derive(Debug)]
            pub enum $name {}

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    let description = concat!($($doc, "\n",)*).trim().replace("\n ", "\n");
                    let mut object: Object = $object.build();
                    object.description = Some(description);
                    RefOr::T(Schema::Object(object))
                }
            }

            impl ToSchema for $name {
                fn name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }
            }
        )*
    };
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn pattern(pattern: &str) -> ObjectBuilder {
    text().pattern(Some(pattern))
}

fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    text().enum_values(Some(words))
}

fn identifier(prefix: &str) -> ObjectBuilder {
    pattern(&format!("^{prefix}[0-7][0-9a-hjkmnp-tv-z]{{25}}$"))
}

/// The meters as properties: every amount a whole number, no other name allowed.
fn amounts() -> ObjectBuilder {
    let amount = || {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(0))
    };
    domain::Meter::ALL
        .iter()
        .fold(
            ObjectBuilder::new().schema_type(Type::Object),
            |object, meter| {
                let description = meter.part_of().map(|whole| format!("Part of `{whole}`."));
                object.property(meter.as_str(), amount().description(description))
            },
        )
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
}

shapes! {
    /// A customer organisation: 3 to 23 lower-case letters, digits and single hyphens, beginning
    /// with a letter, not `admin`, not ending in `-admin` or `-customer`.
    TenantId = pattern(
        "^(?!admin$)(?!.*--)(?!.*-admin$)(?!.*-customer$)[a-z][a-z0-9-]{1,21}[a-z0-9]$"
    ).min_length(Some(3)).max_length(Some(23)).examples(["zaxon"]);
    /// An AI provider: 2 to 32 lower-case letters and digits, beginning with a letter.
    ServiceId = pattern("^[a-z][a-z0-9]{1,31}$").min_length(Some(2)).max_length(Some(32))
        .examples(["openai"]);
    /// A person or agent inside a tenant: 1 to 128 bytes without control characters.
    UserId = pattern(r"^[^\u0000-\u001f\u007f-\u009f]+$").min_length(Some(1)).max_length(Some(128))
        .examples(["u-17"]);
    /// The name of an access token (never the token itself).
    TokenId = identifier("tok_");
    /// The name of a rotation.
    RotationId = identifier("rot_");
    /// The name of an entry of the audit chain.
    AuditId = identifier("aud_");
    /// The name of a request that reached us; ours, never the client's.
    RequestId = identifier("req_");
    /// The logical call that attempts belong to.
    OperationId = identifier("op_");
    /// The name of a usage event: a hash of what makes the fact this fact.
    EventId = pattern("^evt_[0-9a-f]{32}$");
    /// A W3C trace id: 32 hexadecimal digits, not all zero.
    TraceId = pattern("^(?!0{32}$)[0-9a-f]{32}$");
    /// US dollars as a decimal string, exact to the nano-dollar. Never a floating-point number.
    Money = pattern(r"^-?[0-9]{1,24}(\.[0-9]{1,9})?$").examples(["0.000150000"]);
    /// US dollars as a decimal string, not less than nothing.
    Amount = pattern(r"^[0-9]{1,24}(\.[0-9]{1,9})?$").examples(["500.00"]);
    /// A budget's name within its tenant.
    BudgetName = pattern("^[a-z][a-z0-9-]{0,38}[a-z0-9]$").min_length(Some(2)).max_length(Some(40))
        .examples(["default"]);
    /// What a budget counts: the cost, or the charge by the tenant's plan.
    BudgetMeasure = one_of(domain::BudgetMeasure::ALL.map(domain::BudgetMeasure::as_str));
    /// What happens to a call whose most cannot be told: it is refused, or so many US dollars of
    /// cost are set aside for it.
    OnUnbounded = pattern(
        r"^(refuse|reserve:(?!0+(\.0+)?$)[0-9]{1,24}(\.[0-9]{1,9})?)$"
    ).examples(["reserve:0.50"]);
    /// A decimal ratio as a string: `0.25` is a quarter more.
    Ratio = pattern(r"^-?[0-9]+(\.[0-9]+)?$").examples(["0.25"]);
    /// An instant, RFC 3339, UTC in answers.
    Timestamp = text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    /// An Internet address, version 4 or 6.
    IpAddress = text().examples(["192.0.2.7"]);
    /// The number of a key's version, from 1. Versions are read by number, never by "latest".
    SecretVersion = ObjectBuilder::new().schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(1)).maximum(Some(4_294_967_295_u32));
    /// The name of a provider credential, such as `ai-openai-zaxon`.
    SecretName = pattern("^ai-[a-z0-9-]+$");
    /// What a tenant bought: decides where its keys come from and its default price plan.
    Tier = one_of(domain::Tier::ALL.map(domain::Tier::as_str));
    /// One permission of an access token.
    Scope = one_of(domain::Scope::ALL.iter().map(|scope| scope.as_str()));
    /// What a provider credential is for.
    SecretKind = one_of(["dedicated", "customer", "platform_admin", "tenant_admin"]);
    /// The kinds of key that a tenant's calls use.
    TenantKeyKind = one_of(["dedicated", "customer"]);
    /// Where a key's version is in its life.
    VersionState = one_of(["pending", "active", "retiring", "revoked"]);
    /// What is known of a key at its provider.
    KeyHealth = one_of(["ok", "limited", "exhausted", "suspect", "invalid"]);
    /// Who pays the provider: the platform, or the tenant with its own key.
    Payer = one_of(domain::Payer::ALL.iter().map(|payer| payer.as_str()));
    /// A UTC calendar period up to now. Weeks begin on Monday.
    Period = one_of(domain::Period::ALL.map(domain::Period::as_str));
    /// Where an event's cost comes from, best first. `unpriced` is unknown, not zero.
    CostBasis = one_of(domain::CostBasis::ALL.iter().map(|basis| basis.as_str()));
    /// What an event says about a call.
    EventKind = one_of(domain::EventKind::ALL.iter().map(|kind| kind.as_str()));
    /// How a call ended.
    CallOutcome = one_of(domain::CallOutcome::ALL.iter().map(|outcome| outcome.as_str()));
    /// How an event came to be known.
    EventSource = one_of(domain::EventSource::ALL.iter().map(|source| source.as_str()));
    /// Who said which user it was, strongest first.
    UserSource = one_of(["token", "header", "body", "provider", "unknown"]);
    /// What was used, by meter. A meter that is absent counted nothing.
    Quantities = amounts();
    /// Free words of the caller: at most 16, keys of 1 to 64 bytes, values of at most 256 bytes.
    Tags = ObjectBuilder::new().schema_type(Type::Object)
        .property_names(Some(Schema::Object(
            text().min_length(Some(1)).max_length(Some(64)).build(),
        )))
        .additional_properties(Some(AdditionalProperties::RefOr(RefOr::T(Schema::Object(
            text().max_length(Some(256)).build(),
        )))))
        .max_properties(Some(16));
    /// The provider's own usage object, verbatim.
    ProviderUsage = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json<T: PartialSchema>() -> serde_json::Value {
        serde_json::to_value(T::schema()).unwrap()
    }

    #[test]
    fn closed_words_are_the_domain_s_own() {
        for (listed, word) in json::<VersionState>()["enum"]
            .as_array()
            .unwrap()
            .iter()
            .map(|word| {
                let text = word.as_str().unwrap();
                (
                    text.to_owned(),
                    text.parse::<domain::VersionState>().unwrap(),
                )
            })
        {
            assert_eq!(listed, word.as_str());
        }
        for kind in json::<SecretKind>()["enum"].as_array().unwrap() {
            serde_json::from_value::<domain::SecretKind>(kind.clone()).unwrap();
        }
        for source in json::<UserSource>()["enum"].as_array().unwrap() {
            serde_json::from_value::<domain::UserSource>(source.clone()).unwrap();
        }
    }

    #[test]
    fn every_meter_is_a_property_and_nothing_else_is() {
        let quantities = json::<Quantities>();
        let properties = quantities["properties"].as_object().unwrap();
        assert_eq!(properties.len(), domain::Meter::ALL.len());
        assert_eq!(quantities["additionalProperties"], false);
    }
}
