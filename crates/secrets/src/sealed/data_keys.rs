//! The owners' data keys, unwrapped once and then kept in memory.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use diamond_db::{
    sealed::{self, Owner},
    system,
};

use super::{SealedStore, binding, from_db};
use crate::{SecretError, SecretKey, WrapError, kept::OwnerKey};

const WHAT: &str = "an owner's data key";

#[derive(Default)]
pub(super) struct DataKeys(RwLock<HashMap<Owner, Arc<SecretKey>>>);

impl DataKeys {
    /// The owner's data key, if it has one.
    pub(super) async fn existing(
        &self,
        store: &SealedStore,
        owner: &Owner,
    ) -> Result<Option<Arc<SecretKey>>, SecretError> {
        if let Some(key) = self.known(owner) {
            return Ok(Some(key));
        }
        let wrapped = sealed::data_key(&store.db, owner).await;
        match wrapped.map_err(|error| from_db(error, WHAT))? {
            Some(wrapped) => self.unwrap(store, owner, &wrapped).await.map(Some),
            None => Ok(None),
        }
    }

    /// The owner's data key, made now if it has none. Of two that make one at once, the first
    /// stays and both use it.
    pub(super) async fn existing_or_new(
        &self,
        store: &SealedStore,
        owner: &Owner,
    ) -> Result<Arc<SecretKey>, SecretError> {
        if let Some(key) = self.existing(store, owner).await? {
            return Ok(key);
        }
        let key = SecretKey::generate()
            .map_err(|error| SecretError::Unavailable(Box::new(std::io::Error::from(error))))?;
        let context = binding::of_data_key(store.installation, owner);
        let wrapped = store.wrapper.wrap(&key, &context).await;
        let wrapped = STANDARD.encode(wrapped.map_err(from_wrapper)?);
        let now = store.clock.now();
        let kept = sealed::create_data_key(&store.db, owner, &wrapped, now).await;
        let kept = kept.map_err(|error| from_db(error, WHAT))?;
        self.unwrap(store, owner, &kept).await
    }

    /// Every owner's data key. One that is damaged is left out.
    pub(super) async fn all(
        &self,
        store: &SealedStore,
    ) -> Result<HashMap<Owner, Arc<OwnerKey>>, SecretError> {
        let wrapped = system::load_data_keys(&store.db).await;
        let wrapped = wrapped.map_err(|error| from_db(error, WHAT))?;
        let mut all = HashMap::new();
        for (owner, wrapped) in wrapped.data_keys() {
            let Ok(owner) = owner.parse::<Owner>() else {
                continue;
            };
            let key = match self.known(&owner) {
                Some(key) => key,
                None => match self.unwrap(store, &owner, wrapped).await {
                    Ok(key) => key,
                    Err(SecretError::Damaged { .. }) => continue,
                    Err(error) => return Err(error),
                },
            };
            let installation = store.installation;
            all.insert(owner, Arc::new(OwnerKey { installation, key }));
        }
        Ok(all)
    }

    async fn unwrap(
        &self,
        store: &SealedStore,
        owner: &Owner,
        wrapped: &str,
    ) -> Result<Arc<SecretKey>, SecretError> {
        let damaged = || SecretError::Damaged { what: WHAT };
        let wrapped = STANDARD.decode(wrapped).map_err(|_| damaged())?;
        let context = binding::of_data_key(store.installation, owner);
        let key = store.wrapper.unwrap(&wrapped, &context).await;
        let key = Arc::new(key.map_err(from_wrapper)?);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(owner.clone(), Arc::clone(&key));
        Ok(key)
    }

    fn known(&self, owner: &Owner) -> Option<Arc<SecretKey>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(owner).cloned()
    }
}

/// The master key was found right when the store was opened, so a refusal means damage.
fn from_wrapper(error: WrapError) -> SecretError {
    match error {
        WrapError::Refused => SecretError::Damaged { what: WHAT },
        WrapError::Unavailable(source) => SecretError::Unavailable(source),
    }
}
