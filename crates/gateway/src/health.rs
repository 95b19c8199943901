//! What a provider's failure says about the key, told to those who care.

use diamond_domain::{Alarm, AlarmCode, KeyHealth};
use diamond_keyring::PinnedKey;
use diamond_providers::KeyVerdict;
use jiff::{SignedDuration, Timestamp};

use crate::gateway::Inner;

/// A pause that the provider did not give a length.
const LIMITED_PAUSE: SignedDuration = SignedDuration::from_secs(1);

impl Inner {
    /// Reports a verdict to the keyring, and to people where they have to do something. Whether
    /// the key is dead.
    pub(crate) fn judge(&self, key: &PinnedKey, verdict: &KeyVerdict) -> bool {
        let now = self.clock.now();
        let health =
            match verdict {
                KeyVerdict::Valid
                | KeyVerdict::MissingScope { .. }
                | KeyVerdict::BadRequest { .. } => KeyHealth::Ok,
                KeyVerdict::Unclear { .. }
                | KeyVerdict::Overloaded { .. }
                | KeyVerdict::Crowded { .. } => return false,
                KeyVerdict::Blocked { reason } => {
                    self.raise_about(key, AlarmCode::BlockedKey, &format!(
                    "The provider says `{reason}`: it knows the key and does not let it in. Its \
                     account, country or list of addresses has to be changed there."
                ));
                    return false;
                }
                KeyVerdict::Limited { until, .. } => KeyHealth::Limited {
                    until: until.unwrap_or_else(|| later(now, LIMITED_PAUSE)),
                },
                KeyVerdict::Exhausted { reason, until, .. } => {
                    self.raise_about(key, AlarmCode::ExhaustedKey, &format!(
                    "The provider says `{reason}`: the account behind the key has no credit or \
                     quota left. Add credit or raise its limit there."
                ));
                    let pause = SignedDuration::try_from(self.settings.exhausted_pause)
                        .unwrap_or(LIMITED_PAUSE);
                    KeyHealth::Exhausted {
                        until: until.unwrap_or_else(|| later(now, pause)),
                    }
                }
                KeyVerdict::Invalid { reason } => {
                    let invalid = KeyHealth::Invalid;
                    if self.keyring.report(key.name(), key.version(), invalid) {
                        self.raise_about(key, AlarmCode::InvalidKey, &format!(
                    "The provider says `{reason}`: it does not know version {} of the key any \
                     more. Put a new one if it is not replaced by itself.",
                    key.version()
                ));
                    }
                    return true;
                }
            };
        self.keyring.report(key.name(), key.version(), health);
        false
    }

    /// A call that succeeded lifts whatever was held against the key.
    pub(crate) fn key_worked(&self, key: &PinnedKey) {
        let known = self.keyring.health(key.name(), key.version());
        if known.is_some_and(|health| health != KeyHealth::Ok) {
            self.keyring
                .report(key.name(), key.version(), KeyHealth::Ok);
        }
    }

    fn raise_about(&self, key: &PinnedKey, code: AlarmCode, detail: &str) {
        self.alarms.raise(Alarm {
            code,
            tenant: key.name().tenant().cloned(),
            subject: key.name().to_string(),
            detail: detail.to_owned(),
        });
    }
}

fn later(now: Timestamp, pause: SignedDuration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}
