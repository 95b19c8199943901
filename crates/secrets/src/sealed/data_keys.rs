//! The owners' data keys, unwrapped once and then kept in memory.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use diamond_db::{
    sealed::{self, Owner, WrappedKey},
    system,
};

use super::{SealedStore, binding, from_db, rekey::wanted};
use crate::{SecretError, SecretKey, WrapError, kept::OwnerKey};

const WHAT: &str = "an owner's data key";

/// How often a master key may change while one data key is made.
const ROUNDS: u32 = 3;

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
            Some(wrapped) => self.unwrap(store, &wrapped).await.map(Some),
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
        for _ in 0..ROUNDS {
            let row = sealed::custody(&store.db).await;
            let row = row.map_err(|error| from_db(error, WHAT))?;
            let sealing = row.ok_or(SecretError::Damaged { what: WHAT })?.sealing;
            let master = store.master(&sealing).await?;
            let wrapped = master.wrap(&key, &context).await;
            let wrapped = STANDARD.encode(wrapped.map_err(from_wrapper)?);
            let now = store.clock.now();
            let kept = sealed::create_data_key(&store.db, owner, &wrapped, &sealing, now).await;
            // `None`: the master key was changed in between.
            if let Some(kept) = kept.map_err(|error| from_db(error, WHAT))? {
                return self.unwrap(store, &kept).await;
            }
        }
        Err(SecretError::Unavailable(
            "the master key changes faster than a key can be made".into(),
        ))
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
                None => match self.unwrap_or_look(store, &owner, wrapped).await {
                    Ok(Some(key)) => key,
                    Ok(None) | Err(SecretError::Damaged { .. }) => continue,
                    Err(error) => return Err(error),
                },
            };
            let installation = store.installation;
            all.insert(owner, Arc::new(OwnerKey { installation, key }));
        }
        Ok(all)
    }

    /// Of a text that was read with all others; one that does not open is read again by itself,
    /// with the note which master key it is under.
    async fn unwrap_or_look(
        &self,
        store: &SealedStore,
        owner: &Owner,
        wrapped: &str,
    ) -> Result<Option<Arc<SecretKey>>, SecretError> {
        let wrapped = WrappedKey {
            owner: owner.clone(),
            wrapped: wrapped.to_owned(),
            master: None,
        };
        match self.unwrap(store, &wrapped).await {
            Err(SecretError::Damaged { .. }) => self.existing(store, owner).await,
            opened => opened.map(Some),
        }
    }

    async fn unwrap(
        &self,
        store: &SealedStore,
        wrapped: &WrappedKey,
    ) -> Result<Arc<SecretKey>, SecretError> {
        let context = binding::of_data_key(store.installation, &wrapped.owner);
        let mut key = store.unwrap_any(&wrapped.wrapped, &context).await?;
        if let (None, Some(noted)) = (&key, &wrapped.master) {
            // Under a master key that came after the last look, or one that this node lacks: that
            // is no damage. Whoever alters the note can only cause one more look.
            let row = sealed::custody(&store.db).await;
            let row = row.map_err(|error| from_db(error, WHAT))?;
            let named = row.is_some_and(|row| wanted(&row).contains(&noted.as_str()));
            if named && store.keys.get(noted).is_none() {
                store.master(noted).await?;
                key = store.unwrap_any(&wrapped.wrapped, &context).await?;
            }
        }
        let key = Arc::new(key.ok_or(SecretError::Damaged { what: WHAT })?);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(wrapped.owner.clone(), Arc::clone(&key));
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
