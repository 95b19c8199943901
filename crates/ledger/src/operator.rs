//! Reads across tenants: for operators and background work only.

use diamond_usage::{ScanFilter, TenantScope};

/// The events that a scope covers. The only place from which everybody's are read.
pub(crate) fn scope(scope: &TenantScope) -> ScanFilter {
    match scope {
        TenantScope::One(tenant) => ScanFilter::of(tenant.clone()),
        TenantScope::All => ScanFilter::of_everybody(),
    }
}
