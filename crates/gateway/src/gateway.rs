//! The gateway and what it stands on.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use diamond_admission::{Admission, Refusal};
use diamond_domain::{Alarm, AlarmCode, AlarmSink, Clock, RequestId, ServiceId, TenantId, TokenId};
use diamond_keyring::{KeyRepair, Keyring};
use diamond_pricing::Catalog;
use diamond_providers::{Fault, Provider, Registry, Route};
use diamond_usage::{AuditAction, AuditDraft, AuditOutcome, EventSink, RefusalSink, SinkError};
use http::{HeaderName, HeaderValue, Request, Response};
use hyper::body::Incoming;
use tokio_util::task::TaskTracker;

use crate::{
    GatewayBody, GatewaySettings,
    admit::{self, Arrival},
    attempt,
    call::CallContext,
    failure::Failure,
    observe::{self, ServiceMetrics},
    path,
    pool::{Place, Pool},
    socket,
    upstream::{self, Base},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-diamond-request-id");

/// What a gateway is made of.
pub struct GatewayParts {
    /// Who may do what.
    pub admission: Arc<Admission>,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// Where events go.
    pub sink: Arc<dyn EventSink>,
    /// The prices.
    pub catalog: Arc<Catalog>,
    /// The services.
    pub providers: Registry,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where alarms go.
    pub alarms: Arc<dyn AlarmSink>,
    /// Where refusals go.
    pub refusals: Arc<dyn RefusalSink>,
    /// Billable work that outlives its request runs here; the shutdown waits for it.
    pub tasks: TaskTracker,
    /// What an operator set.
    pub settings: GatewaySettings,
}

/// Why a gateway cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A service's address is not one.
    #[error("the base URL of `{service}` is not usable: {reason}")]
    BaseUrl {
        /// Which service.
        service: ServiceId,
        /// What is wrong with it.
        reason: String,
    },
    /// A service has no base URL.
    #[error("the service `{0}` has no base URL")]
    NoAddress(ServiceId),
    /// A setting names a service that does not exist.
    #[error("there is no service `{0}`, but it has a base URL")]
    UnknownService(ServiceId),
    /// The TLS library has no usable protocol version.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// The in-path proxy. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
    pool: Arc<Pool>,
}

pub(crate) struct Inner {
    pub(crate) admission: Arc<Admission>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) sink: Arc<dyn EventSink>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) alarms: Arc<dyn AlarmSink>,
    pub(crate) refusals: Arc<dyn RefusalSink>,
    pub(crate) repair: Arc<dyn KeyRepair>,
    pub(crate) tasks: TaskTracker,
    pub(crate) settings: GatewaySettings,
    /// WebSockets under way.
    pub(crate) conversations: TaskTracker,
    upstreams: HashMap<String, Upstream>,
}

/// A service and where it is.
pub(crate) struct Upstream {
    pub(crate) provider: Arc<dyn Provider>,
    base: Base,
    /// Where its connections are.
    place: Place,
    /// The same of the part of its API that has an address of its own.
    second: Option<(Base, Place)>,
    pub(crate) metrics: Arc<ServiceMetrics>,
}

impl Upstream {
    /// Where a route is answered.
    pub(crate) fn address(&self, route: &Route) -> (&Base, Place) {
        match &self.second {
            Some((base, place)) if self.provider.is_at_second(route) => (base, *place),
            _ => (&self.base, self.place),
        }
    }
}

impl Gateway {
    /// Puts the parts together. `repair` makes keys where there is none that works.
    ///
    /// # Errors
    /// [`GatewayError`] when a setting cannot be used.
    pub fn new(parts: GatewayParts, repair: Arc<dyn KeyRepair>) -> Result<Self, GatewayError> {
        let settings = parts.settings;
        if let Some(unknown) = settings
            .upstreams
            .keys()
            .find(|service| parts.providers.get(service).is_none())
        {
            return Err(GatewayError::UnknownService(unknown.clone()));
        }
        let mut upstreams = HashMap::new();
        let mut bases = Vec::new();
        for (service, provider) in parts.providers.iter() {
            let set = settings.upstreams.get(service).map(String::as_str);
            let usual = || provider.descriptor().base_url();
            let set = set.or_else(usual);
            let set = set.ok_or_else(|| GatewayError::NoAddress(service.clone()))?;
            let base = Base::parse(set).map_err(|reason| GatewayError::BaseUrl {
                service: service.clone(),
                reason,
            })?;
            let place = Place(bases.len());
            bases.push(base.clone());
            let second = provider.second_base_url(set);
            let second = second.and_then(|address| Base::parse(address).ok());
            let second = second.map(|base| {
                bases.push(base.clone());
                (base, Place(bases.len() - 1))
            });
            let upstream = Upstream {
                provider: Arc::clone(provider),
                base,
                place,
                second,
                metrics: Arc::new(ServiceMetrics::new(service)),
            };
            upstreams.insert(service.to_string(), upstream);
        }
        let connector = upstream::connector(&settings)?;
        let sockets = upstream::socket_connector(&settings)?;
        Ok(Self {
            pool: Arc::new(Pool::new(connector, sockets, &settings, &bases)),
            inner: Arc::new(Inner {
                admission: parts.admission,
                keyring: parts.keyring,
                sink: parts.sink,
                catalog: parts.catalog,
                clock: parts.clock,
                alarms: parts.alarms,
                refusals: parts.refusals,
                repair,
                tasks: parts.tasks,
                settings,
                conversations: TaskTracker::new(),
                upstreams,
            }),
        })
    }

