//! The keyring: all live versions, and who is using them.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{Ordering, fence},
    },
};

use diamond_domain::{
    Clock, KeyHealth, Payer, SecretName, SecretValue, SecretVersion, ServiceId, TenantId,
    VersionState,
};
use jiff::Timestamp;
use papaya::HashMap;
use parking_lot::Mutex;

use crate::{ClosedValue, NoKey, PinnedKey, SourceState, Tried, version::Version};

/// A version of a key, as it is put into the keyring.
#[derive(Debug, Clone)]
pub struct KeyEntry {
    /// The secret.
    pub name: SecretName,
    /// The number of the version.
    pub version: SecretVersion,
    /// The key itself.
    pub value: SecretValue,
    /// Where it is in its life.
    pub state: VersionState,
    /// Who pays the provider for what is done with it.
    pub payer: Payer,
}

/// A version whose value is opened when it is first used.
pub struct ClosedEntry {
    /// The secret.
    pub name: SecretName,
    /// The number of the version.
    pub version: SecretVersion,
    /// What opens to the key.
    pub value: Box<dyn ClosedValue>,
    /// Where it is in its life.
    pub state: VersionState,
    /// Who pays the provider for what is done with it.
    pub payer: Payer,
}

/// Every live key version in memory. Readers wait for nobody; writers (the feed from the control
/// state) are few and wait for each other.
pub struct Keyring {
    clock: Arc<dyn Clock>,
    slots: Arc<Slots>,
}

/// The versions of each secret, newest first.
#[derive(Default)]
pub(crate) struct Slots {
    versions: HashMap<SecretName, Arc<[Arc<Version>]>>,
    /// Lists are replaced whole; two writers must not replace the same one.
    write: Mutex<()>,
}

