//! Who is behind a code: the only place where names of users stand.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::Path,
    sync::Arc,
};

use diamond_domain::{TenantId, UserId};
use diamond_journal::{Disk, Journal, JournalError, JournalOptions, Position, SegmentCopy};
use parking_lot::RwLock;

use crate::{ErasureSubject, dictionary_file::DictionaryRecord, stored::Malformed};

/// A random name for a user of a tenant: what events and audit entries hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserCode(pub u64);

impl UserCode {
    const ERASED: &'static str = "erased-";

    /// What stands for the user once the name is forgotten.
    #[must_use]
    pub fn pseudonym(self) -> UserId {
        let text = format!("{}{self}", Self::ERASED);
        text.parse().unwrap_or_else(|_| UserId::unknown())
    }

    fn from_pseudonym(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(Self::ERASED)?;
        (digits.len() == 16)
            .then(|| u64::from_str_radix(digits, 16).ok())?
            .map(Self)
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Names and codes of the users of each tenant, in memory and in files of their own, which are
/// rewritten when somebody is to be forgotten: then the name is in no file.
pub struct UserDictionary {
    journal: Journal,
    users: RwLock<Users>,
}

#[derive(Default)]
struct Users {
    /// By tenant; the empty text stands for the platform's own people.
    tenants: BTreeMap<Arc<str>, TenantUsers>,
    /// Whether what is in memory may be more than what is in the files.
    failed: bool,
}

#[derive(Default)]
struct TenantUsers {
    codes: HashMap<UserId, Entry>,
    names: HashMap<UserCode, UserId>,
}

#[derive(Clone, Copy)]
struct Entry {
    code: UserCode,
    /// Where it stands, so that it can be waited for.
    position: Position,
}

impl UserDictionary {
    /// Opens the dictionary in a folder of its own, and finishes an erasure that was cut short.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open(folder: &Path, disk: Arc<dyn Disk>) -> Result<Self, JournalError> {
        let options = JournalOptions {
            thread_name: "users-commit".to_owned(),
            ..JournalOptions::default()
        };
        let (journal, _) = Journal::open(folder, disk, options)?;
        let mut users = Users::default();
        let mut scan = journal.scan(Position::START);
        while let Some((position, record)) = scan.next_record()? {
            let corrupt = |_: Malformed| JournalError::Corrupt {
                segment: folder.to_owned(),
                offset: 0,
                reason: "a record is not one of a dictionary of users",
            };
            match DictionaryRecord::read(record).map_err(corrupt)? {
                DictionaryRecord::Entry { code, tenant, name } => {
                    let name = name
                        .parse()
                        .map_err(|_| corrupt(Malformed(String::new())))?;
                    users.insert(tenant, name, Entry { code, position });
                }
                DictionaryRecord::Rewritten { from } => {
                    users.forget_before(from);
                    journal.drop_before(from)?;
                }
            }
        }
        Ok(Self {
            journal,
            users: RwLock::new(users),
        })
    }

    /// Everything that is durable now.
    ///
    /// # Errors
    /// As [`Journal::copies`].
    pub fn copies(&self) -> Result<Vec<SegmentCopy>, JournalError> {
        self.journal.copies()
    }

    /// The code of a user, durable when this returns. `None` for the platform's own people.
    ///
    /// # Errors
    /// [`JournalError`] when a new user cannot be written down.
    pub async fn assign(
        &self,
        tenant: Option<&TenantId>,
        user: &UserId,
    ) -> Result<UserCode, JournalError> {
        let entry = self.take(tenant, user)?;
        self.journal.durable(entry.position).await?;
        Ok(entry.code)
    }

    /// As [`UserDictionary::assign`]; holds up the thread for a flush when the user is new.
    ///
    /// # Errors
    /// As [`UserDictionary::assign`].
    pub fn assign_blocking(
        &self,
        tenant: Option<&TenantId>,
        user: &UserId,
    ) -> Result<UserCode, JournalError> {
        let entry = self.take(tenant, user)?;
        self.journal.durable_blocking(entry.position)?;
        Ok(entry.code)
    }

    /// The code of a user, when there is one: of a name, or of a pseudonym that an answer showed.
    #[must_use]
    pub fn code(&self, tenant: Option<&TenantId>, user: &UserId) -> Option<UserCode> {
        let users = self.users.read();
        let known = users.tenants.get(key(tenant));
        if let Some(entry) = known.and_then(|known| known.codes.get(user)) {
            return Some(entry.code);
        }
        let code = UserCode::from_pseudonym(user.as_str())?;
        let has_a_name = known.is_some_and(|known| known.names.contains_key(&code));
        (!has_a_name).then_some(code)
    }

    /// The name behind a code; `None` once it is forgotten.
    #[must_use]
    pub fn name(&self, tenant: Option<&TenantId>, code: UserCode) -> Option<UserId> {
        let users = self.users.read();
        users.tenants.get(key(tenant))?.names.get(&code).cloned()
    }

    /// What to show for a code: the name, or the pseudonym once it is forgotten.
    #[must_use]
    pub fn shown(&self, tenant: Option<&TenantId>, code: UserCode) -> UserId {
        self.name(tenant, code).unwrap_or_else(|| code.pseudonym())
    }

    /// Forgets, in memory and in the files; how many names were forgotten. Rewrites the files, and
    /// holds up the thread and whoever brings a new user meanwhile. When it fails, or we die in it,
    /// either nobody is forgotten or the next start finishes it.
    ///
    /// # Errors
    /// [`JournalError`]; erase again then.
    pub fn erase_blocking(&self, subject: &ErasureSubject) -> Result<u64, JournalError> {
        let mut users = self.users.write();
        let (tenant, user) = match subject {
            ErasureSubject::User(tenant, user) => (tenant.as_str(), Some(user)),
            ErasureSubject::Tenant(tenant) => (tenant.as_str(), None),
        };
        let goes = |name: &UserId| user.is_none_or(|user| user == name);
        let names = users.tenants.get(tenant).map(|known| known.codes.keys());
        let count = names.map_or(0, |mut names| {
            names.by_ref().filter(|name| goes(name)).count()
        });
        if count == 0 && !users.failed {
            return Ok(0);
        }

        users.failed = true;
        let from = self.journal.roll()?;
        let mut kept = Users::default();
        for (owner, known) in &users.tenants {
            for (name, entry) in &known.codes {
                if owner.as_ref() == tenant && goes(name) {
                    continue;
                }
                let record = DictionaryRecord::Entry {
                    code: entry.code,
                    tenant: owner,
                    name: name.as_str(),
                };
                let position = self.journal.append(&record.write())?;
                let code = entry.code;
                kept.insert(owner, name.clone(), Entry { code, position });
            }
        }
        let end = DictionaryRecord::Rewritten { from };
        let end = self.journal.append(&end.write())?;
        self.journal.durable_blocking(end)?;
        // From here on the next start would forget, too.
        kept.failed = true;
        *users = kept;
        self.journal.drop_before(from)?;
        users.failed = false;
        Ok(count as u64)
    }

    fn take(&self, tenant: Option<&TenantId>, user: &UserId) -> Result<Entry, JournalError> {
        let known = |users: &Users| users.tenants.get(key(tenant))?.codes.get(user).copied();
        if let Some(entry) = known(&self.users.read()) {
            return Ok(entry);
        }
        let mut users = self.users.write();
        if let Some(entry) = known(&users) {
            return Ok(entry);
        }
        let code = users.free_code(key(tenant))?;
        let record = DictionaryRecord::Entry {
            code,
            tenant: key(tenant),
            name: user.as_str(),
        };
        let position = self.journal.append(&record.write())?;
        let entry = Entry { code, position };
        users.insert(key(tenant), user.clone(), entry);
        Ok(entry)
    }

    pub(crate) fn close(&self) -> Result<(), JournalError> {
        self.journal.close()
    }

    pub(crate) fn check(&self) -> Result<(), JournalError> {
        self.journal.check()
    }
}

impl Users {
    fn insert(&mut self, tenant: &str, name: UserId, entry: Entry) {
        let known = match self.tenants.get_mut(tenant) {
            Some(known) => known,
            None => self.tenants.entry(tenant.into()).or_default(),
        };
        known.names.insert(entry.code, name.clone());
        known.codes.insert(name, entry);
    }

    fn forget_before(&mut self, position: Position) {
        for known in self.tenants.values_mut() {
            let TenantUsers { codes, names } = known;
            codes.retain(|_, entry| {
                let kept = entry.position >= position;
                if !kept {
                    names.remove(&entry.code);
                }
                kept
            });
        }
    }

    fn free_code(&self, tenant: &str) -> Result<UserCode, JournalError> {
        let known = self.tenants.get(tenant);
        loop {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes)
                .map_err(|error| JournalError::Failed(std::io::Error::other(error)))?;
            let code = UserCode(u64::from_le_bytes(bytes));
            if known.is_none_or(|known| !known.names.contains_key(&code)) {
                return Ok(code);
            }
        }
    }
}

impl fmt::Debug for UserDictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserDictionary").finish_non_exhaustive()
    }
}

fn key(tenant: Option<&TenantId>) -> &str {
    tenant.map_or("", TenantId::as_str)
}
