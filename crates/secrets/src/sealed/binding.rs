//! What sealed bytes are bound to: they open only where they were sealed for.

use diamond_db::sealed::Owner;
use diamond_domain::{InstallationId, SecretName, SecretVersion};

use super::envelope::FORMAT;

/// Writes the parts one behind the other, each with its length, so that no two lists of parts
/// read alike.
pub(super) fn framed<T: AsRef<[u8]>>(parts: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts.iter().map(AsRef::as_ref) {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// The binding of a secret's value.
pub(crate) fn of_value(
    installation: InstallationId,
    name: &SecretName,
    version: SecretVersion,
) -> Vec<u8> {
    framed(&[
        b"value".as_slice(),
        &[FORMAT],
        &installation.to_bits().to_be_bytes(),
        name.to_string().as_bytes(),
        &version.get().to_be_bytes(),
    ])
}

/// The binding of an owner's data key.
pub(super) fn of_data_key(installation: InstallationId, owner: &Owner) -> Vec<u8> {
    framed(&[
        b"data key".as_slice(),
        &[FORMAT],
        &installation.to_bits().to_be_bytes(),
        owner.to_string().as_bytes(),
    ])
}

/// The binding of the root key.
pub(super) fn of_root(installation: InstallationId) -> Vec<u8> {
    framed(&[
        b"root".as_slice(),
        &[FORMAT],
        &installation.to_bits().to_be_bytes(),
    ])
}

/// The binding of the check value: to nothing, so that it tells of the master key alone.
pub(super) fn of_check() -> Vec<u8> {
    framed(&[b"check".as_slice(), &[FORMAT]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(framed(&["ab", "c"]), framed(&["a", "bc"]));
        assert_ne!(framed(&["a", ""]), framed(&["a"]));
    }

    #[test]
    fn everything_about_a_value_is_in_its_binding() {
        let name = |text: &str| text.parse::<SecretName>().unwrap();
        let version = |number| SecretVersion::new(number).unwrap();
        let installation = InstallationId::from_bits;
        let bindings = [
            of_value(installation(1), &name("ai-openai-zaxon"), version(1)),
            of_value(installation(2), &name("ai-openai-zaxon"), version(1)),
            of_value(
                installation(1),
                &name("ai-openai-zaxon-customer"),
                version(1),
            ),
            of_value(installation(1), &name("ai-openai-zaxon"), version(2)),
            of_data_key(installation(1), &Owner::Platform),
            of_root(installation(1)),
            of_check(),
        ];
        for (place, one) in bindings.iter().enumerate() {
            assert!(!bindings[place + 1..].contains(one), "{place}");
        }
    }
}