impl Keyring {
    /// Holds no key yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            slots: Arc::default(),
        }
    }

    /// Takes a version in. One that is here already keeps its pins, its health and its value (a
    /// version's value never changes) and moves to the entry's state.
    pub fn upsert(&self, entry: KeyEntry) {
        let _writing = self.slots.write.lock();
        if self.moved(&entry.name, entry.version, entry.state) {
            return;
        }
        let added = Arc::new(Version::new(
            entry.name,
            entry.version,
            entry.value,
            entry.state,
            entry.payer,
        ));
        self.slots.add(added);
    }

    /// Takes many versions in, as [`Keyring::upsert`] does, at what it costs to take in many.
    pub fn fill(&self, entries: Vec<ClosedEntry>) {
        let _writing = self.slots.write.lock();
        let slots = self.slots.versions.pin();
        slots.reserve(entries.len());
        for entry in entries {
            let alone = !slots.contains_key(&entry.name);
            if !alone && self.moved(&entry.name, entry.version, entry.state) {
                continue;
            }
            let name = entry.name.clone();
            let added = Arc::new(Version::closed(
                entry.name,
                entry.version,
                entry.value,
                entry.state,
                entry.payer,
            ));
            if alone {
                slots.insert(name, Arc::from([added]));
            } else {
                self.slots.add(added);
            }
        }
    }

    /// Opens every value that was never used, and lets go of it again: one that is damaged is told
    /// before somebody needs it. How many are. Takes as long as opening them all.
    #[must_use]
    pub fn count_damaged(&self) -> usize {
        let slots = self.slots.versions.pin();
        let versions = slots.values().flat_map(|versions| versions.iter());
        versions.filter(|version| !version.try_open()).count()
    }

    /// Whether the version was here already, and has moved to the state. The write lock is held.
    fn moved(&self, name: &SecretName, version: SecretVersion, state: VersionState) -> bool {
        let present = self.slots.find(name, version);
        let present = present.filter(|version| !version.removed());
        present.is_some_and(|version| {
            version.set_state(state);
            true
        })
    }

    /// Moves a version to a state. A revoked one stays revoked; an unknown one is nobody's concern.
    pub fn set_state(&self, name: &SecretName, version: SecretVersion, state: VersionState) {
        if let Some(version) = self.slots.find(name, version) {
            version.set_state(state);
        }
    }

    /// Forgets a version: no new pins from now on, and its value is let go with the last one.
    pub fn remove(&self, name: &SecretName, version: SecretVersion) {
        if let Some(version) = self.slots.find(name, version)
            && version.mark_removed()
        {
            self.slots.forget(&version);
        }
    }

    /// The key to use for the tenant at the service, held until the pin is dropped: the customer's
    /// own if it supplied one, else the dedicated one.
    ///
    /// A secret none of whose versions is in use (absent, pending, revoked) is passed over; one that
    /// is in use but refused or empty is the answer, for going on would make somebody else pay.
    /// A key that is only limited or suspect is given: the provider decides about each call.
    pub fn pin(&self, service: &ServiceId, tenant: &TenantId) -> Result<PinnedKey, NoKey> {
        let now = self.clock.now();
        let customer = SecretName::Customer {
            service: service.clone(),
            tenant: tenant.clone(),
        };
        let found = match self.pin_secret(&customer, now) {
            Ok(pinned) => return Ok(pinned),
            Err(found) => found,
        };
        let no_key = |sources| {
            let (service, tenant) = (service.clone(), tenant.clone());
            NoKey::from_tried(Tried {
                service,
                tenant,
                sources,
            })
        };
        if !found.goes_on() {
            return Err(no_key(vec![(customer, found)]));
        }
        let dedicated = SecretName::Dedicated {
            service: service.clone(),
            tenant: tenant.clone(),
        };
        self.pin_secret(&dedicated, now)
            .map_err(|behind| no_key(vec![(customer, found), (dedicated, behind)]))
    }

    /// Whose money a call of the tenant at the service uses, in whatever health the keys are: the
    /// payer of the key that [`Keyring::pin`] would give if all were well. `None` without a key
    /// that is in use.
    #[must_use]
    pub fn payer(&self, service: &ServiceId, tenant: &TenantId) -> Option<Payer> {
        let customer = SecretName::Customer {
            service: service.clone(),
            tenant: tenant.clone(),
        };
        let dedicated = SecretName::Dedicated {
            service: service.clone(),
            tenant: tenant.clone(),
        };
        let slots = self.slots.versions.pin();
        [customer, dedicated].iter().find_map(|name| {
            let (version, _) = in_use(slots.get(name)?).ok()?;
            Some(version.payer)
        })
    }

    /// What a provider's answer says about a version.
    pub fn report(&self, name: &SecretName, version: SecretVersion, health: KeyHealth) {
        if let Some(version) = self.slots.find(name, version) {
            version.report(health, self.clock.now());
        }
    }

    /// The health of a version as it stands now; `None` when it is not here.
    #[must_use]
    pub fn health(&self, name: &SecretName, version: SecretVersion) -> Option<KeyHealth> {
        let version = self.slots.find(name, version)?;
        Some(version.health(self.clock.now()))
    }

    /// How many pins hold the version.
    #[must_use]
    pub fn pins(&self, name: &SecretName, version: SecretVersion) -> usize {
        let version = self.slots.find(name, version);
        version.map_or(0, |version| {
            usize::try_from(version.pins()).unwrap_or(usize::MAX)
        })
    }

    /// Resolves when nobody holds the version any more, at once when nobody does. It says something
    /// lasting only of a version that takes no new pins: a revoked one, or a retiring one behind a
    /// newer active one.
    pub async fn drained(&self, name: &SecretName, version: SecretVersion) {
        fence(Ordering::SeqCst);
        if let Some(version) = self.slots.find(name, version) {
            version.drained().await;
        }
    }

    /// Pins the version of this secret that is in use, or says what stands in the way.
    fn pin_secret(&self, name: &SecretName, now: Timestamp) -> Result<PinnedKey, SourceState> {
        self.pin_secret_after(name, now, || {})
    }

    /// The same, with something that happens between the look and the pin: tests put there what
    /// another thread does at the worst moment.
    fn pin_secret_after(
        &self,
        name: &SecretName,
        now: Timestamp,
        mut looked: impl FnMut(),
    ) -> Result<PinnedKey, SourceState> {
        loop {
            let slots = self.slots.versions.pin();
            let versions = slots.get(name).ok_or(SourceState::Absent)?;
            let (version, state) = in_use(versions)?;
            match version.health(now) {
                KeyHealth::Invalid => {
                    let version = version.version;
                    return Err(SourceState::Invalid { version });
                }
                KeyHealth::Exhausted { until } => {
                    let version = version.version;
                    return Err(SourceState::Exhausted { version, until });
                }
                KeyHealth::Ok | KeyHealth::Limited { .. } | KeyHealth::Suspect => {}
            }
            // Opened before it is pinned: what does not open is not given.
            if version.value().expose().is_empty() {
                let version = version.version;
                return Err(SourceState::Invalid { version });
            }
            looked();
            // Between the look and the pin the version may have been retired or revoked: look again.
            if !version.try_pin(state) {
                continue;
            }
            let pinned = PinnedKey::new(Arc::clone(version), Arc::downgrade(&self.slots));
            // An active version is retired by changing the word that was just pinned. A retiring one
            // is superseded by another version: see whether that has happened, now that a drain
            // which begins later is sure to see the pin.
            if state == VersionState::Active || self.still_in_use(name, version) {
                return Ok(pinned);
            }
        }
    }

    fn still_in_use(&self, name: &SecretName, version: &Arc<Version>) -> bool {
        fence(Ordering::SeqCst);
        let slots = self.slots.versions.pin();
        let found = slots.get(name).map(|versions| in_use(versions));
        matches!(found, Some(Ok((found, _))) if Arc::ptr_eq(found, version))
    }
}

