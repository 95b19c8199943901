//! Values that are kept in memory as they lie in the store, and opened when they are needed.

use std::{collections::HashMap, fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use diamond_db::{SealedTexts, sealed::Owner};
use diamond_domain::{InstallationId, SecretName, SecretValue, SecretVersion};

use crate::{
    SecretError, SecretKey,
    sealed::{binding, envelope},
};

/// What opens the values of one owner.
pub(crate) struct OwnerKey {
    pub installation: InstallationId,
    pub key: Arc<SecretKey>,
}

/// All values of a store, sealed.
pub struct KeptValues {
    texts: SealedTexts,
    owners: HashMap<Owner, Arc<OwnerKey>>,
}

/// The same, to be looked into.
pub struct KeptIndex<'a> {
    texts: &'a SealedTexts,
    /// Whoever asks in the order in which the values lie finds the next one just ahead.
    ahead: Box<dyn Iterator<Item = (&'a str, &'a str)> + Send + 'a>,
    /// By name, tab, number; made for whoever asks in another order.
    by_place: Option<HashMap<&'a str, &'a str>>,
    owners: &'a HashMap<Owner, Arc<OwnerKey>>,
    place: String,
}

/// One value, sealed. Opening it waits for nobody.
pub struct KeptValue {
    owner: Option<Arc<OwnerKey>>,
    sealed: Box<[u8]>,
}

impl KeptValues {
    pub(crate) const fn new(texts: SealedTexts, owners: HashMap<Owner, Arc<OwnerKey>>) -> Self {
        Self { texts, owners }
    }

    /// Makes single values quick to find.
    #[must_use]
    pub fn index(&self) -> KeptIndex<'_> {
        KeptIndex {
            texts: &self.texts,
            ahead: Box::new(self.texts.values()),
            by_place: None,
            owners: &self.owners,
            place: String::new(),
        }
    }
}

/// How many values are passed over in search of one that is asked for.
const LOOK_AHEAD: usize = 64;

impl<'a> KeptIndex<'a> {
    fn find(&mut self) -> Option<&'a str> {
        if self.by_place.is_none() {
            let mut ahead = self.ahead.by_ref().take(LOOK_AHEAD);
            if let Some((_, text)) = ahead.find(|(place, _)| *place == self.place) {
                return Some(text);
            }
        }
        let texts = self.texts;
        let by_place = self
            .by_place
            .get_or_insert_with(|| texts.values().collect());
        by_place.get(self.place.as_str()).copied()
    }

    /// The value of a version; `None` when it was not there (yet). One that is damaged shows when
    /// it is opened.
    #[must_use]
    pub fn get(&mut self, name: &SecretName, version: SecretVersion) -> Option<KeptValue> {
        use fmt::Write as _;

        self.place.clear();
        // Writing to a text cannot fail; a wrong place would find nothing.
        let _ = write!(self.place, "{name}\t{version}");
        let text = self.find()?;
        Some(KeptValue {
            owner: self.owners.get(&Owner::of(name)).cloned(),
            // What is no base 64 does not open, and neither does nothing.
            sealed: STANDARD.decode(text).unwrap_or_default().into(),
        })
    }
}

impl KeptValue {
    /// Opens it, as what it was sealed for.
    ///
    /// # Errors
    /// [`SecretError::Tampered`] when it is not the one that was sealed.
    pub fn open(
        &self,
        name: &SecretName,
        version: SecretVersion,
    ) -> Result<SecretValue, SecretError> {
        let tampered = || SecretError::Tampered {
            name: name.clone(),
            version,
        };
        let owner = self.owner.as_ref().ok_or_else(tampered)?;
        let binding = binding::of_value(owner.installation, name, version);
        let plain = envelope::open_bytes(&owner.key, &binding, &self.sealed);
        let plain = plain.map_err(|_| tampered())?;
        let text = std::str::from_utf8(&plain).map_err(|_| tampered())?;
        Ok(SecretValue::new(text.to_owned()))
    }
}

impl fmt::Debug for KeptValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptValues").finish_non_exhaustive()
    }
}

impl fmt::Debug for KeptValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptValue").finish_non_exhaustive()
    }
}
