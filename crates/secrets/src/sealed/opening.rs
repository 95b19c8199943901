//! Opening the store: is the master key the right one, and what is the root of derived keys?

use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use diamond_db::{
    Db, installation,
    sealed::{self, CustodyRow, RekeyPhase},
};
use diamond_domain::Clock;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{
    SealedStore, binding,
    data_keys::DataKeys,
    from_db,
    rekey::{Progress, wanted},
};
use crate::{
    KeyWrapper, MasterKeyError, MasterKeys, SecretError, SecretKey, WrapError,
    master::{Derivation, Derivations},
};

/// Wrapped at the first start; a master key that gives it back is the right one.
const CHECK_VALUE: [u8; 32] = *b"diamond/sealed-store/check-value";

pub(super) const CHECK: &str = "check";
pub(super) const ROOT: &str = "root";
/// How a passphrase becomes the master key.
pub(super) const PASSPHRASE: &str = "passphrase";
/// The same under the master key that is to come next.
pub(super) const NEXT_CHECK: &str = "next check";
pub(super) const NEXT_ROOT: &str = "next root";
pub(super) const NEXT_PASSPHRASE: &str = "next passphrase";

const DAMAGED_CHECK: SecretError = SecretError::Damaged {
    what: "the check value of the master key",
};
const DAMAGED_ROOT: SecretError = SecretError::Damaged {
    what: "the root key, or the installation's id that it is bound to",
};

impl SealedStore {
    /// Whether a store was ever made in this database. If so, a master key that is missing is a
    /// loss, and making another would hide it.
    ///
    /// # Errors
    /// [`SecretError::Unavailable`].
    pub async fn is_made(db: &Db) -> Result<bool, SecretError> {
        Ok(stored(db).await? != (None, None))
    }

    /// Opens the store, or makes it at the first start. Several nodes may do so at once.
    ///
    /// # Errors
    /// [`SecretError::WrongMasterKey`], also when a change of the master key is under way and this
    /// node lacks the next one; [`SecretError::Damaged`] when the master key is right and one of
    /// the store's own records is not; [`SecretError::Unavailable`].
    pub async fn open(
        db: Db,
        keys: impl Into<MasterKeys> + Send,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let keys = keys.into();
        let installation = installation::get_or_create(&db, clock.now()).await;
        let installation = installation.map_err(|error| from_db(error, "the installation's id"))?;
        let root_context = binding::of_root(installation);
        let mut row = custody(&db).await?;
        let mut settings = settings_of(&db).await?;
        let made = settings.contains_key(CHECK) || settings.contains_key(ROOT);
        if keys.kind() == "passphrase" && !made && !settings.contains_key(PASSPHRASE) {
            let text = Derivation::generate()?.text()?;
            let stored = sealed::create_settings(&db, &[(PASSPHRASE, &text)]).await;
            stored.map_err(|error| from_db(error, SETTINGS))?;
            settings = settings_of(&db).await?;
        }
        if keys.kind() == "passphrase" && derivations(&settings).present.is_none() {
            return Err(MasterKeyError::Parameters.into());
        }
        let wanted: Vec<_> = row.iter().flat_map(wanted).collect();
        keys.load(&derivations(&settings), &wanted).await?;
        if !made {
            let first = keys.all().into_iter().next();
            let first = first.ok_or(MasterKeyError::NoNext)?;
            create(&db, &*first, &root_context).await?;
            let now = Some(clock.now());
            let created = sealed::create_custody(&db, first.id().as_str(), now).await;
            created.map_err(|error| from_db(error, SETTINGS))?;
            settings = settings_of(&db).await?;
            row = custody(&db).await?;
        }
        let check = settings.get(CHECK).ok_or(DAMAGED_CHECK)?;
        let root = settings.get(ROOT).ok_or(DAMAGED_ROOT)?;
        let held = keys.ids().join(", ");
        let wrong = |needed: &str| SecretError::WrongMasterKey {
            needed: needed.to_owned(),
            held: held.clone(),
        };
        let mut opened = None;
        for key in keys.all() {
            let noted = row
                .as_ref()
                .is_none_or(|row| row.master == key.id().as_str());
            let check = unwrap(&*key, check, &binding::of_check()).await?;
            let check = check.filter(|key| bool::from(key.expose().ct_eq(&CHECK_VALUE)));
            let root = unwrap(&*key, root, &root_context).await?;
            // One record alone can be damaged; that both are is the sign of another key.
            match (check, root) {
                (Some(_), Some(root)) => opened = Some((key, root)),
                (None, Some(_)) if noted => return Err(DAMAGED_CHECK.into()),
                (Some(_), None) if noted => return Err(DAMAGED_ROOT.into()),
                _ => {}
            }
        }
        let needed = row
            .as_ref()
            .map_or("another one", |row| row.master.as_str());
        let (master, root) = opened.ok_or_else(|| wrong(needed))?;
        if row.is_none() {
            // Made by a release that noted no ids.
            let created = sealed::create_custody(&db, master.id().as_str(), None).await;
            created.map_err(|error| from_db(error, SETTINGS))?;
        }
        if let Some(rekey) = row.as_ref().and_then(|row| row.rekey.as_ref())
            && rekey.phase == RekeyPhase::Rewrapping
            && keys.get(&rekey.to).is_none()
        {
            // Some data keys are under it already: those tenants would have no keys here.
            return Err(wrong(&format!("{} and {}", rekey.from, rekey.to)).into());
        }
        let request_key = derive(&root, &["store", "request"]);
        Ok(Self {
            db,
            keys,
            clock,
            installation,
            root,
            request_key,
            data_keys: DataKeys::default(),
            progress: Progress::default(),
        })
    }
}

