//! The master keys that this node holds: one, or two while one follows the other.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use super::{
    Derivation, KeyWrapper, MasterKey, MasterKeyError, MasterKeyId, MasterKeySource, file,
};

/// Master keys by id, and where they come from.
pub struct MasterKeys {
    /// The present key's; `None` for a key that was handed in ready.
    present: Option<MasterKeySource>,
    /// The next key's, where the operator says so; else a key file has its next one beside it.
    next: Option<MasterKeySource>,
    held: RwLock<Vec<Arc<dyn KeyWrapper>>>,
}

/// The stored parameters of passphrases.
#[derive(Debug, Default)]
pub(crate) struct Derivations {
    pub present: Option<Derivation>,
    pub next: Option<Derivation>,
}

/// A key to change to.
pub(crate) struct NextKey {
    pub wrapper: Arc<dyn KeyWrapper>,
    /// How it is derived, when it comes from a passphrase.
    pub derivation: Option<Derivation>,
}

impl From<Arc<dyn KeyWrapper>> for MasterKeys {
    fn from(wrapper: Arc<dyn KeyWrapper>) -> Self {
        Self {
            present: None,
            next: None,
            held: RwLock::new(vec![wrapper]),
        }
    }
}

impl From<MasterKeySource> for MasterKeys {
    fn from(present: MasterKeySource) -> Self {
        Self::new(present, None)
    }
}

impl MasterKeys {
    /// Keys of these sources; nothing is read yet. Without `next` a key file's next key is made
    /// and looked for beside it.
    #[must_use]
    pub fn new(present: MasterKeySource, next: Option<MasterKeySource>) -> Self {
        Self {
            present: Some(present),
            next,
            held: RwLock::default(),
        }
    }

    /// One word for where the present key comes from.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.present
            .as_ref()
            .map_or("external", MasterKeySource::kind)
    }

    /// The present key's file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.present.as_ref().and_then(MasterKeySource::path)
    }

    /// Whether looking for keys again is cheap.
    pub(crate) fn is_cheap(&self) -> bool {
        let sources = [self.present.as_ref(), self.next.as_ref()];
        !sources.into_iter().flatten().any(MasterKeySource::derives)
    }

    /// The key with this id, if this node holds it.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<dyn KeyWrapper>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.iter().find(|key| key.id().as_str() == id).cloned()
    }

    /// All that this node holds.
    pub(crate) fn all(&self) -> Vec<Arc<dyn KeyWrapper>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }

    /// The ids of those.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.all().iter().map(|key| key.id().to_string()).collect();
        ids.sort();
        ids
    }

    /// Reads and derives what the sources give, until every wanted key is held.
    pub(crate) async fn load(
        &self,
        derivations: &Derivations,
        wanted: &[&str],
    ) -> Result<(), MasterKeyError> {
        let complete =
            |keys: &Self| !wanted.is_empty() && wanted.iter().all(|id| keys.get(id).is_some());
        let Some(present) = &self.present else {
            return Ok(());
        };
        let beside = match present {
            MasterKeySource::File(path) if self.next.is_none() => {
                Some(MasterKeySource::File(file::beside(path)))
            }
            _ => None,
        };
        let present_failed = self.take(present, derivations.present.as_ref()).await.err();
        if complete(self) {
            return Ok(());
        }
        if let Some(next) = self.next.as_ref().or(beside.as_ref()) {
            // A key whose change has ended is the store's present key, and so are its parameters.
            for derivation in [&derivations.next, &derivations.present] {
                let absent = next.path().is_some_and(|path| !path.exists());
                if complete(self) || absent || (next.derives() && derivation.is_none()) {
                    continue;
                }
                self.take(next, derivation.as_ref()).await?;
            }
        }
        match present_failed {
            // One of two is there: whether it is the right one is for the store to say.
            Some(error) if self.all().is_empty() => Err(error),
            Some(error) if wanted.is_empty() => Err(error),
            _ => Ok(()),
        }
    }

    async fn take(
        &self,
        source: &MasterKeySource,
        derivation: Option<&Derivation>,
    ) -> Result<(), MasterKeyError> {
        let key = MasterKey::new(source.key(derivation).await?);
        self.hold(Arc::new(key));
        Ok(())
    }

    /// Holds one more key.
    pub(crate) fn hold(&self, key: Arc<dyn KeyWrapper>) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if !held.iter().any(|other| other.id() == key.id()) {
            held.push(key);
        }
    }

    /// Lets go of every key but this one, which wipes them. Keys that were handed in ready stay:
    /// they cannot be had again.
    pub(crate) fn keep_only(&self, id: &str) {
        if self.present.is_some() {
            let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
            held.retain(|key| key.id().as_str() == id);
        }
    }

    /// The key to change to: the operator's, or one made now beside the present key's file.
    pub(crate) async fn next(&self) -> Result<NextKey, MasterKeyError> {
        let source = match (&self.next, &self.present) {
            (Some(next), _) => next.clone(),
            (None, Some(MasterKeySource::File(path))) => {
                let beside = file::beside(path);
                if !beside.exists() {
                    file::create(&beside)?;
                }
                MasterKeySource::File(beside)
            }
            _ => return Err(MasterKeyError::NoNext),
        };
        let derivation = match source.derives() {
            true => Some(Derivation::generate()?),
            false => None,
        };
        let key = MasterKey::new(source.key(derivation.as_ref()).await?);
        Ok(NextKey {
            wrapper: Arc::new(key),
            derivation,
        })
    }

    /// Puts the next key's file in the place of the present one's when the store says that it is
    /// the present key now. What the operator supplied is the operator's to move.
    pub(crate) fn promote(&self, present: &str) -> Result<(), MasterKeyError> {
        let Some(MasterKeySource::File(path)) = &self.present else {
            return Ok(());
        };
        let beside = file::beside(path);
        if self.next.is_some() || !beside.exists() {
            return Ok(());
        }
        if MasterKeyId::of(&file::read(&beside)?).as_str() != present {
            return Ok(());
        }
        let before = match file::read(path) {
            Ok(key) => MasterKeyId::of(&key),
            Err(error) => return Err(error),
        };
        if before.as_str() == present {
            // The move was made and the old name is still there: nothing but a duplicate.
            return Ok(());
        }
        file::promote(path, &before).map_err(|source| MasterKeyError::File {
            path: path.clone(),
            source,
        })
    }

    /// Whether the store's present key stands where the operator put the next one.
    pub(crate) fn is_from_next(&self, present: &str) -> Option<PathBuf> {
        let next = self.next.as_ref()?.path()?;
        let MasterKeySource::File(path) = self.present.as_ref()? else {
            return None;
        };
        let key = file::read(path).ok()?;
        (MasterKeyId::of(&key).as_str() != present).then(|| next.to_owned())
    }

    /// Files of former master keys beside the present one's.
    pub(crate) fn retired(&self) -> Vec<PathBuf> {
        let Some(MasterKeySource::File(path)) = &self.present else {
            return Vec::new();
        };
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Vec::new();
        };
        let prefix = format!("{name}.retired-");
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let entries = std::fs::read_dir(folder.unwrap_or(Path::new(".")));
        let mut files: Vec<_> = entries
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
            .map(|entry| entry.path())
            .collect();
        files.sort();
        files
    }
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKeys")
            .field("held", &self.ids())
            .finish_non_exhaustive()
    }
}