    /// The same gateway with connections of its own to the providers, for one of so many runtimes
    /// that share the work: no other is woken for its calls.
    #[must_use]
    pub fn with_own_connections(&self, runtimes: usize) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            pool: Arc::new(self.pool.another(runtimes)),
        }
    }

    /// Ends every call under way, and every one that still arrives: each is written down with what
    /// is known of it. How many there were.
    pub fn stop(&self) -> u64 {
        let calls = self.inner.admission.calls();
        calls.cut(&diamond_admission::CutTarget::Everything)
    }

    /// Ends when no WebSocket is under way; none is waited for that begins later.
    pub async fn conversations_over(&self) {
        self.inner.conversations.close();
        self.inner.conversations.wait().await;
    }

    /// Carries one request, whose path begins with `/gateway/`. `peer` is who is asking, as far as
    /// the server knows.
    pub async fn handle(
        &self,
        mut request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Response<GatewayBody> {
        let inner = &self.inner;
        let now = inner.clock.now();
        let arrival = Arrival {
            request_id: RequestId::generate(now),
            at: now,
            nanos: inner.clock.monotonic_nanos(),
            mark: inner.admission.calls().mark(),
        };
        let conversation = socket::asked_for(&mut request);
        let (parts, body) = request.into_parts();
        let service = path::split(parts.uri.path()).map_or("", |(service, _)| service);
        let mut response = match inner.upstreams.get(service) {
            None => refuse_service(service).answer(None),
            Some(upstream) => {
                let carried = async {
                    let (context, prepared) =
                        admit::admit(inner, upstream, arrival, parts, body, conversation, peer)
                            .await?;
                    attempt::carry(inner, &self.pool, &context, prepared).await
                };
                carried.await.unwrap_or_else(|failure| {
                    let provider = upstream.provider.as_ref();
                    observe::refused(provider.service().as_str(), failure.code());
                    failure.answer(Some(provider))
                })
            }
        };
        if let Ok(id) = HeaderValue::try_from(arrival.request_id.to_string()) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.inner.upstreams.keys()).finish()
    }
}

/// Who was refused, as far as that is known.
pub(crate) struct Refused<'a> {
    pub(crate) arrival: Arrival,
    pub(crate) address: std::net::IpAddr,
    pub(crate) token: Option<TokenId>,
    pub(crate) tenant: Option<&'a TenantId>,
    pub(crate) service: &'a ServiceId,
}

impl Inner {
    /// Leaves a trace of a refusal in the audit chain.
    pub(crate) fn refused(&self, who: &Refused<'_>, refusal: Refusal) -> Failure {
        self.refusals.refused(AuditDraft {
            at: who.arrival.at,
            action: AuditAction::GatewayCall,
            outcome: AuditOutcome::Refused,
            request_id: who.arrival.request_id,
            token_id: who.token,
            address: Some(who.address),
            tenant_id: who.tenant.cloned(),
            user_id: None,
            service: Some(who.service.clone()),
            version: None,
            purpose: None,
            detail: Some(refusal.code().to_owned()),
            count: None,
        });
        refusal.into()
    }

    pub(crate) fn raise_unwritable(&self, error: &SinkError) {
        tracing::error!(%error, "usage cannot be recorded");
        self.alarms.raise(Alarm {
            code: AlarmCode::JournalUnwritable,
            tenant: None,
            subject: "gateway".to_owned(),
            detail: format!("Usage cannot be recorded, so no call is carried: {error}."),
        });
    }

    /// Whoever answers at the provider's address is not believed to be the provider: no key goes
    /// there.
    pub(crate) fn untrusted(&self, call: &CallContext) -> Failure {
        let service = call.provider.service();
        self.alarms.raise(Alarm {
            code: AlarmCode::UpstreamUntrusted,
            tenant: None,
            subject: service.to_string(),
            detail: format!(
                "The certificate shown at the address of {service} is not trusted, so nothing is \
                 sent there. Is it the provider? If it is by an authority of your own, name it in \
                 `outbound.extra_ca_file`."
            ),
        });
        Failure::own(
            Fault::BadGateway,
            "upstream_untrusted",
            "The provider's certificate is not trusted. Nothing was sent; tell whoever runs this \
             server.",
        )
    }

    pub(crate) fn raise_conflict(&self, call: &CallContext) {
        self.alarms.raise(Alarm {
            code: AlarmCode::InconsistentUsage,
            tenant: Some(call.tenant.clone()),
            subject: format!("{}/{}", call.provider.service(), call.route.operation),
            detail: format!(
                "The call {} was told before with another count (by a report, or under the same \
                 name at the provider). The first one stands.",
                call.request_id
            ),
        });
    }
}

fn refuse_service(service: &str) -> Failure {
    observe::refused("unknown", "unknown_service");
    let plain = !service.is_empty()
        && service.len() <= 32
        && service.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let message = if plain {
        format!("There is no service `{service}`: the path is /gateway/SERVICE/ITS-OWN-PATH.")
    } else {
        "The path is /gateway/SERVICE/ITS-OWN-PATH.".to_owned()
    };
    Failure::own(Fault::NotFound, "unknown_service", &message)
}
