//! Settings: the embedded default file, the operator's file, the environment, the command line.

mod check;
mod load;
mod reference;
mod sections;

pub use load::{ConfigError, DEFAULT_FILE, load};
pub use reference::reference;
pub use sections::{
    ApiSection, AuditSection, BudgetsSection, Config, CostsSection, DatabaseSection,
    DeclaredServicesSection, GatewaySection, JournalSection, LeasesSection, LogFormat, LogSection,
    OutboundSection, PassphraseFrom, Profile, RotationSection, SecretsSection, ServerSection,
    ServiceSection, TokensSection, days,
};
