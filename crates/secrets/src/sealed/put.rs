//! Putting a value: once for each request, at the place that the caller believes in.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use diamond_db::sealed::{self, Append, Appended, Owner, SealedRequest};
use diamond_domain::{SecretName, SecretValue, SecretVersion};
use subtle::ConstantTimeEq as _;

use super::{SealedStore, binding, envelope, from_db};
use crate::{Precondition, SecretError};

/// Every round that is lost was won by another put, so only rows that contradict each other, or
/// an absurd crowd, come this far.
const ROUNDS: u32 = 200;

pub(super) async fn put(
    store: &SealedStore,
    name: &SecretName,
    value: &SecretValue,
    precondition: Precondition,
    request_id: &str,
) -> Result<SecretVersion, SecretError> {
    let owner = Owner::of(name);
    let request = Request {
        owner: &owner,
        id: request_id,
        name,
        value,
    };
    for _ in 0..ROUNDS {
        let made = sealed::request(&store.db, &owner, request_id).await;
        if let Some(made) = made.map_err(|error| from_db(error, "a request"))? {
            return request.replay(store, &made);
        }
        let newest = sealed::newest(&store.db, &owner, name).await;
        let newest = newest.map_err(|error| from_db(error, "a secret's newest version"))?;
        let holds = match precondition {
            Precondition::None => true,
            Precondition::Absent => newest.is_none(),
            Precondition::Newest(version) => newest == Some(version),
        };
        let version = newest.map_or(Some(SecretVersion::FIRST), SecretVersion::next);
        let Some(version) = version.filter(|_| holds) else {
            return Err(SecretError::Conflict {
                name: name.clone(),
                newest,
            });
        };
        let key = store.data_keys.existing_or_new(store, &owner).await?;
        let binding = binding::of_value(store.installation, name, version);
        let sealed = envelope::seal(&key, &binding, value.expose().as_bytes())
            .map_err(|error| SecretError::Unavailable(Box::new(error)))?;
        let append = Append {
            name,
            newest,
            version,
            sealed: &sealed,
            request_id,
            digest: &request.digest(store, version),
            created_at: store.clock.now(),
        };
        let appended = sealed::append(&store.db, &owner, &append).await;
        match appended.map_err(|error| from_db(error, "a secret's versions"))? {
            Appended::Stored => return Ok(version),
            // Somebody was faster: look again at what is true now.
            Appended::Moved | Appended::RequestTaken => {}
        }
    }
    Err(SecretError::Unavailable(
        "too many puts to the same secret at once".into(),
    ))
}

/// What a request id is bound to.
struct Request<'a> {
    owner: &'a Owner,
    id: &'a str,
    name: &'a SecretName,
    value: &'a SecretValue,
}

impl Request<'_> {
    /// The version that the request made before, if it is the same request.
    fn replay(
        &self,
        store: &SealedStore,
        made: &SealedRequest,
    ) -> Result<SecretVersion, SecretError> {
        let digest = self.digest(store, made.version);
        let same =
            made.name == *self.name && bool::from(digest.as_bytes().ct_eq(made.digest.as_bytes()));
        if same {
            Ok(made.version)
        } else {
            Err(SecretError::RequestReused)
        }
    }

    /// A keyed digest over everything that the request is and made; without the key it tells
    /// nothing of the value, not even whether a guess is right.
    fn digest(&self, store: &SealedStore, version: SecretVersion) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &store.request_key[..]);
        let mut context = hmac::Context::with_key(&key);
        for part in [
            self.owner.to_string().as_bytes(),
            self.id.as_bytes(),
            self.name.to_string().as_bytes(),
            &version.get().to_be_bytes(),
            self.value.expose().as_bytes(),
        ] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        STANDARD.encode(context.sign())
    }
}
