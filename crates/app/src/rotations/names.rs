//! What things of ours are called at providers: everything bears the installation's name, and a key
//! the rotation's and the attempt's, so that what a lost answer left behind is found again.

use diamond_domain::{InstallationId, RotationId, TenantId};

/// What a tenant's keys stand in: a project, an account.
pub(super) fn place(installation: InstallationId, tenant: &TenantId) -> String {
    format!("ukm-{}-{tenant}", plain(&installation.to_string()))
}

/// A key.
pub(super) fn key(
    installation: InstallationId,
    tenant: &TenantId,
    rotation: RotationId,
    attempt: u32,
) -> String {
    let place = place(installation, tenant);
    format!("{place}-{}-{attempt}", plain(&rotation.to_string()))
}

/// The rotation and the attempt that a name tells, when it is one of ours.
pub(super) fn parse(installation: InstallationId, name: &str) -> Option<(RotationId, u32)> {
    let start = format!("ukm-{}-", plain(&installation.to_string()));
    let mut parts = name.strip_prefix(&start)?.rsplitn(3, '-');
    let attempt = parts.next()?.parse().ok()?;
    let rotation = format!(
        "{}_{}",
        RotationId::PREFIX.trim_end_matches('_'),
        parts.next()?
    );
    parts.next()?;
    Some((rotation.parse().ok()?, attempt))
}

/// An id without its prefix.
fn plain(id: &str) -> &str {
    id.split_once('_').map_or(id, |(_, body)| body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_whose_it_is() {
        let installation = InstallationId::from_bits(7);
        let rotation = RotationId::from_bits(1 << 100);
        for tenant in ["zaxon", "a-b-c", "tenant-1-2"] {
            let name = key(installation, &tenant.parse().unwrap(), rotation, 12);
            assert_eq!(parse(installation, &name), Some((rotation, 12)), "{name}");
            assert_eq!(parse(InstallationId::from_bits(8), &name), None);
            // Providers cut longer ones: Deepgram's comment and OpenAI's name take more.
            assert!(name.len() < 100, "{name}");
        }
        for other in ["", "ukm", "my own key", "ukm-7-zaxon-x-1", "ukm--zaxon--1"] {
            assert_eq!(parse(installation, other), None, "{other}");
        }
    }
}