/// The version that new requests use: the newest active one.
///
/// While a rotation's two steps arrive, the old version may be retiring before the new one is here;
/// then the retiring one, if it is the newest that ever was in use, still serves.
fn in_use(versions: &[Arc<Version>]) -> Result<(&Arc<Version>, VersionState), SourceState> {
    let mut newest = None;
    for version in versions {
        match version.state() {
            VersionState::Active => return Ok((version, VersionState::Active)),
            VersionState::Pending => {}
            state => {
                newest.get_or_insert((version, state));
            }
        }
    }
    match (newest, versions.first()) {
        (Some(retiring @ (_, VersionState::Retiring)), _) => Ok(retiring),
        (_, Some(first)) if first.state() == VersionState::Pending => Err(SourceState::Pending {
            version: first.version,
        }),
        (Some((version, _)), _) => Err(SourceState::Revoked {
            version: version.version,
        }),
        (None, _) => Err(SourceState::Absent),
    }
}

impl Slots {
    fn find(&self, name: &SecretName, version: SecretVersion) -> Option<Arc<Version>> {
        let slots = self.versions.pin();
        let mut versions = slots.get(name)?.iter();
        versions.find(|found| found.version == version).cloned()
    }

    /// Puts a version among those of its secret; the write lock is held.
    fn add(&self, added: Arc<Version>) {
        let name = added.name.clone();
        self.replace(&name, |versions| {
            versions.retain(|version| version.version != added.version);
            versions.push(added);
            versions.sort_unstable_by_key(|version| std::cmp::Reverse(version.version));
        });
    }

    /// Takes a removed version off its list, unless another took its place.
    pub(crate) fn forget(&self, forgotten: &Arc<Version>) {
        let _writing = self.write.lock();
        self.replace(&forgotten.name, |versions| {
            versions.retain(|version| !Arc::ptr_eq(version, forgotten));
        });
    }

    /// Puts a changed copy in the place of a list; the write lock is held.
    fn replace(&self, name: &SecretName, change: impl FnOnce(&mut Vec<Arc<Version>>)) {
        let slots = self.versions.pin();
        let mut versions = slots
            .get(name)
            .map(|list| list.to_vec())
            .unwrap_or_default();
        change(&mut versions);
        if versions.is_empty() {
            slots.remove(name);
        } else {
            slots.insert(name.clone(), versions.into());
        }
    }
}

impl fmt::Debug for ClosedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClosedEntry({} {:?})", self.name, self.version)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring of {} secrets", self.slots.versions.pin().len())
    }
}

#[cfg(test)]
mod tests;
