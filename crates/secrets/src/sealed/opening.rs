//! Opening the store: is the master key the right one, and what is the root of derived keys?

use std::sync::Arc;

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use diamond_db::{Db, installation, sealed};
use diamond_domain::Clock;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{SealedStore, binding, data_keys::DataKeys, from_db};
use crate::{KeyWrapper, SecretError, SecretKey, WrapError};

/// Wrapped at the first start; a master key that gives it back is the right one.
const CHECK_VALUE: [u8; 32] = *b"diamond/sealed-store/check-value";

const CHECK: &str = "check";
const ROOT: &str = "root";
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
    /// [`SecretError::WrongMasterKey`]; [`SecretError::Damaged`] when the master key is right and
    /// one of the store's own records is not; [`SecretError::Unavailable`].
    pub async fn open(
        db: Db,
        wrapper: Arc<dyn KeyWrapper>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SecretError> {
        let installation = installation::get_or_create(&db, clock.now()).await;
        let installation = installation.map_err(|error| from_db(error, "the installation's id"))?;
        let root_context = binding::of_root(installation);
        let (check, root) = match stored(&db).await? {
            (None, None) => {
                create(&db, &*wrapper, &root_context).await?;
                stored(&db).await?
            }
            both => both,
        };
        let check = check.ok_or(DAMAGED_CHECK)?;
        let root = root.ok_or(DAMAGED_ROOT)?;
        let check = unwrap(&*wrapper, &check, &binding::of_check()).await?;
        let check = check.filter(|key| bool::from(key.expose().ct_eq(&CHECK_VALUE)));
        let root = unwrap(&*wrapper, &root, &root_context).await?;
        // One record alone can be damaged; that both are is the sign of another key.
        let root = match (check, root) {
            (Some(_), Some(root)) => root,
            (None, None) => return Err(SecretError::WrongMasterKey),
            (None, Some(_)) => return Err(DAMAGED_CHECK),
            (Some(_), None) => return Err(DAMAGED_ROOT),
        };
        let request_key = derive(&root, &["store", "request"]);
        Ok(Self {
            db,
            wrapper,
            clock,
            installation,
            root,
            request_key,
            data_keys: DataKeys::default(),
        })
    }
}

/// Check value and root, read at one instant: another node may be making them.
async fn stored(db: &Db) -> Result<(Option<String>, Option<String>), SecretError> {
    let settings = sealed::settings(db).await;
    let mut settings = settings.map_err(|error| from_db(error, "the store's settings"))?;
    Ok((settings.remove(CHECK), settings.remove(ROOT)))
}

/// Makes check value and root together; does nothing when another node was faster.
async fn create(db: &Db, wrapper: &dyn KeyWrapper, root_context: &[u8]) -> Result<(), SecretError> {
    let check = SecretKey::from_slice(&CHECK_VALUE).ok_or(DAMAGED_CHECK)?;
    let root = SecretKey::generate()
        .map_err(|error| SecretError::Unavailable(Box::new(std::io::Error::from(error))))?;
    let check = wrap(wrapper, &check, &binding::of_check()).await?;
    let root = wrap(wrapper, &root, root_context).await?;
    let settings = [(CHECK, check.as_str()), (ROOT, root.as_str())];
    let created = sealed::create_settings(db, &settings).await;
    created.map_err(|error| from_db(error, "the store's settings"))?;
    Ok(())
}

async fn wrap(
    wrapper: &dyn KeyWrapper,
    key: &SecretKey,
    context: &[u8],
) -> Result<String, SecretError> {
    match wrapper.wrap(key, context).await {
        Ok(wrapped) => Ok(STANDARD.encode(wrapped)),
        Err(WrapError::Refused) => Err(SecretError::WrongMasterKey),
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