/// Why the store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no master key.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
    /// The store does not open with it.
    #[error(transparent)]
    Store(#[from] SecretError),
}

const SETTINGS: &str = "the store's settings";

async fn custody(db: &Db) -> Result<Option<CustodyRow>, SecretError> {
    let row = sealed::custody(db).await;
    row.map_err(|error| from_db(error, "the record of the master key"))
}

async fn settings_of(db: &Db) -> Result<BTreeMap<String, String>, SecretError> {
    let settings = sealed::settings(db).await;
    settings.map_err(|error| from_db(error, SETTINGS))
}

/// The stored parameters of passphrases.
pub(super) fn derivations(settings: &BTreeMap<String, String>) -> Derivations {
    let read = |name| settings.get(name).and_then(|text| Derivation::read(text));
    Derivations {
        present: read(PASSPHRASE),
        next: read(NEXT_PASSPHRASE),
    }
}

/// The check value under a master key.
pub(super) async fn wrapped_check(wrapper: &dyn KeyWrapper) -> Result<String, SecretError> {
    let check = SecretKey::from_slice(&CHECK_VALUE).ok_or(DAMAGED_CHECK)?;
    wrap(wrapper, &check, &binding::of_check()).await
}

/// Check value and root, read at one instant: another node may be making them.
async fn stored(db: &Db) -> Result<(Option<String>, Option<String>), SecretError> {
    let settings = sealed::settings(db).await;
    let mut settings = settings.map_err(|error| from_db(error, "the store's settings"))?;
    Ok((settings.remove(CHECK), settings.remove(ROOT)))
}

/// Makes check value and root together; does nothing when another node was faster.
async fn create(db: &Db, wrapper: &dyn KeyWrapper, root_context: &[u8]) -> Result<(), SecretError> {
    let root = SecretKey::generate()
        .map_err(|error| SecretError::Unavailable(Box::new(std::io::Error::from(error))))?;
    let check = wrapped_check(wrapper).await?;
    let root = wrap(wrapper, &root, root_context).await?;
    let settings = [(CHECK, check.as_str()), (ROOT, root.as_str())];
    let created = sealed::create_settings(db, &settings).await;
    created.map_err(|error| from_db(error, "the store's settings"))?;
    Ok(())
}

pub(super) async fn wrap(
    wrapper: &dyn KeyWrapper,
    key: &SecretKey,
    context: &[u8],
) -> Result<String, SecretError> {
    match wrapper.wrap(key, context).await {
        Ok(wrapped) => Ok(STANDARD.encode(wrapped)),
        Err(WrapError::Refused) => Err(SecretError::Unavailable(
            "the keeper of the master key refuses to wrap".into(),
        )),
        Err(WrapError::Unavailable(source)) => Err(SecretError::Unavailable(source)),
    }
}

/// The key, or `None` when the wrapper refuses.
async fn unwrap(
    wrapper: &dyn KeyWrapper,
    text: &str,
    context: &[u8],
) -> Result<Option<SecretKey>, SecretError> {
    let Ok(wrapped) = STANDARD.decode(text) else {
        return Ok(None);
    };
    match wrapper.unwrap(&wrapped, context).await {
        Ok(key) => Ok(Some(key)),
        Err(WrapError::Refused) => Ok(None),
        Err(WrapError::Unavailable(source)) => Err(SecretError::Unavailable(source)),
    }
}

/// A key from the root (HKDF-SHA256, expansion only: the root is uniformly random).
pub(super) fn derive(root: &SecretKey, path: &[&str]) -> Zeroizing<[u8; 32]> {
    struct Length;
    impl KeyType for Length {
        fn len(&self) -> usize {
            32
        }
    }
    let info = binding::framed(path);
    let mut key = Zeroizing::new([0_u8; 32]);
    #[expect(
        clippy::expect_used,
        reason = "fails only for more than 255 blocks; a blank key must never be used"
    )]
    Prk::new_less_safe(HKDF_SHA256, root.expose())
        .expand(&[&info], Length)
        .and_then(|output| output.fill(&mut key[..]))
        .expect("32 bytes can be derived");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_keys_depend_on_root_and_purpose_only() {
        let root = |byte| SecretKey::from_slice(&[byte; 32]).unwrap();
        let key = derive(&root(1), &["purpose", "audit"]);
        assert_eq!(derive(&root(1), &["purpose", "audit"]), key);
        assert_ne!(derive(&root(1), &["purpose", "tokens"]), key);
        assert_ne!(derive(&root(1), &["purposeaudit"]), key);
        assert_ne!(derive(&root(2), &["purpose", "audit"]), key);
        assert_ne!(*key, [0; 32]);
    }
}
