//! The keyring: all live versions, and who is using them.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{Ordering, fence},
    },
    time::Duration,
};

use diamond_domain::{
    Clock, KeyHealth, Payer, SecretName, SecretValue, SecretVersion, ServiceId, TenantId,
    VersionState,
};
use jiff::{SignedDuration, Timestamp};
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
    /// Since when this process knows anything.
    made_at: Timestamp,
}

/// A version that retires here: a newer one is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retiring {
    /// The secret.
    pub name: SecretName,
    /// The version.
    pub version: SecretVersion,
    /// When this process saw it retire; `None` when it came so.
    pub retired_at: Option<Timestamp>,
}

/// The versions of each secret, newest first.
#[derive(Default)]
pub(crate) struct Slots {
    versions: HashMap<SecretName, Arc<[Arc<Version>]>>,
    /// Those that may be retiring, so that nobody has to look through all.
    retiring: Mutex<BTreeSet<(SecretName, SecretVersion)>>,
    /// Lists are replaced whole; two writers must not replace the same one.
    write: Mutex<()>,
}

impl Keyring {
    /// Holds no key yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            made_at: clock.now(),
            clock,
            slots: Arc::default(),
        }
    }

    /// Takes a version in. One that is here already keeps its pins, its health and its value (a
    /// version's value never changes) and moves to the entry's state.
    pub fn upsert(&self, entry: KeyEntry) {
        let _writing = self.slots.write.lock();
        self.note_retiring(&entry.name, entry.version, entry.state);
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
            self.note_retiring(&entry.name, entry.version, entry.state);
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
            version.set_state(state, self.clock.now());
            true
        })
    }

    /// Moves a version to a state. A revoked one stays revoked; an unknown one is nobody's concern.
    pub fn set_state(&self, name: &SecretName, version: SecretVersion, state: VersionState) {
        if let Some(found) = self.slots.find(name, version) {
            found.set_state(state, self.clock.now());
            self.note_retiring(name, version, state);
        }
    }

    fn note_retiring(&self, name: &SecretName, version: SecretVersion, state: VersionState) {
        if state == VersionState::Retiring {
            let mut retiring = self.slots.retiring.lock();
            retiring.insert((name.clone(), version));
        }
    }

    /// The versions that retire and behind which this process uses a newer one.
    #[must_use]
    pub fn retiring(&self) -> Vec<Retiring> {
        let mut noted = self.slots.retiring.lock();
        let mut found = Vec::new();
        noted.retain(|(name, version)| {
            let Some(version) = self.slots.find(name, *version) else {
                return false;
            };
            if version.state() != VersionState::Retiring {
                return false;
            }
            if self.is_superseded(&version) {
                found.push(Retiring {
                    name: name.clone(),
                    version: version.version,
                    retired_at: version.retired_at(),
                });
            }
            true
        });
        found
    }

    fn is_superseded(&self, version: &Version) -> bool {
        let slots = self.slots.versions.pin();
        let newest = slots.get(&version.name).map(|versions| in_use(versions));
        matches!(newest, Some(Ok((newest, VersionState::Active))) if newest.version > version.version)
    }

    /// From now on a version takes no new pins, not even where a newer one is refused.
    pub fn shut(&self, name: &SecretName, version: SecretVersion) {
        if let Some(version) = self.slots.find(name, version) {
            version.shut();
        }
    }

    /// The version before this one, for a while: a provider may not know a new key everywhere at
    /// once. `None` when it retired longer ago than `within`, was shut, or is refused itself.
    #[must_use]
    pub fn fall_back(&self, from: &PinnedKey, within: Duration) -> Option<PinnedKey> {
        let now = self.clock.now();
        let slots = self.slots.versions.pin();
        let mut versions = slots.get(from.name())?.iter();
        let former = versions.find(|version| {
            version.version < from.version() && version.state() == VersionState::Retiring
        })?;
        let age = now.duration_since(former.retired_at()?);
        let young = age.is_negative() || age.unsigned_abs() < within;
        let works = former.health(now) != KeyHealth::Invalid && !former.value().expose().is_empty();
        (young && works && former.try_pin(VersionState::Retiring))
            .then(|| PinnedKey::new(Arc::clone(former), Arc::downgrade(&self.slots)))
    }

    /// When the last lease of a version ends, where leases are never longer than `longest`: one
    /// that came at the start may have been leased just before.
    #[must_use]
    pub fn leased_until(
        &self,
        name: &SecretName,
        version: SecretVersion,
        longest: Duration,
    ) -> Option<Timestamp> {
        let version = self.slots.find(name, version)?;
        let before = version.was_loaded().then(|| {
            let longest = SignedDuration::try_from(longest).unwrap_or(SignedDuration::MAX);
            self.made_at.checked_add(longest).unwrap_or(Timestamp::MAX)
        });
        version.leased_until().max(before)
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

    /// What a provider's answer says about a version. Whether this is what made it invalid: of
    /// many that find out at once, one is told so.
    pub fn report(&self, name: &SecretName, version: SecretVersion, health: KeyHealth) -> bool {
        let version = self.slots.find(name, version);
        version.is_some_and(|version| version.report(health, self.clock.now()))
    }

    /// The health of a version as it stands now; `None` when it is not here.
    #[must_use]
    pub fn health(&self, name: &SecretName, version: SecretVersion) -> Option<KeyHealth> {
        let version = self.slots.find(name, version)?;
        Some(version.health(self.clock.now()))
    }

    /// When a version was last pinned here, to the second.
    #[must_use]
    pub fn last_used_at(&self, name: &SecretName, version: SecretVersion) -> Option<Timestamp> {
        self.slots.find(name, version)?.last_used_at()
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
            let (version, state) = match in_use(versions) {
                Ok(found) => found,
                // The list may be from before a rotation that is over by now: look again.
                Err(_)
                    if !slots
                        .get(name)
                        .is_some_and(|now| Arc::ptr_eq(now, versions)) =>
                {
                    continue;
                }
                Err(none) => return Err(none),
            };
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
            version.used_now(now);
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
            // It was let go of: nobody may begin with it.
            VersionState::Retiring if version.is_shut() => {
                newest.get_or_insert((version, VersionState::Revoked));
            }
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
